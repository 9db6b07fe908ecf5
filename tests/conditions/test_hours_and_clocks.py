"""Opening hours over both changes of the clock, in zones that are unlike each other."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.local_time import at_wall, clock_changes, hour_buckets
from app.domain.conditions.outside_hours import closed_since, is_open, observe_outside_hours, opens_next
from app.domain.counts import BUCKET, Tally, bucket_start
from app.domain.operational_event import EventKind
from app.domain.rule import OutsideHoursCondition

CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    # Lord Howe changes by half an hour.
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Asia/Kathmandu": (),
}
AROUND = [change for changes in CHANGES.values() for change in changes]

walls = some.builds(lambda place: f"{place // 12:02}:{place % 12 * 5:02}", some.integers(0, 287))
conditions = some.builds(
    OutsideHoursCondition,
    event=some.just(EventKind.SALE),
    opens=walls,
    closes=walls,
    timezone=some.none(),
    days=some.none() | some.sets(some.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
    min_count=some.just(1),
    subject=some.none(),
)
zones = some.sampled_from([ZoneInfo(name) for name in CHANGES])
near_a_change = some.builds(
    lambda change, second: change + timedelta(seconds=second), some.sampled_from(AROUND), some.integers(-200_000, 200_000)
)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_the_clock_are_found_to_the_second(name: str) -> None:
    year = clock_changes(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), ZoneInfo(name))
    assert tuple(year) == CHANGES[name]


@pytest.mark.parametrize(("before", "after"), [(1, 0), (1, 3600), (90_000, 0), (90_000, 100_000)])
def test_a_change_is_found_in_any_stretch_that_holds_it(before: int, after: int) -> None:
    change = CHANGES["Europe/Berlin"][0]
    start, end = change - timedelta(seconds=before), change + timedelta(seconds=after)
    assert clock_changes(start, end, ZoneInfo("Europe/Berlin")) == [change]
    assert clock_changes(start, change - timedelta(seconds=1), ZoneInfo("Europe/Berlin")) == []
    assert clock_changes(change, end, ZoneInfo("Europe/Berlin")) == []


@pytest.mark.parametrize("fold", [0, 1])
def test_a_wall_time_that_comes_twice_means_the_first_time(fold: int) -> None:
    found = at_wall(date(2026, 10, 25), time(2, 30, fold=fold), ZoneInfo("Europe/Berlin"))
    assert found == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(condition=conditions, zone=zones, now=near_a_change)
def test_open_and_closed_part_time_between_them(condition: OutsideHoursCondition, zone: ZoneInfo, now: datetime) -> None:
    closed, opens = closed_since(condition, now, zone), opens_next(condition, now, zone)
    if is_open(condition, now, zone):
        assert (closed, opens) == (None, None)
        return
    assert closed is not None
    assert opens is not None
    assert closed <= now < opens
    assert is_open(condition, closed - timedelta(seconds=1), zone)
    assert is_open(condition, opens, zone)
    places = range((opens - closed) // BUCKET)
    assert not any(is_open(condition, closed + place * BUCKET, zone) for place in places)


@given(condition=conditions, zone=zones, now=near_a_change)
def test_hours_begin_and_end_with_a_bucket(condition: OutsideHoursCondition, zone: ZoneInfo, now: datetime) -> None:
    start = bucket_start(now)
    last = start + BUCKET - timedelta(microseconds=1)
    assert is_open(condition, start, zone) == is_open(condition, now, zone) == is_open(condition, last, zone)


@given(condition=conditions, zone=zones, now=near_a_change)
def test_whoever_looks_later_in_a_closed_period_sees_the_same_period(
    condition: OutsideHoursCondition, zone: ZoneInfo, now: datetime
) -> None:
    closed, opens = closed_since(condition, now, zone), opens_next(condition, now, zone)
    if closed is not None and opens is not None:
        assert closed_since(condition, closed, zone) == closed
        assert closed_since(condition, opens - timedelta(seconds=1), zone) == closed
        assert opens_next(condition, closed, zone) == opens


@given(condition=conditions, zone=zones, now=near_a_change)
def test_an_event_now_is_a_breach_exactly_while_it_is_closed(
    condition: OutsideHoursCondition, zone: ZoneInfo, now: datetime
) -> None:
    seen = observe_outside_hours(condition, {bucket_start(now): Tally(1)}, now, zone)
    assert seen.breach is not is_open(condition, now, zone)
    assert seen.good is not seen.breach


@given(opens=walls, closes=walls, zone=zones, day=some.integers(0, 20))
def test_on_a_day_without_a_change_a_shop_is_open_for_its_hours(opens: str, closes: str, zone: ZoneInfo, day: int) -> None:
    condition = OutsideHoursCondition(event=EventKind.SALE, opens=opens, closes=closes)
    begin, end = (60 * int(text[:2]) + int(text[3:]) for text in (opens, closes))
    assert open_minutes(condition, date(2026, 6, 1) + timedelta(days=day), zone) == ((end - begin) % 1440 or 1440)


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "00:00", "06:00", 300),
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "06:00", 180),
        ("Europe/Berlin", date(2026, 3, 29), "02:00", "03:00", 0),
        ("Europe/Berlin", date(2026, 3, 29), "00:00", "00:00", 1380),
        ("Europe/Berlin", date(2026, 10, 25), "00:00", "06:00", 420),
        ("Europe/Berlin", date(2026, 10, 25), "02:30", "06:00", 240),
        ("Europe/Berlin", date(2026, 10, 25), "00:00", "00:00", 1500),
        ("America/New_York", date(2026, 3, 8), "00:00", "06:00", 300),
        ("America/New_York", date(2026, 11, 1), "00:00", "06:00", 420),
        ("America/New_York", date(2026, 11, 1), "09:00", "18:00", 540),
        ("Australia/Lord_Howe", date(2026, 10, 4), "00:00", "06:00", 330),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15", "06:00", 210),
        ("Australia/Lord_Howe", date(2026, 4, 5), "00:00", "06:00", 390),
        ("Asia/Kathmandu", date(2026, 3, 29), "00:00", "06:00", 360),
    ],
)
def test_on_a_day_of_change_what_the_clocks_leave_out_or_repeat_is_left_out_or_repeated(
    zone: str, day: date, opens: str, closes: str, expected: int
) -> None:
    condition = OutsideHoursCondition(event=EventKind.SALE, opens=opens, closes=closes)
    assert open_minutes(condition, day, ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    ("zone", "day", "hour", "expected"),
    [
        ("Europe/Berlin", date(2026, 6, 1), 14, 12),
        ("Europe/Berlin", date(2026, 3, 29), 2, 0),
        ("Europe/Berlin", date(2026, 3, 29), 3, 12),
        ("Europe/Berlin", date(2026, 10, 25), 2, 24),
        ("Australia/Lord_Howe", date(2026, 10, 4), 2, 6),
        ("Australia/Lord_Howe", date(2026, 4, 5), 1, 18),
        ("Asia/Kathmandu", date(2026, 6, 1), 0, 12),
        ("Asia/Kathmandu", date(2026, 6, 1), 23, 12),
    ],
)
def test_an_hour_has_twelve_buckets_but_where_the_clocks_are_changed(zone: str, day: date, hour: int, expected: int) -> None:
    assert len(hour_buckets(day, hour, ZoneInfo(zone))) == expected


@given(zone=zones, change=some.sampled_from(AROUND), days=some.integers(-2, 2))
def test_every_bucket_of_a_day_belongs_to_one_of_its_hours(zone: ZoneInfo, change: datetime, days: int) -> None:
    day = change.astimezone(zone).date() + timedelta(days=days)
    found = [start for hour in range(24) for start in hour_buckets(day, hour, zone)]
    assert len(found) == len(set(found))
    assert sorted(found) == buckets_of(day, zone)


def buckets_of(day: date, zone: ZoneInfo) -> list[datetime]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    starts = [noon + place * BUCKET for place in range(-500, 500)]
    return [start for start in starts if start.astimezone(zone).date() == day]


def open_minutes(condition: OutsideHoursCondition, day: date, zone: ZoneInfo) -> int:
    return 5 * sum(is_open(condition, start, zone) for start in buckets_of(day, zone))
