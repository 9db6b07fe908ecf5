"""Quiet hours: the part of each day in which a person is not to be woken, by the clocks of that person's zone. Pure.

A night begins with `start` and is over at `end`. What the clocks skip is passed the moment they are changed; what they show
twice begins the first time and ends the second, so that a night may last an hour less or more than usual.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from app.domain.alert import Severity
from app.domain.conditions.local_time import clock_changes, every_time, wall_time

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to `end`, "22:00" to "07:00", by the clocks of `timezone`, nobody is woken but for `except_severities`."""

    enabled: bool
    start: str
    end: str
    timezone: str
    except_severities: tuple[Severity, ...] = (Severity.CRITICAL,)


def quiet_until(quiet: QuietHours, severity: Severity, now: datetime) -> datetime | None:
    """When the quiet that holds a telling now is over, in UTC; None where nothing holds it.

    Hours that end when they begin are none at all: rather woken once too often than never.
    """
    if not quiet.enabled or severity in quiet.except_severities:
        return None
    until: datetime | None = None
    for begin, end in _nights(quiet, now):
        # A night that begins when the one before it ends goes on from there.
        if begin <= (until or now) < end:
            until = end
    return until


def _nights(quiet: QuietHours, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The nights around a moment, in order; they do not overlap."""
    zone = ZoneInfo(quiet.timezone)
    start, end = wall_time(quiet.start), wall_time(quiet.end)
    if start == end:
        return
    today, over = now.astimezone(zone).date(), _LONG_AGO
    for days in range(-2, 3):
        day = today + timedelta(days=days)
        first, second = _moments(day, start, zone)
        _, until = _moments(day if start < end else day + timedelta(days=1), end, zone)
        # What is shown twice may come before the night before is over: then it is meant the second time.
        begin = first if first >= over else second
        if begin < until:
            over = until
            yield begin, until


def _moments(day: date, wall: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the clocks show this for the first and for the last time, in UTC; when they skip it, the moment of the change."""
    first, last = every_time(day, wall, zone)
    if first <= last:
        return first, last
    changed = clock_changes(last, first, zone)[0]
    return changed, changed
