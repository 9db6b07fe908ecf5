"""The month, its seasons, and the clocks that shops go by. Times are seconds since 1970 in UTC."""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3_600, 86_400

START = int(datetime(2026, 3, 6, tzinfo=UTC).timestamp())
DAYS = 31
END = START + DAYS * DAY
"""New York changes its clocks on 8 March, Berlin and London on the 29th, Sydney, the other way, on 5 April (local)."""

HISTORY = START - 28 * DAY
"""From when on there is something to learn from."""

ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "Australia/Sydney", "Asia/Tokyo")
"""A tenant in each. The last never changes its clocks."""

_OF_DAY = (0.55, 0.65, 0.8, 0.95, 0.9, 0.75, 0.7, 0.8, 1.0, 0.95, 0.75, 0.5)
"""How busy a shop is, from the hour in which it opens to the one in which it closes; stretched to its hours."""

_OF_WEEK = (0.75, 0.75, 0.8, 0.9, 1.1, 1.25, 0.6)
"""Monday to Sunday."""


@cache
def local(zone: str, hour: int) -> tuple[int, int, int]:
    """Day (proleptic), weekday (0 Monday) and hour on the wall in the hour of UTC that begins at `hour`.

    All of these zones are whole hours from UTC, and change their clocks when an hour of UTC begins.
    """
    on_the_wall = datetime.fromtimestamp(hour, UTC).astimezone(ZoneInfo(zone))
    return on_the_wall.toordinal(), on_the_wall.weekday(), on_the_wall.hour


def seconds_of_day(zone: str, at: float) -> float:
    """The time on the wall, in seconds since its midnight."""
    return local(zone, int(at // HOUR * HOUR))[2] * HOUR + at % HOUR


def busy(zone: str, hour: int, opens: int, closes: int) -> float:
    """How busy a shop is (0 to 1.25) in an hour of UTC; `opens` and `closes` in seconds of its day."""
    _, weekday, on_the_wall = local(zone, hour)
    now = on_the_wall * HOUR
    if now + HOUR <= opens or now >= closes:
        return 0.0
    place = (max(now, opens) - opens) * len(_OF_DAY) // (closes - opens)
    return _OF_DAY[place] * _OF_WEEK[weekday]
