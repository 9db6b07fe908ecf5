"""Gauges against thresholds."""

import math

import pytest
from hypothesis import given, strategies as some

from app.domain.beat import Metric
from app.domain.conditions.metric import aggregate, observe_beat, observe_value, observe_window
from app.domain.rule import Aggregation, Comparison, MetricCondition
from tests.domain.making import a_beat, at, cpu_over


@pytest.mark.parametrize(
    ("comparison", "value", "breach"),
    [
        (Comparison.GT, 90.0, False),  # met exactly is not over
        (Comparison.GT, 90.1, True),
        (Comparison.GTE, 90.0, True),
        (Comparison.LT, 90.0, False),
        (Comparison.LTE, 90.0, True),
        (Comparison.EQ, 90.0, True),
        (Comparison.NEQ, 90.0, False),
    ],
)
def test_the_threshold_met_exactly(comparison: Comparison, value: float, breach: bool) -> None:
    seen = observe_value(MetricCondition(metric="cpuUsage", comparison=comparison, threshold=90), value, at(0))
    assert seen.breach is breach


def test_between_recovery_and_threshold_it_is_neither_bad_nor_good() -> None:
    condition = cpu_over(90, recovery_threshold=80)
    seen = [observe_value(condition, value, at(0)) for value in (91, 85, 80)]
    assert [(one.breach, one.good) for one in seen] == [(True, False), (False, False), (False, True)]


def test_the_reason_names_value_and_bound() -> None:
    assert observe_value(cpu_over(90), 93.4, at(0)).reason == "CPU usage 93.4 %, over 90 %"
    assert observe_value(cpu_over(90, recovery_threshold=80), 70, at(0)).reason == "CPU usage 70 %, not over 80 %"
    window = cpu_over(90, aggregation=Aggregation.AVG, window_sec=300)
    assert observe_value(window, 95, at(0)).reason == "avg of CPU usage over 5 min 95 %, over 90 %"


def test_a_beat_without_the_gauge_says_nothing() -> None:
    assert observe_beat(cpu_over(90), a_beat(0)) is None


def test_any_further_gauge_of_a_beat_can_be_watched() -> None:
    condition = MetricCondition(metric="paperLeft", comparison=Comparison.LT, threshold=10)
    seen = observe_beat(condition, a_beat(0, metrics=(Metric("paperLeft", 4.0),)))
    assert seen is not None
    assert seen.breach


def test_an_empty_window_says_nothing_but_a_count_of_nothing_is_zero() -> None:
    assert observe_window(cpu_over(90, aggregation=Aggregation.AVG, window_sec=60), [], at(0)) is None
    counting = MetricCondition(
        metric="cpuUsage", comparison=Comparison.LT, threshold=1, aggregation=Aggregation.COUNT, window_sec=60
    )
    seen = observe_window(counting, [], at(0))
    assert seen is not None
    assert seen.breach


@pytest.mark.parametrize("aggregation", [Aggregation.P50, Aggregation.P95, Aggregation.P99, Aggregation.AVG, Aggregation.MAX])
def test_one_sample_is_its_own_aggregate(aggregation: Aggregation) -> None:
    assert aggregate(aggregation, [7.0]) == 7.0


@given(some.lists(some.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_a_percentile_is_a_sample_that_enough_do_not_exceed(values: list[float]) -> None:
    for aggregation, percent in ((Aggregation.P50, 50), (Aggregation.P95, 95), (Aggregation.P99, 99)):
        found = aggregate(aggregation, values)
        assert found in values
        assert sum(value <= found for value in values) >= math.ceil(percent * len(values) / 100)
