"""Gauges far from what is usual at this hour of the week."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, strategies as some

from app.domain.conditions.anomaly import (
    FLOOR,
    Point,
    Sample,
    judged_until,
    like_hours,
    observe_anomaly,
    observe_buckets,
    sample_of,
    usual_at,
    usual_of,
    without_incidents,
)
from app.domain.conditions.observation import Nothing, Observation
from app.domain.counts import BUCKET
from app.domain.rule import AnomalyCondition
from tests.conditions.making import minutes
from tests.domain.making import NOON

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = minutes(7)
TEN = [30.0, 34.0, 36.0, 38.0, 40.0, 40.0, 42.0, 44.0, 46.0, 50.0]
"""Middle 40; half of them within 4."""


def an_anomaly(sensitivity: float = 3.5, **fields: Any) -> AnomalyCondition:
    return AnomalyCondition(**{"metric": "cpuUsage", "sensitivity": sensitivity, **fields})


def baseline(values: Sequence[float], weeks: int = 4) -> list[Point]:
    """The values over and over, at this hour of so many weeks."""
    starts = like_hours(NOW, UTC_ZONE, 7 * weeks)
    return [Point(start, values[place % len(values)]) for place, start in enumerate(starts)]


def look(
    short: float, long: float | None = None, values: Sequence[float] = TEN, *, weeks: int = 4, sensitivity: float = 3.5
) -> Observation | Nothing:
    longer = Sample(60, short if long is None else long)
    points = baseline(values, weeks)[: 12 * weeks]
    return observe_anomaly(an_anomaly(sensitivity), Sample(15, short), longer, points, NOW, UTC_ZONE)


def seen(short: float, long: float | None = None, values: Sequence[float] = TEN, **more: Any) -> Observation:
    found = look(short, long, values, **more)
    assert isinstance(found, Observation)
    return found


def sigma(values: Sequence[float] = TEN) -> float:
    return usual_at(baseline(values), UTC_ZONE).sigma


def test_the_spread_is_the_median_absolute_deviation_over_0_6745() -> None:
    usual = usual_of([1.0, 2.0, 4.0, 7.0, 100.0])
    assert usual.middle == 4.0
    assert usual.sigma == pytest.approx(3 / 0.6745)
    assert usual.score(100.0) == pytest.approx(0.6745 * 96 / 3)


def test_where_most_values_are_equal_the_mean_deviation_takes_over() -> None:
    usual = usual_of([4.0, 4.0, 4.0, 9.0])
    assert usual.sigma == pytest.approx(1.253314 * 5 / 4)


def test_a_gauge_that_never_moved_has_a_spread_by_its_size() -> None:
    assert usual_of([200.0] * 20).sigma == FLOOR * 200
    assert usual_of([-200.0] * 20).sigma == FLOOR * 200


@pytest.mark.parametrize(("steps", "breach"), [(0.0, False), (3.4, False), (3.6, True), (-3.4, False), (-3.6, True)])
def test_both_sides_count_from_the_sensitivity_on(steps: float, breach: bool) -> None:
    assert seen(40 + steps * sigma()).breach is breach


def test_a_score_that_meets_the_sensitivity_exactly_is_not_over_it() -> None:
    # A gauge of 200 that never moved has a spread of 1, to the last bit.
    assert not seen(202, values=[200.0], sensitivity=2).breach
    assert not seen(198, values=[200.0], sensitivity=2).breach
    assert seen(202.001, values=[200.0], sensitivity=2).breach


@pytest.mark.parametrize(
    ("short", "long", "breach", "good"),
    [
        (90.0, 90.0, True, False),
        (90.0, 45.0, False, False),  # a short burst
        (45.0, 90.0, False, True),  # over already
        (90.0, -10.0, False, False),  # on different sides
        (-10.0, 90.0, False, False),
        (-10.0, -10.0, True, False),
        (40.0, 40.0, False, True),
    ],
)
def test_the_short_and_the_long_horizon_must_agree(short: float, long: float, breach: bool, good: bool) -> None:
    found = seen(short, long)
    assert (found.breach, found.good) == (breach, good)


@pytest.mark.parametrize(
    ("steps", "good"), [(0.0, True), (2.44, True), (2.46, False), (3.4, False), (-2.44, True), (-2.46, False)]
)
def test_it_is_good_again_well_within_the_sensitivity(steps: float, good: bool) -> None:
    found = seen(40 + steps * sigma())
    assert (found.breach, found.good) == (False, good)


@pytest.mark.parametrize("values", [[40.0], [40.0] * 47 + [40.0001]])
@pytest.mark.parametrize("change", [1e-12, 0.01, 0.5, -0.5])
def test_a_gauge_that_hardly_moves_does_not_alarm_over_a_hairs_breadth(values: list[float], change: float) -> None:
    assert not seen(40 + change, values=values).breach


def test_a_gauge_that_never_moved_alarms_once_it_moves_for_real() -> None:
    assert seen(60.0, values=[40.0]).breach


def test_a_gauge_that_was_always_0_gives_no_measure_of_a_change() -> None:
    found = look(0.1, values=[0.0])
    assert found == Nothing(reason="CPU usage was always 0 at this hour: no measure of a change", look_again=minutes(10))
    assert seen(0.0, values=[0.0]).good


@pytest.mark.parametrize(
    ("points", "judged"),
    [
        ([], False),
        (baseline(TEN)[:1], False),
        (baseline(TEN)[:12], False),  # enough, but all of one week
        (baseline(TEN)[1:12], False),
        (baseline(TEN)[2:13], False),
        (baseline(TEN)[1:13], True),  # exactly enough, of two weeks
        (baseline(TEN), True),
    ],
)
def test_a_rule_learns_until_it_has_points_enough_of_two_weeks(points: list[Point], judged: bool) -> None:
    found = observe_anomaly(an_anomaly(), Sample(15, 90), Sample(60, 90), points, NOW, UTC_ZONE)
    assert isinstance(found, Observation) is judged


def test_while_it_learns_it_says_how_far_it_is() -> None:
    found = observe_anomaly(an_anomaly(), Sample(15, 90), Sample(60, 90), baseline(TEN)[:9], NOW, UTC_ZONE)
    assert found == Nothing(
        reason="still learning what CPU usage usually is: 9 of 12 five minutes at this hour, of 1 of 2 weeks",
        look_again=minutes(10),
    )


def test_without_values_there_is_nothing_to_judge() -> None:
    found = observe_anomaly(an_anomaly(), Sample(), Sample(3, 40), baseline(TEN), NOW, UTC_ZONE)
    assert found == Nothing(reason="no CPU usage in 15 min", look_again=None)


def test_one_value_is_a_sample_and_none_is_an_empty_one() -> None:
    assert sample_of([7.0]) == Sample(1, 7.0)
    assert sample_of([]) == Sample(0, 0.0)
    assert isinstance(observe_anomaly(an_anomaly(), Sample(1, 40), Sample(1, 40), baseline(TEN), NOW, UTC_ZONE), Observation)


@pytest.mark.parametrize(
    ("short", "long", "reason"),
    [
        (92, 80, "CPU usage 92 %, usually 30 to 46 % on Mondays at 12 h (score 8.7, over 3.5; over 60 min 6.7)"),
        (92, 41, "CPU usage 92 %, usually 30 to 46 % on Mondays at 12 h (score 8.7, over 3.5; but over 60 min 0.17)"),
        (2, 2, "CPU usage 2 %, usually 30 to 46 % on Mondays at 12 h (score -6.4, under -3.5; over 60 min -6.4)"),
        (43, 43, "CPU usage 43 %, usually 30 to 46 % on Mondays at 12 h (score 0.5, not over 3.5)"),
        (37, 37, "CPU usage 37 %, usually 30 to 46 % on Mondays at 12 h (score -0.5, not under -3.5)"),
    ],
)
def test_the_reason_names_value_range_hour_and_scores(short: float, long: float, reason: str) -> None:
    assert seen(short, long).reason == reason


def test_the_reason_names_the_hour_of_the_subjects_zone() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    points = [Point(start, TEN[place % 10]) for place, start in enumerate(like_hours(late, BERLIN, 28))]
    found = observe_anomaly(an_anomaly(), Sample(1, 40), Sample(1, 40), points, late, BERLIN)
    assert "on Mondays at 0 h" in found.reason


@pytest.mark.parametrize(("short", "side"), [(90.0, 1), (-10.0, -1)])
def test_the_threshold_is_the_bound_on_the_side_of_the_value(short: float, side: int) -> None:
    found = seen(short)
    assert found.threshold == pytest.approx(40 + side * 3.5 * sigma())
    assert (found.value, found.unit, found.look_again) == (short, "%", minutes(10))


def test_like_hours_are_the_same_hour_of_the_week_without_the_last_day() -> None:
    starts = like_hours(NOW, UTC_ZONE, 28)
    assert len(starts) == 48
    assert starts[0] == NOON - timedelta(days=7)
    assert max(starts) == NOON - timedelta(days=7) + timedelta(minutes=55)
    assert min(starts) == NOON - timedelta(days=28)


@pytest.mark.parametrize(("days", "count"), [(1, 0), (6, 0), (7, 12), (13, 12), (14, 24), (28, 48)])
def test_only_whole_weeks_of_the_baseline_have_the_hour(days: int, count: int) -> None:
    assert len(like_hours(NOW, UTC_ZONE, days)) == count


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2026, 3, 30, 10, 20, tzinfo=UTC), datetime(2026, 3, 23, 11, tzinfo=UTC)),
        (datetime(2026, 10, 26, 11, 20, tzinfo=UTC), datetime(2026, 10, 19, 10, tzinfo=UTC)),
    ],
)
def test_like_hours_keep_the_wall_time_across_changes_of_the_clock(now: datetime, first: datetime) -> None:
    assert like_hours(now, BERLIN, 7)[0] == first


def test_an_hour_that_the_clocks_left_out_a_week_ago_has_no_buckets() -> None:
    assert like_hours(datetime(2026, 4, 5, 0, 30, tzinfo=UTC), BERLIN, 7) == []


@given(
    offset=some.integers(0, 365 * 86_400),
    days=some.integers(1, 56),
    zone=some.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_like_hours_are_all_at_this_hour_of_the_week(offset: int, days: int, zone: str) -> None:
    now = NOON + timedelta(seconds=offset)
    local = now.astimezone(ZoneInfo(zone))
    starts = like_hours(now, ZoneInfo(zone), days)
    assert len(starts) == len(set(starts))
    for start in starts:
        then = start.astimezone(ZoneInfo(zone))
        assert (then.weekday(), then.hour) == (local.weekday(), local.hour)
        assert start + BUCKET <= now - timedelta(days=1)
        assert (local.date() - then.date()).days <= days


@pytest.mark.parametrize(
    ("begun", "over", "left"),
    [(-10, 0, True), (-10, 0.1, False), (0, 5, False), (4.9, None, False), (5, None, True), (1, 2, False)],
)
def test_points_of_incidents_are_left_out(begun: float, over: float | None, left: bool) -> None:
    point = Point(NOON, 40.0)
    incident = (minutes(begun), None if over is None else minutes(over))
    assert without_incidents([point], [incident]) == ([point] if left else [])
    assert without_incidents([point], []) == [point]


whole = some.integers(-1_000, 1_000).map(float)
weeks_of_values = some.lists(whole, min_size=1, max_size=48)


@given(values=weeks_of_values, short=whole, long=whole, scale=some.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_changes_nothing(values: list[float], short: float, long: float, scale: float) -> None:
    one = look(short, long, values)
    other = look(short * scale, long * scale, [value * scale for value in values])
    assert judgement(one) == judgement(other)


@given(values=weeks_of_values, short=whole, long=whole, shift=some.integers(-100, 100))
def test_another_zero_changes_nothing_where_the_gauge_moves(values: list[float], short: float, long: float, shift: int) -> None:
    usual = usual_of([point.value for point in baseline(values)])
    assume(usual.sigma > FLOOR * (abs(usual.middle) + 100))
    one, other = look(short, long, values), look(short + shift, long + shift, [value + shift for value in values])
    assert judgement(one) == judgement(other)


@given(values=weeks_of_values, short=whole, long=whole)
def test_up_and_down_are_alike(values: list[float], short: float, long: float) -> None:
    assert judgement(look(short, long, values)) == judgement(look(-short, -long, [-value for value in values]))


@given(values=some.lists(whole, min_size=1, max_size=30), times=some.integers(1, 4))
def test_the_same_points_once_more_change_nothing(values: list[float], times: int) -> None:
    once, often = usual_of(values), usual_of(values * times)
    assert (once.middle, once.low, once.high) == (often.middle, often.low, often.high)
    assert once.sigma == pytest.approx(often.sigma)


@given(values=weeks_of_values, short=whole, long=whole)
def test_nothing_is_both_bad_and_good(values: list[float], short: float, long: float) -> None:
    found = look(short, long, values)
    if isinstance(found, Observation):
        assert not (found.breach and found.good)


@given(values=weeks_of_values, short=whole, further=some.integers(0, 1_000))
def test_further_away_is_never_better(values: list[float], short: float, further: int) -> None:
    middle = usual_of([point.value for point in baseline(values)]).middle
    beyond = short + further if short >= middle else short - further
    near, far = look(short, short, values), look(beyond, beyond, values)
    if isinstance(near, Observation) and isinstance(far, Observation):
        assert near.breach <= far.breach
        assert near.good >= far.good


def judgement(found: Observation | Nothing) -> tuple[bool, bool] | None:
    return (found.breach, found.good) if isinstance(found, Observation) else None


def buckets_of(*means: float) -> dict[datetime, Sample]:
    """Five minutes after five minutes, the last one just over at NOW."""
    end = judged_until(NOW)
    return {end - (len(means) - place) * BUCKET: Sample(5, mean) for place, mean in enumerate(means)}


def test_one_bad_minute_in_an_hour_is_over_at_once() -> None:
    found = observe_buckets(an_anomaly(), buckets_of(*[40.0] * 11, 900.0), baseline(TEN), NOW, UTC_ZONE)
    assert isinstance(found, Observation)
    assert found.value == pytest.approx(980 / 3)
    assert not found.breach


def test_what_lasts_for_most_of_an_hour_is_not() -> None:
    found = observe_buckets(an_anomaly(), buckets_of(*[40.0] * 5, *[80.0] * 7), baseline(TEN), NOW, UTC_ZONE)
    assert isinstance(found, Observation)
    assert found.breach


def test_weeks_that_differ_from_each_other_make_the_usual_wider() -> None:
    starts = like_hours(NOW, UTC_ZONE, 28)
    alike = [Point(start, 40 + place % 2) for place, start in enumerate(starts)]
    unlike = [Point(start, 40 + place % 2 + 10 * (place // 12 % 2)) for place, start in enumerate(starts)]
    assert usual_at(alike, UTC_ZONE).sigma == usual_of([point.value for point in alike]).sigma
    assert usual_at(unlike, UTC_ZONE).sigma > usual_of([point.value for point in unlike]).sigma
