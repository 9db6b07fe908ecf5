"""More events than usual: what the window is held against, and when that is a spike."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.incidents import Incident
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.spike import baseline_spans, observe_spike
from app.domain.counts import BUCKET, Tally, bucket_start, in_window
from app.domain.operational_event import EventKind
from app.domain.rule import SpikeCondition
from tests.conditions.making import bucket, minutes
from tests.domain.making import NOON

ZONE = ZoneInfo("Europe/Berlin")
NOW = minutes(2)
LONG_AGO = NOON - timedelta(days=60)
DAY = 24 * 60


def a_spike(factor: float = 3, **fields: Any) -> SpikeCondition:
    return SpikeCondition(**{"event": EventKind.REFUND, "factor": factor, **fields})


def days_of(*counts: int) -> dict[datetime, Tally]:
    """Events at this hour: today, yesterday, and so on."""
    found: dict[datetime, Tally] = {}
    for day, count in enumerate(counts):
        found |= bucket(-day * DAY - 30, count)
    return found


def hourly(count: int) -> dict[datetime, Tally]:
    """So many events in each window of the last day before the present one."""
    return {bucket_start(NOW - timedelta(minutes=65 * step + 30)): Tally(count) for step in range(1, 22)}


def look(
    condition: SpikeCondition,
    buckets: dict[datetime, Tally],
    *,
    now: datetime = NOW,
    incidents: Sequence[Incident] = (),
    known_from: datetime | None = LONG_AGO,
) -> Observation | Nothing:
    return observe_spike(condition, buckets, now, ZONE, incidents, known_from)


def seen(condition: SpikeCondition, buckets: dict[datetime, Tally], **more: Any) -> Observation:
    found = look(condition, buckets, **more)
    assert isinstance(found, Observation)
    return found


@pytest.mark.parametrize(("count", "breach"), [(0, False), (11, False), (12, False), (13, True), (500, True)])
def test_only_more_than_factor_times_the_median_is_a_spike(count: int, breach: bool) -> None:
    found = seen(a_spike(), days_of(count, 4, 4, 4, 4, 4, 4, 4))
    assert (found.breach, found.good) == (breach, not breach)
    assert (found.value, found.threshold, found.unit) == (count, 12, None)


@pytest.mark.parametrize(("count", "breach"), [(4, False), (5, True), (6, True)])
def test_a_spike_needs_its_least_count_exactly(count: int, breach: bool) -> None:
    assert seen(a_spike(), days_of(count, *[1] * 7)).breach is breach


@pytest.mark.parametrize(("factor", "usual", "count"), [(1.15, 100, 115), (1.1, 10, 11), (2.3, 100, 230), (1.005, 1000, 1005)])
def test_a_bound_met_exactly_is_never_rounded_under_the_count(factor: float, usual: int, count: int) -> None:
    assert not seen(a_spike(factor), days_of(count, *[usual] * 7)).breach
    assert seen(a_spike(factor), days_of(count + 1, *[usual] * 7)).breach


@pytest.mark.parametrize(
    ("history", "usual"),
    [
        ((4, 4, 4, 4, 4, 4, 4), 4),
        ((1, 2, 3, 4, 5, 6, 7), 4),
        ((0, 0, 0, 0, 9, 9, 9), 0),
        ((1000, 4, 4, 4, 4, 4, 4), 4),  # one bad day moves nothing
    ],
)
def test_usual_is_the_median_of_the_same_time_of_day(history: tuple[int, ...], usual: int) -> None:
    assert seen(a_spike(2), days_of(10, *history)).threshold == 2 * usual


def test_an_even_number_of_like_windows_has_its_median_between_two() -> None:
    assert seen(a_spike(2, baseline_days=4), days_of(10, 1, 2, 5, 9)).threshold == 7


def test_both_outcomes_count() -> None:
    assert seen(a_spike(), days_of(0, *[1] * 7) | bucket(-30, 3, 4)).value == 7


@pytest.mark.parametrize(
    ("buckets", "fields", "reason"),
    [
        (days_of(41, *[4] * 7), {}, "41 refunds in 60 min, over 12 (3 times the usual 4)"),
        (days_of(9, *[4] * 7), {}, "9 refunds in 60 min, not over 12 (3 times the usual 4)"),
        (days_of(1, *[4] * 7), {}, "1 refund in 60 min, fewer than the 5 that a spike needs"),
        (days_of(7), {}, "7 refunds in 60 min, where none are usual: over 0, and at least 5 decide"),
        (days_of(8, 2, 3, 3, 2), {"factor": 1.5, "baseline_days": 4}, "8 refunds in 60 min, over 3.75 (1.5 times the usual 2.5)"),
    ],
)
def test_the_reason_names_count_bound_and_window(buckets: dict[datetime, Tally], fields: dict[str, Any], reason: str) -> None:
    assert seen(a_spike(**fields), buckets).reason == reason


def test_where_none_are_usual_the_least_count_decides() -> None:
    assert [seen(a_spike(), days_of(count)).breach for count in (4, 5)] == [False, True]
    assert seen(a_spike(), days_of(5)).threshold == 0


def test_without_any_like_window_there_is_nothing_to_compare_with() -> None:
    found = look(a_spike(), days_of(50), known_from=None)
    assert found == Nothing(reason="50 refunds in 60 min, and no like window to compare with", look_again=minutes(5))


def test_without_any_like_window_too_few_events_are_still_no_spike() -> None:
    found = seen(a_spike(), days_of(4), known_from=None)
    assert (found.breach, found.good, found.threshold) == (False, True, None)


def test_an_empty_window_is_good_until_there_is_news() -> None:
    found = seen(a_spike(), days_of(0, *[4] * 7))
    assert found.good
    assert found.look_again is None


def test_a_window_that_holds_anything_is_looked_at_when_it_moves() -> None:
    assert seen(a_spike(), days_of(1)).look_again == minutes(5)


@pytest.mark.parametrize(("begun", "judged"), [(0, True), (1, False)])
def test_a_like_window_from_before_the_first_known_bucket_is_none(begun: int, judged: bool) -> None:
    yesterday = NOW - timedelta(days=2)
    condition = a_spike(baseline_days=1, window_sec=86_400)
    found = look(condition, bucket(0, 9), known_from=yesterday + timedelta(seconds=begun))
    assert isinstance(found, Observation) is judged


def test_a_short_history_is_joined_by_the_windows_of_the_last_day() -> None:
    found = seen(a_spike(2), days_of(13) | hourly(6), known_from=NOW - timedelta(days=1))
    assert found.threshold == 12
    assert found.breach


def test_three_days_are_history_enough() -> None:
    three = NOW - timedelta(days=3, hours=1)
    buckets = hourly(100) | days_of(13, 6, 6, 6)
    assert seen(a_spike(2), buckets, known_from=three).threshold == 12
    assert seen(a_spike(2), buckets, known_from=three + timedelta(seconds=1)).threshold == 200


def test_a_rule_that_asks_for_one_day_is_held_against_that_day_alone() -> None:
    assert seen(a_spike(2, baseline_days=1), hourly(100) | days_of(13, 6)).threshold == 12


@pytest.mark.parametrize(
    ("begun", "over", "left_out"),
    [
        (-90, -70, False),
        (-90, -60, False),  # it ends where the first bucket begins
        (-90, -59.9, True),
        (-30, -20, True),
        (4.9, 20, True),
        (5, 20, False),  # it begins where the last bucket ends
        (-600, None, True),
        (-600, 600, True),
    ],
)
def test_a_like_window_that_overlaps_an_incident_is_left_out(begun: float, over: float | None, left_out: bool) -> None:
    yesterday = timedelta(days=1)
    incident = (minutes(begun) - yesterday, None if over is None else minutes(over) - yesterday)
    found = look(
        a_spike(baseline_days=1, window_sec=3600), days_of(10, 5), incidents=[incident], known_from=NOW - 1.5 * yesterday
    )
    usual = found.threshold if isinstance(found, Observation) else None
    assert (usual != 15) is left_out


def test_with_every_like_window_in_an_incident_there_is_nothing_to_compare_with() -> None:
    found = look(a_spike(), days_of(10, *[4] * 7), incidents=[(LONG_AGO, None)])
    assert isinstance(found, Nothing)


@pytest.mark.parametrize(
    ("now", "days", "expected"),
    [
        # Berlin: 12:00 is 11:00 UTC in winter and 10:00 UTC in summer.
        (datetime(2026, 3, 29, 10, 0, tzinfo=UTC), 1, datetime(2026, 3, 28, 11, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 11, 0, tzinfo=UTC), 1, datetime(2026, 10, 24, 10, 0, tzinfo=UTC)),
        (datetime(2026, 4, 2, 10, 0, tzinfo=UTC), 7, datetime(2026, 3, 26, 11, 0, tzinfo=UTC)),
        # 02:30 was left out on the 29th, and came twice on the 25th of October.
        (datetime(2026, 3, 30, 0, 30, tzinfo=UTC), 1, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (datetime(2026, 10, 26, 1, 30, tzinfo=UTC), 1, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 1, datetime(2026, 10, 24, 0, 30, tzinfo=UTC)),
    ],
)
def test_like_windows_end_at_the_same_wall_time_across_changes_of_the_clock(now: datetime, days: int, expected: datetime) -> None:
    ends = [end for _, end in baseline_spans(a_spike(baseline_days=days), now, ZONE)]
    assert ends[-1] == expected


def test_a_window_longer_than_a_day_is_not_held_against_itself() -> None:
    spans = baseline_spans(a_spike(window_sec=3 * 86_400, baseline_days=7), NOW, ZONE)
    assert [end for _, end in spans] == [NOW - timedelta(days=day) for day in (3, 4, 5, 6, 7)]


@given(
    offset=some.integers(0, 365 * 86_400),
    window=some.integers(1, 86_400),
    days=some.integers(1, 14),
    zone=some.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_every_like_window_is_as_long_as_the_present_one_and_before_it(offset: int, window: int, days: int, zone: str) -> None:
    now = NOON + timedelta(seconds=offset)
    spans = baseline_spans(a_spike(window_sec=window, baseline_days=days), now, ZoneInfo(zone))
    for start, end in spans:
        assert end - start == timedelta(seconds=window)
        assert end <= now - timedelta(seconds=window)
        # Zones are whole five minutes apart, so like windows hold the same number of buckets.
        assert bucket_start(end) - bucket_start(start) == bucket_start(now) - bucket_start(now - timedelta(seconds=window))


@given(offset=some.integers(0, 86_400), window=some.integers(1, 43_000))
def test_no_bucket_counts_in_two_windows_of_the_last_day(offset: int, window: int) -> None:
    now = NOON + timedelta(seconds=offset)
    spans = [(now - timedelta(seconds=window), now)]
    spans += baseline_spans(a_spike(window_sec=window, baseline_days=1), now, ZoneInfo("UTC"))[:-1]
    for (later, _), (_, earlier) in pairwise(spans):
        assert bucket_start(later) == bucket_start(earlier) + BUCKET
    assert spans[-1][0] >= now - timedelta(days=1)


@given(
    counts=some.lists(some.integers(0, 60), min_size=8, max_size=8),
    factor=some.sampled_from([1.0, 1.15, 2.0, 2.5, 3.3]),
    least=some.integers(1, 20),
    scale=some.integers(1, 50),
)
def test_ten_times_the_events_everywhere_change_nothing(counts: list[int], factor: float, least: int, scale: int) -> None:
    small = seen(a_spike(factor, min_count=least), days_of(*counts))
    large = seen(a_spike(factor, min_count=least * scale), days_of(*[count * scale for count in counts]))
    assert (small.breach, small.good) == (large.breach, large.good)


@given(some.lists(some.integers(0, 60), min_size=8, max_size=8), some.randoms(use_true_random=False))
def test_the_order_of_the_days_does_not_matter(counts: list[int], random: Any) -> None:
    today, history = counts[0], counts[1:]
    shuffled = random.sample(history, len(history))
    assert look(a_spike(), days_of(today, *history)) == look(a_spike(), days_of(today, *shuffled))


@given(some.dictionaries(some.integers(-40, 5), some.integers(1, 9), max_size=30), some.integers(0, 299), some.integers(1, 9_000))
def test_a_spike_counts_what_any_window_counts(at: dict[int, int], second: int, window: int) -> None:
    buckets = {NOON + place * BUCKET: Tally(count) for place, count in at.items()}
    now = NOON + timedelta(seconds=second)
    found = look(a_spike(window_sec=window, min_count=1_000), buckets, now=now)
    assert isinstance(found, Observation)
    assert found.value == in_window(buckets, now, window).total


@pytest.mark.parametrize(("count", "breach"), [(5, False), (9, False), (13, True), (40, True)])
def test_with_a_chance_a_spike_has_to_be_more_than_its_like_windows_bring_by_themselves(count: int, breach: bool) -> None:
    found = seen(a_spike(chance=1e-5), days_of(count, *[1] * 7))
    assert (found.breach, found.good) == (breach, not breach)
    assert found.reason.endswith("(3 times the usual 1)" if breach else "(3 times the usual 1); it may be chance")
