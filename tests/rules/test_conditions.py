"""How the condition of each family has to be."""

import msgspec
import pytest

from app.context import Context
from app.domain.beat import HealthStatus
from app.domain.operational_event import EventKind
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    Comparison,
    Condition,
    OutsideHoursCondition,
    RatioCondition,
    RuleScope,
    ServiceCondition,
    SpikeCondition,
)
from app.domain.subject import SubjectKind
from app.domain.tenant import only
from app.errors import BadInputError
from app.rule_changes import create_rule
from tests.cast import owner
from tests.rules.world import hot, metric

RATIO = RatioCondition(event=EventKind.PAYMENT, threshold=0.1, window_sec=900)
SPIKE = SpikeCondition(event=EventKind.REFUND, factor=3)
HOURS = OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00")
SERVICE = ServiceCondition()
ANOMALY = AnomalyCondition(metric="cpuUsage")
NAN, INFINITE = float("nan"), float("inf")
change = msgspec.structs.replace

BAD: list[tuple[Condition, str]] = [
    (AbsenceCondition(after_sec=0), "absence.afterSec"),
    (AbsenceCondition(after_sec=604_801), "absence.afterSec"),
    (metric(metric=""), "metric.metric"),
    (metric(threshold=NAN, recovery_threshold=None), "metric.threshold"),
    (metric(threshold=INFINITE, recovery_threshold=None), "metric.threshold"),
    (metric(recovery_threshold=-INFINITE), "metric.recoveryThreshold"),
    (metric(recovery_threshold=70.5), "metric.recoveryThreshold"),
    (metric(comparison=Comparison.LT, recovery_threshold=69.5), "metric.recoveryThreshold"),
    (metric(comparison=Comparison.EQ), "metric.recoveryThreshold"),
    (metric(window_sec=-1), "metric.windowSec"),
    (metric(window_sec=60), "metric.windowSec"),
    (metric(aggregation=Aggregation.AVG), "metric.windowSec"),
    (metric(aggregation=Aggregation.AVG, window_sec=604_801), "metric.windowSec"),
    (change(RATIO, threshold=1.01), "ratio.threshold"),
    (change(RATIO, threshold=-0.1), "ratio.threshold"),
    (change(RATIO, threshold=NAN), "ratio.threshold"),
    (change(RATIO, recovery_threshold=0.2), "ratio.recoveryThreshold"),
    (change(RATIO, recovery_threshold=NAN), "ratio.recoveryThreshold"),
    (change(RATIO, window_sec=0), "ratio.windowSec"),
    (change(RATIO, window_sec=301), "ratio.windowSec"),
    (change(RATIO, window_sec=605_100), "ratio.windowSec"),
    (change(RATIO, min_samples=0), "ratio.minSamples"),
    (change(RATIO, subject=SubjectKind.SERVICE), "ratio.subject"),
    (change(RATIO, chance=0.0), "ratio.chance"),
    (change(RATIO, chance=NAN), "ratio.chance"),
    (change(SPIKE, chance=1.0), "spike.chance"),
    (change(SPIKE, factor=0.9), "spike.factor"),
    (change(SPIKE, factor=INFINITE), "spike.factor"),
    (change(SPIKE, window_sec=450), "spike.windowSec"),
    (change(SPIKE, baseline_days=0), "spike.baselineDays"),
    (change(SPIKE, baseline_days=29), "spike.baselineDays"),
    (change(SPIKE, min_count=0), "spike.minCount"),
    (change(SPIKE, subject=SubjectKind.GATEWAY), "spike.subject"),
    (change(HOURS, opens="9:00"), "outsideHours.opens"),
    (change(HOURS, opens="09:03"), "outsideHours.opens"),
    (change(HOURS, closes="24:00"), "outsideHours.closes"),
    (change(HOURS, closes="09:00"), "outsideHours.closes"),
    (change(HOURS, timezone="Vienna"), "outsideHours.timezone"),
    (change(HOURS, days=(0,)), "outsideHours.days"),
    (change(HOURS, days=(1, 8)), "outsideHours.days"),
    (change(HOURS, days=(1, 1)), "outsideHours.days"),
    (change(HOURS, min_count=0), "outsideHours.minCount"),
    (change(HOURS, subject=SubjectKind.VERSION), "outsideHours.subject"),
    (change(SERVICE, service=""), "service.service"),
    (change(SERVICE, status=()), "service.status"),
    (change(SERVICE, status=(HealthStatus.UNKNOWN, HealthStatus.UNKNOWN)), "service.status"),
    (change(SERVICE, latency_ms=0), "service.latencyMs"),
    (change(SERVICE, latency_ms=NAN), "service.latencyMs"),
    (change(ANOMALY, metric=""), "anomaly.metric"),
    (change(ANOMALY, sensitivity=0), "anomaly.sensitivity"),
    (change(ANOMALY, sensitivity=INFINITE), "anomaly.sensitivity"),
    (change(ANOMALY, window_sec=299), "anomaly.windowSec"),
    (change(ANOMALY, window_sec=21_601), "anomaly.windowSec"),
    (change(ANOMALY, baseline_days=6), "anomaly.baselineDays"),
    (change(ANOMALY, baseline_days=29), "anomaly.baselineDays"),
]
GOOD: list[Condition] = [
    AbsenceCondition(),
    AbsenceCondition(after_sec=1),
    metric(recovery_threshold=70),
    metric(comparison=Comparison.LTE, recovery_threshold=70),
    metric(comparison=Comparison.NEQ, recovery_threshold=None),
    metric(aggregation=Aggregation.P95, window_sec=604_800),
    RATIO,
    change(RATIO, threshold=1, recovery_threshold=1, window_sec=604_800, min_samples=1, subject=SubjectKind.STORE),
    change(RATIO, threshold=0, recovery_threshold=0, window_sec=300, subject=SubjectKind.TENANT),
    change(SPIKE, factor=1, baseline_days=28, min_count=1, subject=SubjectKind.DEVICE),
    change(HOURS, opens="18:05", closes="02:55", timezone="Europe/Vienna", days=(1, 7)),
    change(HOURS, closes="00:00", days=()),
    change(SERVICE, service="database", status=(HealthStatus.DEGRADED, HealthStatus.UNHEALTHY), latency_ms=0.5),
    change(ANOMALY, sensitivity=0.1, window_sec=300, baseline_days=7),
    change(ANOMALY, window_sec=21_600),
]


