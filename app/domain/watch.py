"""The watch over Fleetbeat itself from one look to the next: which troubles go on, and what is still to be said of them. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from app.domain.ids import new_id
from app.domain.self_check import Trouble

LAPSE = timedelta(seconds=60)
"""Who did not look for so long cannot say what was late meanwhile, and begins anew."""

WELL_FOR = timedelta(seconds=30)
"""So long nothing must be found of a trouble before it is over: one that comes and goes is one trouble."""

MOST_TELLINGS = 100
"""What more there would be to say to a receiver that does not answer is left out, the oldest first."""


class News(Enum):
    """What a telling to the operator's own address says."""

    TROUBLE = "platform.trouble"
    WELL = "platform.well"


class Ongoing(msgspec.Struct, frozen=True, kw_only=True):
    """A trouble that has begun and is not over, as it was last found; `alert_id` is its alert's, which stays the same."""

    trouble: Trouble
    alert_id: str
    since: datetime
    well_since: datetime | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to be told of troubles that began or ended together; `id` is the idempotency key."""

    id: str
    news: News
    troubles: tuple[Ongoing, ...]
    at: datetime


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """`since` is from when on somebody looked without a lapse; `ended` are the keys of troubles that are over, whose alerts
    are still to be resolved; `pinged_at` is when the monitor outside last heard of us."""

    since: datetime
    looked_at: datetime
    ongoing: tuple[Ongoing, ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    tellings: tuple[Telling, ...] = ()
    pinged_at: datetime | None = None


def watched_since(watch: Watch | None, now: datetime) -> datetime:
    return now if watch is None or now - watch.looked_at > LAPSE else watch.since


def look(watch: Watch | None, found: Sequence[Trouble], tells: bool, now: datetime) -> Watch:
    """The watch after a look that found this. `tells` is whether there is an address to tell of it."""
    before = watch or Watch(since=now, looked_at=now)
    known = {one.trouble.key for one in before.ongoing}
    begun = tuple(
        Ongoing(trouble=trouble, alert_id=new_id(now), since=now - timedelta(seconds=trouble.late_sec))
        for trouble in found
        if trouble.key not in known
    )
    there = {trouble.key: trouble for trouble in found}
    followed = [_follow(one, there.get(one.trouble.key), now) for one in before.ongoing]
    over = tuple(one for one in followed if one.well_since is not None and now - one.well_since >= WELL_FOR)
    tellings = [*before.tellings, *_tellings(News.TROUBLE, begun, now), *_tellings(News.WELL, over, now)]
    return msgspec.structs.replace(
        before,
        since=watched_since(watch, now),
        looked_at=now,
        ongoing=(*(one for one in followed if one not in over), *begun),
        ended=tuple(key for key in (*before.ended, *(one.trouble.key for one in over)) if key not in there),
        tellings=tuple(tellings[-MOST_TELLINGS:]) if tells else (),
    )


def told(watch: Watch, telling: Telling) -> Watch:
    return msgspec.structs.replace(watch, tellings=tuple(one for one in watch.tellings if one.id != telling.id))


def written(watch: Watch) -> Watch:
    """After its alerts were brought into line."""
    return msgspec.structs.replace(watch, ended=())


def pinged(watch: Watch, now: datetime) -> Watch:
    return msgspec.structs.replace(watch, pinged_at=now)


def _follow(one: Ongoing, found: Trouble | None, now: datetime) -> Ongoing:
    if found is not None:
        return msgspec.structs.replace(one, trouble=found, well_since=None)
    return msgspec.structs.replace(one, well_since=one.well_since or now)


def _tellings(news: News, troubles: tuple[Ongoing, ...], now: datetime) -> list[Telling]:
    return [Telling(id=new_id(now), news=news, troubles=troubles, at=now)] if troubles else []
