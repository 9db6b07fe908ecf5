"""A rule: its condition, whom it is for, and how patient it is."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.device import Device
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.subject import Subject, SubjectKind


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


class RatioCondition(msgspec.Struct, frozen=True, kw_only=True, tag="ratio", tag_field="family"):
    """The share (0..1) of events with `outcome` among all of their kind in the last `window_sec` seconds.

    With fewer than `min_samples` events there is nothing to judge. For `subject` see `counted_for`. With a `chance`, it is a
    breach only where so many, at the share that is usual at this place, are less probable than that by chance alone.
    """

    event: EventKind
    threshold: float
    window_sec: int
    outcome: EventOutcome = EventOutcome.FAILURE
    recovery_threshold: float | None = None
    min_samples: int = 10
    chance: float | None = None
    subject: SubjectKind | None = None


class SpikeCondition(msgspec.Struct, frozen=True, kw_only=True, tag="spike", tag_field="family"):
    """More than `factor` times as many events as the median of like windows, and at least `min_count`.

    With a `chance`, only where so many are less probable than that by chance alone.
    """

    event: EventKind
    factor: float
    window_sec: int = 3600
    baseline_days: int = 7
    min_count: int = 5
    chance: float | None = None
    subject: SubjectKind | None = None


class OutsideHoursCondition(msgspec.Struct, frozen=True, kw_only=True, tag="outside_hours", tag_field="family"):
    """At least `min_count` events while the shop is closed.

    `opens` and `closes` are local times such as "09:00", both on five minutes; hours that end before they begin go over
    midnight. `days` are ISO weekdays of opening (1 Monday to 7 Sunday; None: every day). `timezone` None takes the
    device's, the store's, then the tenant's.
    """

    event: EventKind
    opens: str
    closes: str
    timezone: str | None = None
    days: tuple[int, ...] | None = None
    min_count: int = 1
    subject: SubjectKind | None = None


class ServiceCondition(msgspec.Struct, frozen=True, kw_only=True, tag="service", tag_field="family"):
    """A monitored service in one of these states, or slower than `latency_ms`.

    `service` None means any; the severity then follows the service's tier, and `severity_step` makes it so many steps milder.
    """

    service: str | None = None
    status: tuple[HealthStatus, ...] = (HealthStatus.UNHEALTHY,)
    latency_ms: float | None = None
    severity_step: int = 0


class AnomalyCondition(msgspec.Struct, frozen=True, kw_only=True, tag="anomaly", tag_field="family"):
    """A gauge further from what is usual at this hour of the week than `sensitivity` robust standard deviations."""

    metric: str
    sensitivity: float = 3.5
    window_sec: int = 900
    baseline_days: int = 28


Condition = (
    AbsenceCondition
    | MetricCondition
    | RatioCondition
    | SpikeCondition
    | OutsideHoursCondition
    | ServiceCondition
    | AnomalyCondition
)
CountCondition = RatioCondition | SpikeCondition | OutsideHoursCondition
"""What looks at counts of operational events."""


class NoDataPolicy(Enum):
    """What becomes of a rule whose subject says nothing that it could judge."""

    KEEP = "keep"
    RESOLVE = "resolve"
    ALERT = "alert"


class RuleScope(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a rule is for: those that match every list that is not empty."""

    store_ids: tuple[str, ...] = ()
    device_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    service_keys: tuple[str, ...] = ()

    def names_devices(self) -> bool:
        return bool(self.device_ids or self.kinds or self.tags)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `tenant_id` None is a platform default that every tenant inherits and may replace by key.

    `channel_ids` are the shared channels that hear of its alerts, those that are there; without any, the tenant's default ones do.
    `overridden` names the fields that a tenant's version of a default sets itself; the others follow the default. It is None
    for a rule that stands alone.
    """

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
    max_alerts_per_hour: int | None = 4
    auto_resolve: bool = True
    no_data: NoDataPolicy = NoDataPolicy.KEEP
    channel_ids: tuple[str, ...] = ()
    runbook_url: str | None = None
    overridden: tuple[str, ...] | None = None
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
    state for as long as that may happen. `watch_until` is when what was seen may change by time alone (a window empties).
    `heard_at` is when a value last came, for rules that alert on silence. `turns` are the last changes between good and bad
    (see `flapping`); `opened` are the openings of the last hour.
    """

    id: str
    tenant_id: str
    lane: int
    rule_key: str
    subject_id: str
    subject_kind: SubjectKind = SubjectKind.DEVICE
    family: str
    windowed: bool = False
    firing: bool = False
    pending_since: datetime | None = None
    good_since: datetime | None = None
    cooldown_until: datetime | None = None
    next_due: datetime | None = None
    judged_until: datetime | None = None
    remember_until: datetime | None = None
    watch_until: datetime | None = None
    heard_at: datetime | None = None
    bad: bool = False
    turns: tuple[datetime, ...] = ()
    flapping: bool = False
    opened: tuple[datetime, ...] = ()
    value: float | None = None
    reason: str | None = None
    updated_at: datetime | None = None

    def is_blank(self) -> bool:
        """Nothing left to remember."""
        ends = (self.pending_since, self.cooldown_until, self.remember_until, self.watch_until, self.heard_at)
        return not (self.firing or self.turns or self.opened) and all(at is None for at in ends)


def state_id(tenant_id: str, rule_key: str, kind: SubjectKind, subject_id: str) -> str:
    return f"{tenant_id}:{rule_key}:{kind.value}:{subject_id}"


def counted_for(rule: Rule, condition: CountCondition) -> SubjectKind | None:
    """For whom events are counted: every device that a scope of devices covers, else every store.

    None is the default without either: an event counts for its store, and for the tenant where it names none.
    """
    if condition.subject is not None:
        return condition.subject
    if rule.scope.names_devices():
        return SubjectKind.DEVICE
    return SubjectKind.STORE if rule.scope.store_ids else None


def in_scope(scope: RuleScope, device: Device) -> bool:
    return (
        (not scope.device_ids or device.device_id in scope.device_ids)
        and (not scope.store_ids or device.store_id in scope.store_ids)
        and (not scope.kinds or device.kind in scope.kinds)
        and (not scope.tags or any(tag in scope.tags for tag in device.tags))
    )


def covers(scope: RuleScope, subject: Subject) -> bool:
    """Whether a store, a service or a tenant is in scope; for a device there is `in_scope`."""
    if subject.kind is SubjectKind.SERVICE:
        return not scope.service_keys or subject.id in scope.service_keys
    if subject.kind is SubjectKind.TENANT:
        return True
    return not scope.store_ids or subject.store_id in scope.store_ids
