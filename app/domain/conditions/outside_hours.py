"""Outside hours: events while the shop is closed.

The clocks on its wall decide: an hour that they leave out is in no hours, and one that they show twice is in the same hours
both times. Hours that end when they begin last a whole day; hours that end before they begin go over midnight and belong to
the day on which they began. A shop without any day of opening is never open; each of its days is a closed period of its own.
"""

from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.domain.conditions.local_time import WEEKDAYS, at_wall, clock_changes, every_time, subject_zone, wall_time
from app.domain.conditions.observation import Observation
from app.domain.conditions.words import counted, events
from app.domain.counts import Buckets
from app.domain.rule import OutsideHoursCondition

REACH = timedelta(days=15)
"""How far openings and closings are looked for: two weeks, should the change of the clock leave out one of them."""

SETTLE = timedelta(seconds=30)
"""How long after the opening the night before is still looked at."""

_INSTANT = timedelta(microseconds=1)


def zone_of(condition: OutsideHoursCondition, device: str | None, store: str | None, tenant: str) -> ZoneInfo:
    """The condition's own zone, else the subject's. Raises LookupError for a name that nobody knows."""
    return ZoneInfo(condition.timezone) if condition.timezone else subject_zone(device, store, tenant)


def is_open(condition: OutsideHoursCondition, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a moment lies in the opening hours; they begin with `opens` and end before `closes`."""
    local = at.astimezone(zone)
    opens, closes, now = wall_time(condition.opens), wall_time(condition.closes), local.time()
    if opens < closes:
        return _opens_on(condition, local.isoweekday()) and opens <= now < closes
    began_today = now >= opens and _opens_on(condition, local.isoweekday())
    return began_today or (now < closes and _opens_on(condition, (local - timedelta(days=1)).isoweekday()))


@lru_cache(maxsize=256)  # all shops with the same hours ask the same in one look
def closed_since(condition: OutsideHoursCondition, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When it last closed, in UTC; None while it is open. A shop that is never open closes at each midnight."""
    if is_open(condition, now, zone):
        return None
    for edge in reversed(_edges(condition, now - REACH, now, zone)):
        if is_open(condition, edge - _INSTANT, zone) and not is_open(condition, edge, zone):
            return edge
    return _midnight(now, zone, 0)


@lru_cache(maxsize=256)
def opens_next(condition: OutsideHoursCondition, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When it opens, in UTC; None while it is open, and for a shop that never opens."""
    if is_open(condition, now, zone):
        return None
    return next((edge for edge in _edges(condition, now, now + REACH, zone) if is_open(condition, edge, zone)), None)


def judged_moment(condition: OutsideHoursCondition, now: datetime, zone: ZoneInfo) -> datetime:
    """Whose hours are judged at `now`: just after the opening those of the night before."""
    return now - SETTLE if is_open(condition, now, zone) else now


def observe_outside_hours(condition: OutsideHoursCondition, buckets: Buckets, now: datetime, zone: ZoneInfo) -> Observation:
    """All events since it closed, of both outcomes; good once it is open, and while there are none.

    What happened just before it opened is seen for SETTLE longer: until then a look may not have come.
    """
    moment = judged_moment(condition, now, zone)
    since = closed_since(condition, moment, zone)
    count = 0 if since is None else sum(tally.total for start, tally in buckets.items() if since <= start <= moment)
    breach = count >= max(condition.min_count, 1)
    opening = opens_next(condition, moment, zone)
    again = _midnight(moment, zone, 1) if opening is None else opening + SETTLE
    return Observation(
        at=now,
        breach=breach,
        good=count == 0,
        reason=_reason(condition, count, None if since is None else since.astimezone(zone), now.astimezone(zone)),
        since=now,
        value=count,
        threshold=condition.min_count,
        look_again=again if count else None,
    )


def _opens_on(condition: OutsideHoursCondition, weekday: int) -> bool:
    return condition.days is None or weekday in condition.days


def _edges(condition: OutsideHoursCondition, start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Every moment of [start, end] at which hours can begin or end, in order."""
    moments = set(clock_changes(start, end, zone))
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        for text in (condition.opens, condition.closes):
            moments.update(every_time(day, wall_time(text), zone))
        day += timedelta(days=1)
    return sorted(moment for moment in moments if start <= moment <= end)


def _midnight(now: datetime, zone: ZoneInfo, days: int) -> datetime:
    """The midnight with which the day began, or so many days later."""
    return at_wall(now.astimezone(zone).date() + timedelta(days=days), time(0), zone)


def _reason(condition: OutsideHoursCondition, count: int, closed: datetime | None, local: datetime) -> str:
    if closed is None:
        return f"open on {_clock(local)}, from {condition.opens} to {condition.closes}"
    when = f"after hours (closed since {_clock(closed)})"
    if count == 0:
        return f"no {events(condition.event, 0)} {when}"
    least = f"at least {condition.min_count:,}" if count >= condition.min_count else f"fewer than {condition.min_count:,}"
    return f"{counted(condition.event, count)} {when}, {least}"


def _clock(local: datetime) -> str:
    return f"{WEEKDAYS[local.weekday()]} {local:%H:%M}"
