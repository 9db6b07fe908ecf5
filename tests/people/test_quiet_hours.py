"""Quiet hours hold by the clocks on the person's wall, whatever those do."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, strategies as st

from app.domain.alert import Severity
from app.domain.conditions.local_time import clock_changes
from app.domain.quiet_hours import QuietHours, quiet_until

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",  # -03:30, and until 2011 it changed a minute after midnight
    "America/Sao_Paulo",  # at midnight
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # by half an hour
    "Antarctica/Troll",  # by two hours
    "Pacific/Apia",  # left out a whole day
    "Pacific/Kiritimati",  # +14
)
HOUR = timedelta(hours=1)
START = datetime(2000, 1, 3, tzinfo=UTC)
CLOCKS = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def night(start: str = "22:00", end: str = "07:00", zone: str = "Europe/Berlin", **values: object) -> QuietHours:
    return QuietHours(**{"enabled": True, "start": start, "end": end, "timezone": zone, **values})  # type: ignore[arg-type]


def at(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> datetime:
    """A time as the wall shows it; `fold` 1 is the second time that it does."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def until(quiet: QuietHours, now: datetime, severity: Severity = Severity.HIGH) -> datetime | None:
    return quiet_until(quiet, severity, now)


def shows_quiet(quiet: QuietHours, now: datetime) -> bool:
    """As somebody reads it from the wall, without a thought of the calendar."""
    wall = now.astimezone(ZoneInfo(quiet.timezone)).time()
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    return start <= wall < end if start < end else wall >= start or wall < end


def test_a_night_goes_over_midnight() -> None:
    morning = at("2026-06-10T07:00")
    assert until(night(), at("2026-06-09T23:59")) == morning
    assert until(night(), at("2026-06-10T00:00")) == morning
    assert until(night(), at("2026-06-10T12:00")) is None


def test_hours_of_one_day_are_over_the_same_day() -> None:
    siesta = night("13:00", "15:30")
    assert until(siesta, at("2026-06-09T14:00")) == at("2026-06-09T15:30")
    assert until(siesta, at("2026-06-09T23:00")) is None


def test_the_start_belongs_to_them_and_the_end_does_not() -> None:
    a_moment = timedelta(microseconds=1)
    evening, morning = at("2026-06-09T22:00"), at("2026-06-10T07:00")
    assert until(night(), evening - a_moment) is None
    assert until(night(), evening) == morning
    assert until(night(), morning - a_moment) == morning
    assert until(night(), morning) is None


def test_critical_passes_and_so_does_what_else_is_an_exception() -> None:
    now = at("2026-06-09T23:00")
    assert until(night(), now, Severity.CRITICAL) is None
    only_high = night(except_severities=(Severity.HIGH,))
    assert until(only_high, now, Severity.HIGH) is None
    assert until(only_high, now, Severity.CRITICAL) is not None
    assert until(night(except_severities=()), now, Severity.CRITICAL) is not None


def test_hours_that_are_switched_off_hold_nothing() -> None:
    assert until(night(enabled=False), at("2026-06-09T23:00")) is None


def test_hours_that_end_when_they_begin_hold_nothing() -> None:
    assert until(night("22:00", "22:00"), at("2026-06-09T22:00")) is None


def test_they_go_by_the_zone_of_the_person_not_by_ours() -> None:
    now = datetime(2026, 6, 9, 18, 30, tzinfo=UTC)
    assert until(night(zone="Asia/Kathmandu"), now) == datetime(2026, 6, 10, 1, 15, tzinfo=UTC)
    assert until(night(zone="America/St_Johns"), now) is None


@pytest.mark.parametrize(
    ("evening", "hours"),
    [("2026-03-28T22:00", 8), ("2026-06-09T22:00", 9), ("2026-10-24T22:00", 10)],
    ids=["spring", "summer", "autumn"],
)
def test_a_night_in_which_the_clocks_change_is_an_hour_shorter_or_longer(evening: str, hours: int) -> None:
    begin = at(evening)
    assert until(night(), begin) == begin + hours * HOUR


def test_an_end_that_the_clocks_skip_in_spring_is_the_moment_of_the_change() -> None:
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert until(night(end="02:30"), at("2026-03-28T23:00")) == change
    assert until(night(end="02:30"), change) is None


def test_a_start_that_the_clocks_skip_in_spring_is_the_moment_of_the_change() -> None:
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert until(night(start="02:30"), change - timedelta(seconds=1)) is None
    assert until(night(start="02:30"), change) == at("2026-03-29T07:00")