@pytest.mark.parametrize(("condition", "path"), BAD, ids=lambda one: one if isinstance(one, str) else None)
async def test_a_bad_condition_is_refused(context: Context, condition: Condition, path: str) -> None:
    with pytest.raises(BadInputError) as refused:
        await create_rule(context, owner, None, hot(condition=condition))
    assert {field.path for field in refused.value.fields} == {f"input.condition.{path}"}


@pytest.mark.parametrize("condition", GOOD)
async def test_a_good_condition_is_kept_as_it_is(context: Context, condition: Condition) -> None:
    rule = await create_rule(context, owner, None, hot(condition=condition))
    kept = await context.store.rules.get(only("acme"), rule.id)
    assert kept is not None
    assert kept.condition == condition


async def test_a_window_of_events_says_why_it_has_to_be_so(context: Context) -> None:
    with pytest.raises(BadInputError, match="multiple of 300 s, 300 to 604800, not 301: events are counted by five minutes"):
        await create_rule(context, owner, None, hot(condition=change(RATIO, window_sec=301)))


@pytest.mark.parametrize(
    ("condition", "scope", "bad"),
    [
        (SERVICE, {"device_ids": ("a",), "tags": ("b",), "kinds": ("c",)}, ["deviceIds", "kinds", "tags"]),
        (SERVICE, {"store_ids": ("a",)}, ["storeIds"]),
        (SERVICE, {"service_keys": ("a", "")}, ["serviceKeys[1]"]),
        (RATIO, {"service_keys": ("a",)}, ["serviceKeys"]),
        (AbsenceCondition(), {"service_keys": ("a",)}, ["serviceKeys"]),
        (change(SPIKE, subject=SubjectKind.STORE), {"tags": ("a",), "store_ids": ("b",)}, ["tags"]),
        (change(SPIKE, subject=SubjectKind.TENANT), {"store_ids": ("b",)}, ["storeIds"]),
        (change(SPIKE, subject=SubjectKind.DEVICE), {"store_ids": ("b",), "kinds": ("a",)}, []),
        (SERVICE, {"service_keys": ("a",)}, []),
    ],
)
async def test_a_scope_has_only_lists_that_can_match(
    context: Context, condition: Condition, scope: dict[str, tuple[str, ...]], bad: list[str]
) -> None:
    wanted = hot(condition=condition, scope=RuleScope(**scope))
    if not bad:
        assert (await create_rule(context, owner, None, wanted)).scope == wanted.scope
        return
    with pytest.raises(BadInputError) as refused:
        await create_rule(context, owner, None, wanted)
    assert [field.path for field in refused.value.fields] == [f"input.scope.{name}" for name in bad]
