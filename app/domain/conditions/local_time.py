"""Wall time in a subject's zone, right across both changes of the clock."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.counts import BUCKET, bucket_start

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WALL = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def subject_zone(device: str | None, store: str | None, tenant: str) -> ZoneInfo:
    """The zone that a subject lives in: the device's, else the store's, else the tenant's.

    Raises LookupError for a name that nobody knows.
    """
    return ZoneInfo(device or store or tenant)


def at_wall(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, when the clocks of the zone show this.

    What they show twice is meant the first time; what they skip is read as if they had not been changed yet (02:30 of an
    hour left out is 03:30).
    """
    return datetime.combine(day, wall.replace(fold=0), tzinfo=zone).astimezone(UTC)


def days_before(now: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall time so many days ago, in UTC."""
    local = now.astimezone(zone)
    return at_wall(local.date() - timedelta(days=days), local.time(), zone)


def hour_buckets(day: date, hour: int, zone: ZoneInfo) -> list[datetime]:
    """The five minutes, in UTC, in which the clocks of the zone show this hour of this day.

    Twelve of them; fewer or none where the clocks skip it, more where they show it twice.
    """
    first = bucket_start(at_wall(day, time(hour), zone)) - timedelta(hours=1)
    starts = [first + place * BUCKET for place in range(48)]
    return [start for start in starts if (local := start.astimezone(zone)).date() == day and local.hour == hour]


def wall_time(text: str) -> time:
    """A local time such as "09:00". Raises ValueError for anything else."""
    if not _WALL.fullmatch(text):
        raise ValueError(f'"{text}" is no local time such as "09:00"')
    return time.fromisoformat(text)


def every_time(day: date, wall: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The two moments, in UTC, when the clocks may show this; on most days they are one."""
    twice = datetime.combine(day, wall.replace(fold=1), tzinfo=zone).astimezone(UTC)
    return at_wall(day, wall, zone), twice


def clock_changes(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the clocks of the zone are changed in (start, end], to the second, in UTC."""
    found = []
    while start < end:
        until = min(start + timedelta(days=1), end)
        if _offset(start, zone) != _offset(until, zone):
            found.append(_change(start, until, zone))
        start = until
    return found


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    old = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
