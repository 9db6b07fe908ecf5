"""Events while the shop is closed."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.conditions.outside_hours import SETTLE, closed_since, is_open, observe_outside_hours, opens_next, zone_of
from app.domain.counts import Tally
from app.domain.operational_event import EventKind
from app.domain.rule import OutsideHoursCondition

BERLIN = ZoneInfo("Europe/Berlin")
SECOND = timedelta(seconds=1)


def hours(opens: str = "09:00", closes: str = "18:00", **fields: Any) -> OutsideHoursCondition:
    return OutsideHoursCondition(**{"event": EventKind.REFUND, "opens": opens, "closes": closes, **fields})


def berlin(day: int, clock: str, month: int = 3, *, fold: int = 0) -> datetime:
    """A wall time in Berlin; the second of March 2026 is a Monday, and the 29th the day when summer time begins."""
    local = datetime.combine(date(2026, month, day), time.fromisoformat(clock), tzinfo=BERLIN)
    return local.replace(fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("clock", "is_in"),
    [("08:59:59", False), ("09:00:00", True), ("13:00:00", True), ("17:59:59", True), ("18:00:00", False), ("00:00:00", False)],
)
def test_hours_begin_with_their_opening_and_end_before_their_closing(clock: str, is_in: bool) -> None:
    assert is_open(hours(), berlin(2, clock), BERLIN) is is_in


@pytest.mark.parametrize(
    ("day", "clock", "is_in"),
    [
        (2, "17:59:59", False),
        (2, "18:00:00", True),
        (2, "23:59:59", True),
        (3, "00:00:00", True),
        (3, "01:59:59", True),
        (3, "02:00:00", False),
    ],
)
def test_hours_over_midnight_end_on_the_next_day(day: int, clock: str, is_in: bool) -> None:
    assert is_open(hours("18:00", "02:00"), berlin(day, clock), BERLIN) is is_in


@pytest.mark.parametrize(
    ("day", "clock", "is_in"),
    [
        (6, "23:00:00", True),  # Friday evening
        (7, "01:00:00", True),  # belongs to Friday
        (7, "23:00:00", False),
        (8, "01:00:00", False),
        (6, "01:00:00", False),  # would belong to Thursday
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_began(day: int, clock: str, is_in: bool) -> None:
    assert is_open(hours("18:00", "02:00", days=(5,)), berlin(day, clock), BERLIN) is is_in


@pytest.mark.parametrize(
    ("day", "clock", "is_in"),
    [(2, "08:59:59", False), (2, "09:00:00", True), (3, "08:59:59", True), (3, "09:00:00", False)],
)
def test_hours_that_end_when_they_begin_last_a_whole_day(day: int, clock: str, is_in: bool) -> None:
    assert is_open(hours("09:00", "09:00", days=(1,)), berlin(day, clock), BERLIN) is is_in


@pytest.mark.parametrize("opens", ["00:00", "09:00"])
def test_whole_days_on_every_day_are_never_closed(opens: str) -> None:
    always = hours(opens, opens)
    for quarter in range(7 * 96):
        assert closed_since(always, berlin(23, "00:00") + quarter * timedelta(minutes=15), BERLIN) is None


def test_hours_until_midnight_end_with_the_day() -> None:
    late = hours("09:00", "00:00", days=(1,))
    assert is_open(late, berlin(2, "23:59:59"), BERLIN)
    assert not is_open(late, berlin(3, "00:00"), BERLIN)


def test_on_other_days_a_shop_is_closed_all_day() -> None:
    weekdays = hours(days=(1, 2, 3, 4, 5))
    assert not is_open(weekdays, berlin(7, "12:00"), BERLIN)
    assert closed_since(weekdays, berlin(8, "12:00"), BERLIN) == berlin(6, "18:00")
    assert opens_next(weekdays, berlin(7, "12:00"), BERLIN) == berlin(9, "09:00")


@pytest.mark.parametrize(
    ("now", "closed", "opens"),
    [
        (berlin(2, "17:59:59"), None, None),
        (berlin(2, "18:00"), berlin(2, "18:00"), berlin(3, "09:00")),
        (berlin(2, "23:59:59"), berlin(2, "18:00"), berlin(3, "09:00")),
        (berlin(3, "08:59:59"), berlin(2, "18:00"), berlin(3, "09:00")),
        (berlin(3, "09:00"), None, None),
        (berlin(29, "01:59:59"), berlin(28, "18:00"), berlin(29, "09:00")),
        (berlin(29, "03:00"), berlin(28, "18:00"), berlin(29, "09:00")),
        (berlin(25, "02:30", 10, fold=1), berlin(24, "18:00", 10), berlin(25, "09:00", 10)),
    ],
)
def test_a_closed_period_lasts_from_the_last_closing_to_the_next_opening(
    now: datetime, closed: datetime | None, opens: datetime | None
) -> None:
    assert closed_since(hours(), now, BERLIN) == closed
    assert opens_next(hours(), now, BERLIN) == opens


def test_a_shop_open_once_a_week_was_closed_for_six_days() -> None:
    weekly = hours(days=(1,))
    assert closed_since(weekly, berlin(9, "08:59:59"), BERLIN) == berlin(2, "18:00")
    assert opens_next(weekly, berlin(2, "18:00"), BERLIN) == berlin(9, "09:00")


def test_without_a_day_of_opening_each_day_is_closed_by_itself() -> None:
    never = hours(days=())
    assert closed_since(never, berlin(29, "12:00"), BERLIN) == berlin(29, "00:00")
    assert opens_next(never, berlin(29, "12:00"), BERLIN) is None


def test_an_opening_time_that_the_clocks_leave_out_opens_when_they_are_changed() -> None:
    early = hours("02:30", "10:00")
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert opens_next(early, change - SECOND, BERLIN) == change
    assert is_open(early, change, BERLIN)


def test_a_closing_time_that_the_clocks_leave_out_closes_when_they_are_changed() -> None:
    late = hours("18:00", "02:30")
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert is_open(late, change - SECOND, BERLIN)
    assert closed_since(late, change, BERLIN) == change


def test_hours_that_the_clocks_leave_out_altogether_do_not_take_place() -> None:
    nightly = hours("02:00", "03:00", days=(7,))
    assert closed_since(nightly, berlin(29, "12:00"), BERLIN) == berlin(22, "03:00")
    assert opens_next(nightly, berlin(28, "12:00"), BERLIN) == berlin(5, "02:00", 4)


def test_an_opening_time_that_comes_twice_opens_both_times() -> None:
    early = hours("02:30", "10:00")
    first, again = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert opens_next(early, first - SECOND, BERLIN) == first
    assert closed_since(early, again - SECOND, BERLIN) == change
    assert opens_next(early, change, BERLIN) == again


def test_a_closing_time_that_comes_twice_closes_both_times() -> None:
    late = hours("18:00", "02:30")
    first, again = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    change = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert closed_since(late, first, BERLIN) == first
    assert opens_next(late, first, BERLIN) == change
    assert closed_since(late, again, BERLIN) == again


@pytest.mark.parametrize(
    ("bucket", "counted"),
    [
        (berlin(2, "17:55"), 0),  # the last one of the day
        (berlin(2, "18:00"), 4),
        (berlin(3, "02:00"), 4),
        (berlin(3, "02:05"), 0),  # not yet
        (berlin(1, "20:00"), 0),  # another night
    ],
)
def test_only_the_buckets_of_the_present_closed_period_count(bucket: datetime, counted: int) -> None:
    seen = observe_outside_hours(hours(), {bucket: Tally(1, 3)}, berlin(3, "02:03"), BERLIN)
    assert seen.value == counted
    assert seen.breach is (counted > 0)


@pytest.mark.parametrize(
    ("least", "count", "breach", "good"),
    [(1, 0, False, True), (1, 1, True, False), (3, 2, False, False), (3, 3, True, False), (0, 0, False, True)],
)
def test_as_many_events_as_asked_for_are_a_breach(least: int, count: int, breach: bool, good: bool) -> None:
    seen = observe_outside_hours(hours(min_count=least), {berlin(2, "20:00"): Tally(count)}, berlin(2, "21:00"), BERLIN)
    assert (seen.breach, seen.good) == (breach, good)
    assert (seen.value, seen.threshold, seen.unit) == (count, least, None)


def test_once_it_is_open_again_all_is_good() -> None:
    night = {berlin(2, "20:00"): Tally(9), berlin(3, "09:00"): Tally(5)}
    seen = observe_outside_hours(hours(), night, berlin(3, "09:00") + SETTLE, BERLIN)
    assert (seen.breach, seen.good, seen.value, seen.look_again) == (False, True, 0, None)


def test_a_sale_in_the_last_second_of_the_night_is_seen_by_a_look_after_the_opening() -> None:
    night = {berlin(3, "08:55"): Tally(1), berlin(3, "09:00"): Tally(5)}
    seen = observe_outside_hours(hours(), night, berlin(3, "09:00") + SETTLE - timedelta(milliseconds=1), BERLIN)
    assert (seen.breach, seen.value, seen.look_again) == (True, 1, berlin(3, "09:00") + SETTLE)


def test_time_alone_changes_what_was_seen_when_the_shop_opens() -> None:
    seen = observe_outside_hours(hours(), {berlin(2, "20:00"): Tally(1)}, berlin(2, "21:00"), BERLIN)
    assert seen.look_again == berlin(3, "09:00") + SETTLE
    assert observe_outside_hours(hours(), {}, berlin(2, "21:00"), BERLIN).look_again is None


def test_a_shop_that_never_opens_is_looked_at_again_at_midnight() -> None:
    seen = observe_outside_hours(hours(days=()), {berlin(2, "12:00"): Tally(1)}, berlin(2, "13:00"), BERLIN)
    assert (seen.breach, seen.look_again) == (True, berlin(3, "00:00"))


@pytest.mark.parametrize(
    ("count", "clock", "least", "reason"),
    [
        (3, "21:00", 1, "3 refunds after hours (closed since Monday 18:00), at least 1"),
        (1, "21:00", 2, "1 refund after hours (closed since Monday 18:00), fewer than 2"),
        (0, "21:00", 1, "no refunds after hours (closed since Monday 18:00)"),
        (3, "12:05", 1, "open on Monday 12:05, from 09:00 to 18:00"),
    ],
)
def test_the_reason_names_count_bound_and_closing(count: int, clock: str, least: int, reason: str) -> None:
    seen = observe_outside_hours(hours(min_count=least), {berlin(2, "20:00"): Tally(count)}, berlin(2, clock), BERLIN)
    assert seen.reason == reason


@pytest.mark.parametrize(
    ("own", "device", "store", "expected"),
    [
        ("Asia/Tokyo", "Europe/Paris", "Europe/Rome", "Asia/Tokyo"),
        (None, "Europe/Paris", "Europe/Rome", "Europe/Paris"),
        (None, None, "Europe/Rome", "Europe/Rome"),
        (None, None, None, "Europe/Berlin"),
    ],
)
def test_the_nearest_zone_wins(own: str | None, device: str | None, store: str | None, expected: str) -> None:
    assert zone_of(hours(timezone=own), device, store, "Europe/Berlin").key == expected


def test_a_zone_that_nobody_knows_is_an_error_of_the_rule() -> None:
    with pytest.raises(LookupError):
        zone_of(hours(timezone="Mars/Olympus"), None, None, "UTC")


@pytest.mark.parametrize("text", ["9:00", "24:00", "09:60", "0900", "09:00:00", "nine", "", "09:00Z"])
def test_what_is_no_wall_time_is_an_error_of_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match="no local time"):
        is_open(hours(text, "18:00"), berlin(2, "12:00"), BERLIN)
