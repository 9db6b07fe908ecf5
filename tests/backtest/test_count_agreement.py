"""A backtest over operational events finds the alerts that were really made."""

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from app.domain.operational_event import EventKind
from app.domain.rule import CountCondition, OutsideHoursCondition, RatioCondition, Rule, SpikeCondition
from app.domain.subject import SubjectKind
from tests.backtest.live import Sold, begin, lived, replayed, sell_through, times
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet

SECONDS = 7_200
SALE = EventKind.SALE

FIRST = Sold(0, 1, 0, "north", late=4_000)
"""With it the counting begins: when that was is not asked of the past, but of the present."""

waits = st.sampled_from([0, 0, 90, 400])
counted_for = st.sampled_from([None, SubjectKind.DEVICE, SubjectKind.STORE, SubjectKind.TENANT])
ratios = st.builds(
    RatioCondition,
    event=st.just(SALE),
    threshold=st.just(0.4),
    recovery_threshold=st.sampled_from([None, 0.2]),
    window_sec=st.sampled_from([300, 900, 1000]),
    min_samples=st.sampled_from([1, 4]),
    subject=counted_for,
)
spikes = st.builds(
    SpikeCondition,
    event=st.just(SALE),
    factor=st.just(2.0),
    window_sec=st.sampled_from([300, 600]),
    baseline_days=st.sampled_from([1, 7]),
    min_count=st.sampled_from([3, 6]),
    subject=counted_for,
)
hours = st.builds(
    OutsideHoursCondition,
    event=st.just(SALE),
    opens=st.just("07:00"),
    closes=st.sampled_from(["07:30", "22:00"]),
    min_count=st.sampled_from([1, 3]),
    subject=counted_for,
)


def rules_of(conditions: st.SearchStrategy[CountCondition]) -> st.SearchStrategy[Rule]:
    return st.builds(a_rule, conditions, for_sec=waits, keep_firing_sec=waits, cooldown_sec=waits)


sales = st.lists(
    st.builds(
        Sold,
        at=st.integers(0, SECONDS),
        good=st.sampled_from([0, 1, 5, 20]),
        bad=st.sampled_from([0, 1, 5]),
        store=st.sampled_from(["north", "south", None]),
        late=st.sampled_from([0, 0, 0, 400, 3000]),
    ),
    min_size=8,
    max_size=50,
)


@pytest.mark.timeout(120)  # a history is lived through in many real looks
@settings(max_examples=6)
@given(rules=st.tuples(rules_of(ratios), rules_of(spikes), rules_of(hours)), sales=sales)
async def test_a_backtest_finds_what_was_counted(shops: Fleet, rules: tuple[Rule, ...], sales: list[Sold]) -> None:
    named = [msgspec.structs.replace(rule, id=f"r-{place}", key=f"rule_{place}") for place, rule in enumerate(rules)]
    since = await begin(shops, named, 120)
    await sell_through(shops, [FIRST, *sales], SECONDS)
    told = {rule.key: sorted(await lived(shops, rule, since), key=str) for rule in named}
    assert {rule.key: sorted(times(await replayed(shops, rule, since)), key=str) for rule in named} == told
