"""The share of events that failed, or succeeded."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.ratio import before_window, observe_ratio
from app.domain.counts import Tally
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.rule import RatioCondition
from tests.conditions.making import bucket, minutes
from tests.domain.making import NOON


def a_ratio(threshold: float = 0.1, **fields: Any) -> RatioCondition:
    return RatioCondition(**{"event": EventKind.REDEMPTION, "threshold": threshold, "window_sec": 3600, **fields})


def look(condition: RatioCondition, success: int, failure: int) -> Observation | Nothing:
    return observe_ratio(condition, bucket(0, success, failure), NOON)


def seen(condition: RatioCondition, success: int, failure: int) -> Observation:
    found = look(condition, success, failure)
    assert isinstance(found, Observation)
    return found


@pytest.mark.parametrize(
    ("success", "failure", "breach"),
    [
        (60, 0, False),
        (54, 6, False),  # met exactly is not over
        (53, 7, True),
        (0, 60, True),
        (9, 1, False),
        (8, 2, True),
    ],
)
def test_only_a_share_over_the_threshold_is_a_breach(success: int, failure: int, breach: bool) -> None:
    found = seen(a_ratio(), success, failure)
    assert (found.breach, found.good) == (breach, not breach)


@pytest.mark.parametrize("percents", [1, 3, 7, 15, 29, 33, 57, 58, 99, 100])
def test_a_share_that_meets_the_threshold_exactly_is_never_rounded_over_it(percents: int) -> None:
    assert not seen(a_ratio(percents / 100), 100 - percents, percents).breach
    assert not seen(a_ratio(percents / 100), 7 * (100 - percents), 7 * percents).breach


@pytest.mark.parametrize(
    ("failure", "breach", "good"),
    [(11, True, False), (10, False, False), (6, False, False), (5, False, True), (0, False, True)],
)
def test_between_recovery_and_threshold_a_share_is_neither_bad_nor_good(failure: int, breach: bool, good: bool) -> None:
    found = seen(a_ratio(0.1, recovery_threshold=0.05), 100 - failure, failure)
    assert (found.breach, found.good) == (breach, good)


def test_without_events_there_is_nothing_to_judge_and_only_news_can_change_it() -> None:
    found = observe_ratio(a_ratio(), {}, NOON)
    assert found == Nothing(reason="no redemptions in 60 min", look_again=None)


def test_empty_buckets_are_no_events() -> None:
    assert observe_ratio(a_ratio(min_samples=0), bucket(0), NOON) == Nothing(reason="no redemptions in 60 min")


@pytest.mark.parametrize(("total", "judged"), [(1, False), (9, False), (10, True), (11, True)])
def test_a_share_needs_its_samples(total: int, judged: bool) -> None:
    assert isinstance(look(a_ratio(), 0, total), Observation) is judged


def test_too_few_samples_say_so_and_look_again_when_the_window_moves() -> None:
    assert look(a_ratio(), 0, 9) == Nothing(
        reason="9 redemptions in 60 min, fewer than the 10 that a share needs", look_again=minutes(5)
    )


def test_one_sample_is_enough_where_one_is_asked_for() -> None:
    assert seen(a_ratio(min_samples=1), 0, 1).value == 1.0
    assert seen(a_ratio(min_samples=1), 1, 0).value == 0.0


@pytest.mark.parametrize(
    ("success", "failure", "fields", "reason"),
    [
        (52, 8, {}, "8 of 60 redemptions failed (13.3 %) in 60 min, over 10 %"),
        (59, 1, {}, "1 of 60 redemptions failed (1.67 %) in 60 min, not over 10 %"),
        (93, 7, {"recovery_threshold": 0.05}, "7 of 100 redemptions failed (7 %) in 60 min, not over 10 %"),
        (96, 4, {"recovery_threshold": 0.05}, "4 of 100 redemptions failed (4 %) in 60 min, not over 5 %"),
        (0, 1, {"min_samples": 1, "window_sec": 90}, "1 of 1 redemption failed (100 %) in 90 s, over 10 %"),
        (8_999, 1_001, {"event": EventKind.SALE}, "1,001 of 10,000 sales failed (10.01 %) in 60 min, over 10 %"),
        (50, 10, {"outcome": EventOutcome.SUCCESS}, "50 of 60 redemptions succeeded (83.3 %) in 60 min, over 10 %"),
        (
            0,
            10,
            {"event": EventKind.WEBHOOK_DELIVERY, "window_sec": 7200},
            "10 of 10 webhook deliveries failed (100 %) in 2 h, over 10 %",
        ),
    ],
)
def test_the_reason_names_share_bound_and_window(success: int, failure: int, fields: dict[str, Any], reason: str) -> None:
    assert seen(a_ratio(**fields), success, failure).reason == reason


def test_value_and_threshold_are_shares_without_a_unit() -> None:
    found = seen(a_ratio(0.25), 1, 9)
    assert (found.value, found.threshold, found.unit) == (0.9, 0.25, None)
    assert (found.at, found.since, found.look_again) == (NOON, NOON, minutes(5))


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (minutes(0) - timedelta(seconds=1), False),  # not begun yet
        (minutes(0), True),
        (minutes(15) - timedelta(seconds=1), True),
        (minutes(15), False),  # the window begins where the bucket ends
        (minutes(14) + timedelta(seconds=59, microseconds=999_999), True),
    ],
)
def test_a_window_of_ten_minutes_covers_each_bucket_that_it_overlaps(now: Any, counts: bool) -> None:
    found = observe_ratio(a_ratio(window_sec=600), bucket(0, 0, 10), now)
    assert isinstance(found, Observation) is counts


def test_other_outcomes_of_the_window_lower_the_share() -> None:
    both = bucket(0, 0, 10) | bucket(5, 90, 0)
    found = observe_ratio(a_ratio(), both, minutes(6))
    assert isinstance(found, Observation)
    assert found.value == 0.1
    assert not found.breach


@given(success=some.integers(0, 500), failure=some.integers(0, 500), threshold=some.floats(0, 1))
def test_more_failures_never_make_it_better(success: int, failure: int, threshold: float) -> None:
    condition = a_ratio(threshold, min_samples=1, recovery_threshold=threshold / 2)
    fewer, more = look(condition, success, failure), look(condition, success, failure + 1)
    assert isinstance(more, Observation)
    if isinstance(fewer, Observation):
        assert more.breach >= fewer.breach
        assert more.good <= fewer.good


@given(
    success=some.integers(0, 500),
    failure=some.integers(0, 500),
    threshold=some.floats(0, 1),
    recovery=some.none() | some.floats(0, 1),
    samples=some.integers(0, 50),
)
def test_nothing_is_both_bad_and_good(success: int, failure: int, threshold: float, recovery: float | None, samples: int) -> None:
    found = look(a_ratio(threshold, recovery_threshold=recovery, min_samples=samples), success, failure)
    assert isinstance(found, Observation) == (success + failure >= max(samples, 1))
    if isinstance(found, Observation):
        assert not (found.breach and found.good)
        assert found.breach == (failure / (success + failure) > threshold)


@given(some.lists(some.tuples(some.integers(-90, 90), some.integers(0, 9), some.integers(0, 9)), max_size=20))
def test_it_does_not_matter_in_which_buckets_of_the_window_events_lie(parts: list[tuple[int, int, int]]) -> None:
    buckets: dict[Any, Tally] = {}
    for minute, success, failure in parts:
        buckets |= bucket(minute, success, failure)
    inside = [tally for start, tally in buckets.items() if minutes(-65) < start <= NOON]
    together = bucket(0, sum(one.success for one in inside), sum(one.failure for one in inside))
    assert observe_ratio(a_ratio(), buckets, NOON) == observe_ratio(a_ratio(), together, NOON)


BY_CHANCE = a_ratio(0.05, window_sec=900, chance=1e-5)
USUALLY_ONE_PERCENT = Tally(990, 10)


@pytest.mark.parametrize(("failure", "breach"), [(1, False), (3, False), (5, True), (10, True)])
def test_with_a_chance_a_share_has_to_be_more_than_the_usual_one_brings_by_itself(failure: int, breach: bool) -> None:
    found = observe_ratio(BY_CHANCE, bucket(0, 10 - failure, failure), NOON, USUALLY_ONE_PERCENT)
    assert isinstance(found, Observation)
    assert (found.breach, found.good) == (breach, False)


def test_it_says_what_is_usual() -> None:
    found = observe_ratio(BY_CHANCE, bucket(0, 9, 1), NOON, USUALLY_ONE_PERCENT)
    assert isinstance(found, Observation)
    assert found.reason == "1 of 10 redemptions failed (10 %) in 15 min, over 5 %; 1.1 % are usual, and it may be chance"


@pytest.mark.parametrize("past", [None, Tally(99, 0)])
def test_without_a_usual_share_the_threshold_alone_decides(past: Tally | None) -> None:
    found = observe_ratio(BY_CHANCE, bucket(0, 9, 1), NOON, past)
    assert isinstance(found, Observation)
    assert found.breach


def test_without_a_chance_the_past_does_not_matter() -> None:
    condition = a_ratio(0.05, window_sec=900)
    assert observe_ratio(condition, bucket(0, 9, 1), NOON, USUALLY_ONE_PERCENT) == observe_ratio(condition, bucket(0, 9, 1), NOON)


def test_what_was_before_is_a_week_without_the_window_and_without_trouble() -> None:
    day = 24 * 60
    counted = bucket(0, 1) | bucket(-20, 10) | bucket(-60, 100) | bucket(-7 * day + 5, 1_000) | bucket(-7 * day - 5, 10_000)
    assert before_window(BY_CHANCE, counted, minutes(2)).total == 1_110
    assert before_window(BY_CHANCE, counted, minutes(2), [(minutes(-61), minutes(-58))]).total == 1_010
