"""What the tests of alerts share: alerts as they are kept, and alerts as a rule opens them."""

from typing import Any

import msgspec

from app.context import Context
from app.domain.alert import SEVERITY_RANK, Alert, AlertEvent, AlertEventType, AlertStatus, Change, Severity
from app.domain.ids import dedup_key, lane_of
from app.domain.rule import RuleState, state_id
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT
from app.store.encoding import to_document
from app.store.mongo import Session
from app.transitions import Writes, transact
from tests.cast import NOW

RULE_KEY = "device_offline"


def an_alert(**fields: Any) -> Alert:
    """A live alert of `acme`; its key follows from rule and subject, its rank from its severity."""
    given: dict[str, Any] = {
        "tenant_id": "acme",
        "rule_key": RULE_KEY,
        "subject_id": "pos-1",
        "severity": Severity.HIGH,
        **fields,
    }
    status = given.setdefault("status", AlertStatus.OPEN)
    defaults = {
        "id": f"{given['tenant_id']}-{given['rule_key']}-{given['subject_id']}",
        "dedup_key": dedup_key(given["rule_key"], "device", given["subject_id"]),
        "subject_kind": SubjectKind.DEVICE,
        "severity_rank": SEVERITY_RANK[given["severity"]],
        "live": status is not AlertStatus.RESOLVED,
        "title": "Device offline: Till 1",
        "message": "silent for 130 s",
        "first_seen": NOW,
        "last_seen": NOW,
    }
    return Alert(**{**defaults, **given})


async def keep(context: Context, *alerts: Alert) -> None:
    """Puts alerts there as they are, without a record."""
    await context.mongo.tenant_collection("provider_alerts").insert(EVERY_TENANT, [to_document(alert) for alert in alerts])


async def opened(context: Context, **fields: Any) -> Alert:
    """An alert as a rule opens it: with its record, held by the rule's state."""
    alert = an_alert(**fields)
    held = RuleState(
        id=state_id(alert.tenant_id, alert.rule_key, alert.subject_kind, alert.subject_id),
        tenant_id=alert.tenant_id,
        lane=lane_of(alert.tenant_id),
        rule_key=alert.rule_key,
        subject_id=alert.subject_id,
        family="absence",
        firing=True,
        pending_since=alert.first_seen,
    )

    async def work(_: Session) -> Writes:
        return Writes([Change(type=AlertEventType.OPENED, at=alert.first_seen, before=None, after=alert)], [held])

    await transact(context, lane_of(alert.tenant_id), work)
    return alert


async def kept(context: Context, alert: Alert) -> Alert:
    found = await context.store.alerts.get(EVERY_TENANT, alert.id)
    assert found is not None
    return found


async def told(context: Context, alert: Alert) -> list[AlertEvent]:
    """What the record says of an alert, oldest first."""
    return (await context.store.events.timeline(EVERY_TENANT, alert.id, 1_000))[::-1]


async def remembered(context: Context, alert: Alert) -> RuleState | None:
    key = state_id(alert.tenant_id, alert.rule_key, alert.subject_kind, alert.subject_id)
    return (await context.store.rule_states.get_many([key])).get(key)


def without(alert: Alert, *fields: str) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(alert).items() if name not in fields}
