"""The seven families of conditions on the wire."""

from dataclasses import fields
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from app.domain import rule as domain
from app.domain.beat import HealthStatus
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.rule import Aggregation, Comparison
from app.domain.subject import SubjectKind
from app.errors import bad_field
from schema.given import given, listed

_BY_CHANCE = "only what is less probable than this (0..1) by chance alone, going by what is usual; null: whatever chance brings"
_COUNTED_FOR = "for whom events are counted: DEVICE, STORE or TENANT; null: as the scope says, else each store"


@strawberry.type(description="no heartbeat for so long; null: the device's, then the tenant's, then the setting's")
class AbsenceCondition:
    after_sec: int | None


@strawberry.type
class MetricCondition:
    metric: str
    comparison: Comparison
    threshold: float
    recovery_threshold: float | None
    aggregation: Aggregation
    window_sec: int


@strawberry.type(description="the share (0..1) of events with this outcome among all of their kind")
class RatioCondition:
    event: EventKind
    outcome: EventOutcome
    threshold: float
    recovery_threshold: float | None
    window_sec: int
    min_samples: int
    chance: float | None = strawberry.field(description=_BY_CHANCE)
    subject: SubjectKind | None = strawberry.field(description=_COUNTED_FOR)


@strawberry.type(description="so many times as many events as the median of like windows")
class SpikeCondition:
    event: EventKind
    factor: float
    window_sec: int
    baseline_days: int
    min_count: int
    chance: float | None = strawberry.field(description=_BY_CHANCE)
    subject: SubjectKind | None = strawberry.field(description=_COUNTED_FOR)


@strawberry.type(description='events outside of local hours such as "09:00" to "22:00", on the days that are opening days')
class OutsideHoursCondition:
    event: EventKind
    opens: str
    closes: str
    timezone: str | None = strawberry.field(description="null: the device's, the store's, then the tenant's zone")
    days: list[int] | None = strawberry.field(description="1 (Monday) to 7 (Sunday); null: every day")
    min_count: int
    subject: SubjectKind | None = strawberry.field(description=_COUNTED_FOR)


@strawberry.type
class ServiceCondition:
    service: str | None = strawberry.field(description="null: any; severity then follows the tier")
    status: list[HealthStatus]
    latency_ms: float | None


@strawberry.type(description="further from what is usual at this hour of the week than so many robust standard deviations")
class AnomalyCondition:
    metric: str
    sensitivity: float
    window_sec: int
    baseline_days: int


RuleCondition = Annotated[
    AbsenceCondition
    | MetricCondition
    | RatioCondition
    | SpikeCondition
    | OutsideHoursCondition
    | ServiceCondition
    | AnomalyCondition,
    strawberry.union("RuleCondition"),
]


@strawberry.input
class AbsenceConditionInput:
    after_sec: int | None = UNSET


@strawberry.input
class MetricConditionInput:
    metric: str
    comparison: Comparison
    threshold: float
    recovery_threshold: float | None = UNSET
    aggregation: Aggregation | None = Aggregation.LAST
    window_sec: int | None = UNSET


@strawberry.input
class RatioConditionInput:
    event: EventKind
    threshold: float
    window_sec: int
    outcome: EventOutcome | None = EventOutcome.FAILURE
    recovery_threshold: float | None = UNSET
    min_samples: int | None = 10
    chance: float | None = UNSET
    subject: SubjectKind | None = UNSET


@strawberry.input
class SpikeConditionInput:
    event: EventKind
    factor: float
    window_sec: int | None = 3600
    baseline_days: int | None = 7
    min_count: int | None = 5
    chance: float | None = UNSET
    subject: SubjectKind | None = UNSET


@strawberry.input
class OutsideHoursConditionInput:
    event: EventKind
    opens: str
    closes: str
    timezone: str | None = UNSET
    days: list[int] | None = UNSET
    min_count: int | None = 1
    subject: SubjectKind | None = UNSET


@strawberry.input
class ServiceConditionInput:
    service: str | None = UNSET
    status: list[HealthStatus] | None = strawberry.field(default_factory=lambda: [HealthStatus.UNHEALTHY])
    latency_ms: float | None = UNSET


@strawberry.input
class AnomalyConditionInput:
    metric: str
    sensitivity: float | None = 3.5
    window_sec: int | None = 900
    baseline_days: int | None = 28


@strawberry.input(one_of=True)
class RuleConditionInput:
    absence: AbsenceConditionInput | None = UNSET
    metric: MetricConditionInput | None = UNSET
    ratio: RatioConditionInput | None = UNSET
    spike: SpikeConditionInput | None = UNSET
    outside_hours: OutsideHoursConditionInput | None = UNSET
    service: ServiceConditionInput | None = UNSET
    anomaly: AnomalyConditionInput | None = UNSET


_READ: dict[str, type[domain.Condition]] = {
    "absence": domain.AbsenceCondition,
    "metric": domain.MetricCondition,
    "ratio": domain.RatioCondition,
    "spike": domain.SpikeCondition,
    "outside_hours": domain.OutsideHoursCondition,
    "service": domain.ServiceCondition,
    "anomaly": domain.AnomalyCondition,
}
_SHOWN: dict[type[domain.Condition], Any] = {
    domain.AbsenceCondition: AbsenceCondition,
    domain.MetricCondition: MetricCondition,
    domain.RatioCondition: RatioCondition,
    domain.SpikeCondition: SpikeCondition,
    domain.OutsideHoursCondition: OutsideHoursCondition,
    domain.ServiceCondition: ServiceCondition,
    domain.AnomalyCondition: AnomalyCondition,
}


def show_condition(condition: domain.Condition) -> RuleCondition:
    """The wire has the same fields under the same names."""
    kind = _SHOWN[type(condition)]
    shown: RuleCondition = kind(**{field.name: _unfrozen(getattr(condition, field.name)) for field in fields(kind)})
    return shown


def read_condition(written: RuleConditionInput) -> domain.Condition:
    """Null in a condition says no more than leaving out does."""
    match list(given(written).items()):
        case [(family, inner)] if inner is not None:
            return _READ[family](**{name: listed(value) for name, value in given(inner).items() if value is not None})
    raise bad_field("condition", "should have exactly one family")


def _unfrozen(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
