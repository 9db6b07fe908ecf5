"""Flapping: a subject that goes to and fro between good and bad.

The formula is Nagios': of the last 20 states, the share of those that differ from the one before, where recent changes
weigh up to 1.2 and old ones down to 0.8. A change is one state; every two minutes in which nothing changes are another.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

STATES = 20
STATE = timedelta(minutes=2)
BEGINS = 0.30
ENDS = 0.25


def share(turns: Sequence[datetime], now: datetime) -> float:
    """The weighted share (0..1) of changes among the last 20 states; `turns` are their times, oldest first."""
    return sum(1.2 - 0.4 * place / (STATES - 1) for place in _places(turns, now) if place < STATES) / STATES


def is_flapping(turns: Sequence[datetime], now: datetime, was: bool) -> bool:
    return share(turns, now) >= (ENDS if was else BEGINS)


def still_counted(turns: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """The turns that are among the last 20 states; the others may be forgotten."""
    count = sum(place < STATES for place in _places(turns, now))
    return tuple(turns[len(turns) - count :])


def calm_at(turns: Sequence[datetime], now: datetime) -> datetime:
    """When it ends by time alone, if nothing changes any more."""
    at = _next_state(turns[-1], now)
    while is_flapping(turns, at, was=True):
        at += STATE
    return at


def forgotten_at(turns: Sequence[datetime]) -> datetime:
    """When the last turn has left the last 20 states."""
    return turns[-1] + STATES * STATE


def _places(turns: Sequence[datetime], now: datetime) -> Iterator[int]:
    """The place of each change among the states, newest first; 0 is the present."""
    place, later = 0, now
    for turn in reversed(turns):
        place += max(0, (later - turn) // STATE)
        yield place
        place, later = place + 1, turn


def _next_state(last: datetime, now: datetime) -> datetime:
    return last + STATE * (max(0, (now - last) // STATE) + 1)
