"""A backtest finds the alerts that were really made, at the ticks at which they were made."""

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from app.domain.rule import AbsenceCondition, Aggregation, Comparison, Condition, MetricCondition, NoDataPolicy, Rule
from tests.backtest.live import Said, begin, live_through, lived, replayed, times
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet

SECONDS = 240

waits = st.sampled_from([0, 0, 7, 15, 30])
absences = st.builds(AbsenceCondition, after_sec=st.sampled_from([None, 5, 12, 30]))
gauges = st.builds(
    MetricCondition,
    metric=st.just("cpuUsage"),
    comparison=st.just(Comparison.GT),
    threshold=st.just(90.0),
    recovery_threshold=st.sampled_from([None, 50.0]),
)
windows = st.builds(
    MetricCondition,
    metric=st.just("cpuUsage"),
    comparison=st.sampled_from([Comparison.GT, Comparison.LT]),
    threshold=st.sampled_from([3.0, 60.0]),
    aggregation=st.sampled_from([Aggregation.AVG, Aggregation.MAX, Aggregation.SUM, Aggregation.COUNT, Aggregation.P95]),
    window_sec=st.sampled_from([8, 20, 45]),
)


def rules_of(conditions: st.SearchStrategy[Condition]) -> st.SearchStrategy[Rule]:
    return st.builds(
        a_rule,
        conditions,
        for_sec=waits,
        keep_firing_sec=waits,
        cooldown_sec=waits,
        no_data=st.sampled_from(NoDataPolicy),
        auto_resolve=st.sampled_from([True, True, True, False]),
    )


beats = st.lists(
    st.builds(
        Said,
        at=st.integers(0, SECONDS),
        cpu=st.sampled_from([20.0, 60.0, 95.0, 95.0, None]),
        late=st.sampled_from([0, 0, 0, 31, 50]),
    ),
    max_size=60,
    # The same `sentAt` again is the same beat: it shows that the device is there, and is kept once.
    unique_by=(lambda beat: beat.at, lambda beat: beat.at - beat.late),
)


ABSENT = a_rule(AbsenceCondition())
HOT = MetricCondition(metric="cpuUsage", comparison=Comparison.GT, threshold=90.0)


@example(
    rules=(ABSENT, a_rule(HOT, no_data=NoDataPolicy.ALERT)), beats=[Said(at=3, cpu=None, late=0)], offline_after=6
)  # a device that never had the value is not missed
@pytest.mark.timeout(60)  # a history is lived through in many real looks
@settings(max_examples=8)
@given(
    rules=st.tuples(rules_of(absences), rules_of(gauges | windows)),
    beats=beats,
    offline_after=st.sampled_from([6, 20, 60]),
)
async def test_a_backtest_finds_what_was_lived_through(
    fleet: Fleet, rules: tuple[Rule, ...], beats: list[Said], offline_after: int
) -> None:
    named = [msgspec.structs.replace(rule, id=f"r-{place}", key=f"rule_{place}") for place, rule in enumerate(rules)]
    since = await begin(fleet, named, offline_after)
    await live_through(fleet, beats, SECONDS)
    told = {rule.key: await lived(fleet, rule, since) for rule in named}
    assert {rule.key: times(await replayed(fleet, rule, since)) for rule in named} == told
