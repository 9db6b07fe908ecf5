"""Devices, rules and beats for tests of the pure domain."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain import lifecycle
from app.domain.alert import Change, Severity
from app.domain.beat import Beat
from app.domain.conditions.observation import Observation
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.judgement import blank_state
from app.domain.rule import AbsenceCondition, Comparison, Condition, MetricCondition, Rule
from app.domain.stages import judge
from app.domain.subject import Subject, of_device

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def a_device(**fields: Any) -> Device:
    given = {
        "tenant_id": "acme",
        "device_id": "till-1",
        "status": DeviceStatus.ONLINE,
        "since": NOON,
        "created_at": NOON,
        "offline_after": 120,
        "wake_after": 120,
        "last_seen": NOON,
        **fields,
    }
    return Device(id=device_key(given["tenant_id"], given["device_id"]), lane=lane_of(given["tenant_id"]), **given)


def a_subject(**fields: Any) -> Subject:
    return of_device(a_device(**fields))


def a_rule(condition: Condition | None = None, **fields: Any) -> Rule:
    given = {
        "id": "rule-1",
        "tenant_id": "acme",
        "key": "quiet",
        "name": "Quiet",
        "severity": Severity.HIGH,
        "condition": condition or AbsenceCondition(),
        "created_at": NOON,
        "updated_at": NOON,
        "cooldown_sec": 0,
        **fields,
    }
    return Rule(**given)


def opened(rule: Rule, subject: Subject, seen: Observation, now: datetime = NOON) -> Change:
    """The opening that comes of a first look."""
    return lifecycle.open_alert("alert-1", rule, subject, seen, judge(rule, blank_state(rule, subject), seen, None, now), now)


def cpu_over(threshold: float, **fields: Any) -> MetricCondition:
    return MetricCondition(metric="cpuUsage", comparison=Comparison.GT, threshold=threshold, **fields)


def a_beat(seconds: float, **fields: Any) -> Beat:
    return Beat(
        id=f"beat-{seconds}",
        tenant_id="acme",
        device_id="till-1",
        lane=lane_of("acme"),
        timestamp=at(seconds),
        received_at=at(seconds),
        expire_at=at(seconds) + timedelta(days=7),
        **fields,
    )
