"""Wall time in a subject's zone, right across both changes of the clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.counts import BUCKET, bucket_start

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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