def test_an_end_that_comes_twice_in_autumn_is_the_second_one() -> None:
    second = at("2026-10-25T02:30", fold=1)
    for moment in (at("2026-10-24T23:00"), at("2026-10-25T02:45"), at("2026-10-25T02:15", fold=1)):
        assert until(night(end="02:30"), moment) == second
    assert until(night(end="02:30"), second) is None


def test_a_start_that_comes_twice_in_autumn_is_the_first_one() -> None:
    assert until(night(start="02:30"), at("2026-10-25T02:29")) is None
    for moment in (at("2026-10-25T02:30"), at("2026-10-25T02:15", fold=1)):
        assert until(night(start="02:30"), moment) == at("2026-10-25T07:00")


def test_lord_howe_changes_by_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    evening = at("2026-04-04T22:00", zone)
    assert until(night(zone=zone), evening) == evening + 9.5 * HOUR


def test_the_waking_minute_is_not_lost_where_it_comes_twice() -> None:
    almost_always = night("02:31", "02:30")
    end = until(almost_always, at("2026-10-25T02:15", fold=1))
    assert end == at("2026-10-25T02:30", fold=1)
    assert until(almost_always, end) is None


def test_where_the_clocks_skip_all_of_the_waking_time_the_quiet_goes_on_to_the_next_day() -> None:
    almost_always = night("02:40", "02:10")
    assert until(almost_always, at("2026-03-28T12:00")) == at("2026-03-30T02:10")


@st.composite
def nights(draw: st.DrawFn, waking: timedelta = timedelta(minutes=1)) -> QuietHours:
    """Any hours that leave so much of a day awake."""
    start, end = draw(CLOCKS), draw(CLOCKS)
    awake = timedelta(minutes=(start.hour * 60 + start.minute - end.hour * 60 - end.minute) % 1440)
    assume(awake >= waking)
    return night(f"{start:%H:%M}", f"{end:%H:%M}", draw(st.sampled_from(ZONES)))


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Any moment of forty years; half of them within two days of a change of the zone's clocks."""
    moment: datetime = draw(st.integers(0, 40 * 365 * 1440).map(lambda minutes: START + timedelta(minutes=minutes)))
    if draw(st.booleans()):
        changes = clock_changes(moment, moment + timedelta(days=366), ZoneInfo(zone))
        if changes:
            moment = draw(st.sampled_from(changes)) + timedelta(minutes=draw(st.integers(-2 * 1440, 2 * 1440)))
    return moment


@given(st.data(), nights())
def test_who_reads_quiet_hours_from_the_wall_is_left_in_peace(data: st.DataObject, quiet: QuietHours) -> None:
    now = data.draw(moments(quiet.timezone))
    end = until(quiet, now)
    if shows_quiet(quiet, now):
        assert end is not None
    if end is not None:
        assert end > now
        assert until(quiet, end) is None


@given(st.data(), nights())
def test_the_wall_says_all_where_no_clock_is_changed(data: st.DataObject, quiet: QuietHours) -> None:
    now = data.draw(moments(quiet.timezone))
    assume(not clock_changes(now - timedelta(days=2), now + timedelta(days=2), ZoneInfo(quiet.timezone)))
    assert (until(quiet, now) is not None) == shows_quiet(quiet, now)


@given(st.data(), nights(waking=3 * HOUR))
def test_nothing_is_held_for_more_than_25_hours(data: st.DataObject, quiet: QuietHours) -> None:
    now = data.draw(moments(quiet.timezone))
    assert (until(quiet, now) or now) - now <= 25 * HOUR


@given(st.data(), nights())
def test_the_later_of_two_is_held_until_no_earlier(data: st.DataObject, quiet: QuietHours) -> None:
    now = data.draw(moments(quiet.timezone))
    later = now + timedelta(minutes=data.draw(st.integers(0, 3 * 1440)))
    assert (until(quiet, now) or now) <= (until(quiet, later) or later)


@given(st.data(), nights())
def test_all_of_one_night_is_held_until_the_same_moment(data: st.DataObject, quiet: QuietHours) -> None:
    now = data.draw(moments(quiet.timezone))
    end = until(quiet, now)
    assume(end is not None)
    assert end is not None
    between = now + (end - now) * data.draw(st.floats(0, 0.999))
    assert until(quiet, between) == end
