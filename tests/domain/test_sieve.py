"""The sieve lets nothing be missed: whatever a rule would call a breach passes it."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.domain.beat import METRIC_FIELDS
from app.domain.conditions.metric import observe_window
from app.domain.rule import Aggregation, Comparison, MetricCondition, NoDataPolicy, Rule
from app.domain.sieve import Sieve
from tests.domain.making import a_rule, cpu_over

NAMES = (*METRIC_FIELDS, "queue", "odd.name")
values = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False, allow_infinity=False))
conditions = st.builds(
    MetricCondition,
    metric=st.sampled_from(NAMES),
    comparison=st.sampled_from(list(Comparison)),
    threshold=st.integers(-3, 3).map(float),
    aggregation=st.sampled_from([one for one in Aggregation if one is not Aggregation.SUM]),
    window_sec=st.just(60),
)


def reading(gauges: dict[str, float]) -> dict[str, Any]:
    known = {METRIC_FIELDS[name]: value for name, value in gauges.items() if name in METRIC_FIELDS}
    named = [{"name": name, "value": value} for name, value in gauges.items() if name not in METRIC_FIELDS]
    return {**known, "metrics": named}


@given(st.lists(conditions, max_size=5), st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=4), max_size=6))
def test_a_window_without_a_reading_that_passes_is_no_breach_of_any_rule(
    chosen: list[MetricCondition], window: list[dict[str, float]]
) -> None:
    rules = [a_rule(condition, key=f"r-{place}") for place, condition in enumerate(chosen)]
    if any(Sieve(rules).passes(reading(one)) for one in window):
        return
    for condition in chosen:
        inside = [one[condition.metric] for one in window if condition.metric in one]
        if not inside:
            continue
        seen = observe_window(condition, inside, a_rule().created_at)
        assert seen is not None
        assert not seen.breach


@pytest.mark.parametrize(("cpu", "passes"), [(89.9, False), (90, True), (95, True)])
def test_a_reading_at_the_threshold_passes_and_is_judged_in_full(cpu: float, passes: bool) -> None:
    assert Sieve([a_rule(cpu_over(90)), a_rule(cpu_over(95))]).passes({"cpu_usage": cpu}) is passes


def test_a_rule_that_is_off_lets_nothing_through() -> None:
    assert not Sieve([a_rule(cpu_over(1), enabled=False)]).passes({"cpu_usage": 99})


def test_a_gauge_that_is_not_there_is_no_reason() -> None:
    assert not Sieve([a_rule(cpu_over(1))]).passes({"cpu_usage": None, "disk_usage": 99})


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(cpu_over(90, aggregation=Aggregation.COUNT, window_sec=60)),
        a_rule(cpu_over(90, aggregation=Aggregation.SUM, window_sec=60)),
        a_rule(cpu_over(90), no_data=NoDataPolicy.ALERT),
    ],
)
def test_sums_counts_and_rules_that_mind_silence_want_to_see_everything(rule: Rule) -> None:
    assert Sieve([rule]).passes({"cpu_usage": 1})
