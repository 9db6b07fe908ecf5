"""A rule: its condition, whom it is for, and how patient it is."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.alert import Severity
from app.domain.device import Device


class Comparison(Enum):
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


class Aggregation(Enum):
    LAST = "last"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


class AbsenceCondition(msgspec.Struct, frozen=True, kw_only=True, tag="absence", tag_field="family"):
    """No beat for `after_sec` seconds; None takes the device's time, then the tenant's, then the setting's."""

    after_sec: int | None = None


class MetricCondition(msgspec.Struct, frozen=True, kw_only=True, tag="metric", tag_field="family"):
    """A gauge against a threshold: of the latest beat (`window_sec` 0), or aggregated over the last `window_sec` seconds."""

    metric: str
    comparison: Comparison
    threshold: float
    recovery_threshold: float | None = None
    aggregation: Aggregation = Aggregation.LAST
    window_sec: int = 0


Condition = AbsenceCondition | MetricCondition


class RuleScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices a rule is for: those that match every list that is not empty."""

    store_ids: tuple[str, ...] = ()
    device_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `tenant_id` None is a platform default that every tenant inherits and may replace by key."""

    id: str
    tenant_id: str | None
    key: str
    name: str
    severity: Severity
    condition: Condition
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    scope: RuleScope = RuleScope()
    enabled: bool = True
    for_sec: int = 0
    keep_firing_sec: int = 0
    cooldown_sec: int = 900
    auto_resolve: bool = True
    runbook_url: str | None = None
    version: int = 1
    updated_by: str | None = None
    last_evaluated_at: datetime | None = None
    last_error: str | None = None
    error_count: int = 0


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule remembers of a subject between two looks.

    `firing` says that the rule itself holds the live alert (an alert that a person reopened is held by the person).
    `next_due` is when time alone may change the outcome; a wake-up, never a verdict. `judged_until` is when the last
    beat came that was judged: reading a little of the past again must not judge it again. `remember_until` keeps an ended
    state for as long as that may happen. What is `windowed` also changes as its window empties: every tick looks at it.
    """

    id: str
    tenant_id: str
    lane: int
    rule_key: str
    subject_id: str
    family: str
    windowed: bool = False
    firing: bool = False
    pending_since: datetime | None = None
    good_since: datetime | None = None
    cooldown_until: datetime | None = None
    next_due: datetime | None = None
    judged_until: datetime | None = None
    remember_until: datetime | None = None
    value: float | None = None
    reason: str | None = None
    updated_at: datetime | None = None

    def is_blank(self) -> bool:
        """Nothing left to remember."""
        return not self.firing and all(at is None for at in (self.pending_since, self.cooldown_until, self.remember_until))


def state_id(tenant_id: str, rule_key: str, subject_id: str) -> str:
    return f"{tenant_id}:{rule_key}:{subject_id}"


def in_scope(scope: RuleScope, device: Device) -> bool:
    return (
        (not scope.device_ids or device.device_id in scope.device_ids)
        and (not scope.store_ids or device.store_id in scope.store_ids)
        and (not scope.kinds or device.kind in scope.kinds)
        and (not scope.tags or any(tag in scope.tags for tag in device.tags))
    )
