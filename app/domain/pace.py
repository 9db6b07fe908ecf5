"""How often one recipient hears of something: the first message of a burst at once, the rest of it in bundles. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.channel import ChannelKind

WINDOW = timedelta(minutes=1)
GAPS = (timedelta(seconds=5), timedelta(seconds=20))
"""After the first message of a minute, and after the second; the fourth waits until the first is a minute old."""

MOST_IN_BUNDLE = 5_000
"""Rows of one bundle."""

UNPACED = frozenset((ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY, ChannelKind.IN_APP))
"""Programs want each event by itself, and a list inside the dashboard wakes nobody."""


def is_paced(kind: ChannelKind) -> bool:
    return kind not in UNPACED


def not_before(sent: Sequence[datetime], now: datetime) -> datetime:
    """When the next message may go: `now`, or later. `sent` are the times of the last ones, oldest first."""
    recent = recent_of(sent, now)
    if not recent:
        return now
    if len(recent) > len(GAPS):
        return max(now, recent[-len(GAPS) - 1] + WINDOW)
    return max(now, recent[-1] + GAPS[len(recent) - 1])


def recent_of(sent: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """What lies further ahead than the window is of a clock that was set back since: nobody waits until it is that late again."""
    return tuple(at for at in sent if now - WINDOW < at <= now + WINDOW)
