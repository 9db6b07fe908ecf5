"""What the tests of rules share: a rule, alerts and devices as they are kept."""

from datetime import timedelta
from typing import Any

import msgspec

from app.context import Context
from app.domain.alert import SEVERITY_RANK, Alert, AlertStatus, Resolution, Severity
from app.domain.defaults import platform_rules
from app.domain.device import Device, DeviceStatus
from app.domain.ids import dedup_key, device_key, lane_of
from app.domain.rule import Comparison, MetricCondition, Rule
from app.domain.rule_input import RuleInput
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, only
from app.store.encoding import to_document
from tests.cast import NOW

HOT = MetricCondition(metric="temperature", comparison=Comparison.GT, threshold=70, recovery_threshold=60)
DEFAULTS = sorted(rule.key for rule in platform_rules(90, NOW))


def hot(**values: Any) -> RuleInput:
    given: dict[str, Any] = {"name": "Too hot", "severity": Severity.HIGH, "condition": HOT, **values}
    return RuleInput(**given)


async def add_alert(context: Context, tenant_id: str, rule_key: str, device_id: str = "pos-1") -> Alert:
    alert = Alert(
        id=f"{tenant_id}-{rule_key}-{device_id}",
        tenant_id=tenant_id,
        rule_key=rule_key,
        dedup_key=dedup_key(rule_key, "device", device_id),
        subject_kind=SubjectKind.DEVICE,
        subject_id=device_id,
        severity=Severity.HIGH,
        severity_rank=SEVERITY_RANK[Severity.HIGH],
        status=AlertStatus.OPEN,
        live=True,
        title="Bad",
        message="It is bad.",
        first_seen=NOW,
        last_seen=NOW,
    )
    await context.mongo.tenant_collection("provider_alerts").insert(only(tenant_id), [to_document(alert)])
    return alert


async def add_device(context: Context, tenant_id: str, device_id: str, **fields: Any) -> None:
    device = Device(
        id=device_key(tenant_id, device_id),
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        status=DeviceStatus.ONLINE,
        since=NOW,
        created_at=NOW,
        offline_after=120,
        wake_after=120,
        last_seen=NOW,
        due_at=NOW + timedelta(seconds=120),
        **fields,
    )
    await context.mongo.tenant_collection("devices").insert(only(tenant_id), [to_document(device)])


async def due_after(context: Context, device: str) -> float:
    kept = await context.mongo.database["devices"].find_one({"_id": device})
    assert kept is not None
    return float((kept["due_at"] - NOW).total_seconds())


async def ended(context: Context, alert: Alert) -> Resolution | None:
    found = await context.store.alerts.get(EVERY_TENANT, alert.id)
    assert found is not None
    return found.resolution


async def default_rule(context: Context, key: str) -> Rule:
    rule = await context.store.rules.get(only("acme"), f"default-{key}")
    assert rule is not None
    return rule


def metric(**values: Any) -> MetricCondition:
    return msgspec.structs.replace(HOT, **values)
