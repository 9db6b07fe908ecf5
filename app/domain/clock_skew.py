"""The clock of a device beside ours: what is a wrong clock, and what is a late beat. Pure.

A beat that comes at once carries the device's skew; one out of a backlog is older by the time that it lay there. So the skew
is the highest offset that was seen, and it falls only when several beats in a row, sent as far apart as they came, agree on a
lower one: a clock that is wrong is wrong by the same for every beat, a backlog is not.
"""

from datetime import datetime, timedelta

import msgspec

LATE = timedelta(seconds=30)
"""A beat that was sent so long before it came is late: it takes its place in history by `sentAt`."""

STEADY = timedelta(seconds=5)
"""How far apart offsets may be that are taken for the same."""

LEARN_BEATS = 3
LEARN_TIME = timedelta(seconds=20)


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a device's clock: `skew` ahead of ours, and a lower offset that is on trial."""

    skew: timedelta | None = None
    trial: timedelta | None = None
    tried_since: datetime | None = None
    tried_last: datetime | None = None
    tries: int = 0


class Place(msgspec.Struct, frozen=True):
    """Where a beat belongs in history."""

    timestamp: datetime
    late: bool


def follow(clock: Clock, sent_at: datetime, now: datetime) -> tuple[Clock, Place]:
    """What is known after a beat that came now, and the place of that beat."""
    clock = _learn(clock, sent_at - now, now)
    skew = clock.skew or timedelta()
    if now - (sent_at - skew) > LATE:
        return clock, Place(sent_at - skew, late=True)
    return clock, Place(now, late=False)


def _learn(clock: Clock, offset: timedelta, now: datetime) -> Clock:
    if offset >= (clock.skew if clock.skew is not None else -LATE):
        return Clock(skew=offset)
    if clock.skew is not None and clock.skew - offset < timedelta(seconds=1):
        return clock
    if clock.trial is None or clock.tried_since is None or abs(offset - clock.trial) > STEADY:
        return Clock(skew=clock.skew, trial=offset, tried_since=now, tried_last=now, tries=1)
    if clock.tried_last == now:
        return clock  # beats that come together say nothing about how a clock runs
    tries = clock.tries + 1
    if tries >= LEARN_BEATS and now - clock.tried_since >= LEARN_TIME:
        return Clock(skew=offset)
    return msgspec.structs.replace(clock, tries=tries, tried_last=now)
