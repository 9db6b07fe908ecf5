"""Gauges where rounding, units and the way back could mislead."""

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.metric import aggregate, observe_value, observe_window
from app.domain.rule import Aggregation, Comparison, MetricCondition
from tests.domain.making import NOON, at, cpu_over


def errors_over(threshold: float, aggregation: Aggregation) -> MetricCondition:
    return MetricCondition(
        metric="errorRate5m", comparison=Comparison.GT, threshold=threshold, aggregation=aggregation, window_sec=300
    )


@pytest.mark.parametrize("value", [0.05, 0.1, 0.03, 0.06])
@pytest.mark.parametrize("count", [1, 3, 6, 9, 11])
def test_equal_samples_that_meet_the_threshold_do_not_exceed_it(value: float, count: int) -> None:
    seen = observe_window(errors_over(value, Aggregation.AVG), [value] * count, NOON)
    assert seen is not None
    assert not seen.breach


@given(some.lists(some.floats(-1e9, 1e9), min_size=1, max_size=30))
def test_a_mean_lies_between_the_least_and_the_most(values: list[float]) -> None:
    assert min(values) <= aggregate(Aggregation.AVG, values) <= max(values)


def test_a_count_has_no_unit() -> None:
    seen = observe_window(cpu_over(3, aggregation=Aggregation.COUNT, window_sec=60), [50.0] * 5, at(0))
    assert seen is not None
    assert seen.reason == "count of CPU usage over 1 min 5, over 3"
    assert seen.unit is None


@pytest.mark.parametrize(
    ("value", "threshold", "reason"),
    [
        (90.001, 90, "CPU usage 90.001 %, over 90 %"),
        (90.5, 90, "CPU usage 90.5 %, over 90 %"),
        (1000.4, 1000, "CPU usage 1,000.4 %, over 1,000 %"),
        (123_456.7, 1000, "CPU usage 123,457 %, over 1,000 %"),
        (1e300, 1000, "CPU usage 1e+300 %, over 1,000 %"),
        (90, 90, "CPU usage 90 %, not over 90 %"),
    ],
)
def test_a_reason_never_shows_a_value_as_its_own_bound(value: float, threshold: float, reason: str) -> None:
    assert observe_value(cpu_over(threshold), value, NOON).reason == reason


@pytest.mark.parametrize(
    ("comparison", "recovery", "value", "breach", "good"),
    [
        (Comparison.GTE, 80, 90, True, False),
        (Comparison.GTE, 80, 80, False, False),
        (Comparison.GTE, 80, 79.9, False, True),
        (Comparison.LT, 95, 90, False, False),
        (Comparison.LT, 95, 95, False, True),
        (Comparison.LTE, 95, 95, False, False),
        (Comparison.LTE, 95, 95.1, False, True),
        (Comparison.EQ, None, 90, True, False),
        (Comparison.EQ, None, 89, False, True),
        (Comparison.NEQ, None, 90, False, True),
    ],
)
def test_the_way_back_begins_where_the_recovery_threshold_no_longer_compares(
    comparison: Comparison, recovery: float | None, value: float, breach: bool, good: bool
) -> None:
    condition = MetricCondition(metric="cpuUsage", comparison=comparison, threshold=90, recovery_threshold=recovery)
    seen = observe_value(condition, value, NOON)
    assert (seen.breach, seen.good) == (breach, good)
