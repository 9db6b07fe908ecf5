"""Whether Fleetbeat itself is well, and what is late where it is not. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

LATE_AFTER = 3
"""A tick that has not ended for so many of its intervals is late."""

LEAST_LATE_SEC = 10.0
"""Sooner than that no tick is late: on a busy machine a tick of each second may miss a few and nobody is worse off."""

LONGEST_WAIT_SEC = 60.0
"""So long a delivery may be due at most: what waits on purpose is not due."""

MOST_IN_VAIN = 4
"""A delivery that was taken so often and came to nothing is sent again and again, and is never due for long."""

LONGEST_LAG_SEC = 10.0
"""So far the streams of a process may be behind the record: they look each second even where no bell rings."""

LONGEST_SILENCE_SEC = 60.0
"""So long there may be no process that takes beats, as while it is restarted; nobody is judged meanwhile."""

TICK_LATE, DELIVERIES_LATE, STREAMS_LATE = "tick_late", "deliveries_late", "streams_late"
"""Rule keys of the alerts about Fleetbeat itself."""

DELIVERIES, OUTCOMES, ALL_STREAMS = "deliveries", "outcomes", "api"
"""Subjects that are one for all."""

_EVER = datetime.fromtimestamp(0, UTC)


class TickFact(msgspec.Struct, frozen=True, kw_only=True):
    """A tick that should run, and when it last ended without an error; `error` is what it failed with since then."""

    name: str
    interval_sec: float
    ended_at: datetime | None
    error: str | None = None


class StreamFact(msgspec.Struct, frozen=True, kw_only=True):
    """An API process that says it is alive, and how many seconds its streams are behind."""

    process: str
    behind_sec: float


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What can be known of Fleetbeat now. `watched_since`: nobody looked before, so what was late then says nothing of now.

    `judged_until`: up to when every lane was judged; None before all were. `oldest_delivery_sec` is for how long the oldest
    delivery that is due has been so; `taken_in_vain` are those that were taken `MOST_IN_VAIN` times and came to nothing. `api_alive_at` is the last sign of life of any API process.
    """

    watched_since: datetime
    ticks: tuple[TickFact, ...]
    rule_tick_sec: float
    judged_until: datetime | None = None
    oldest_delivery_sec: float = 0.0
    taken_in_vain: int = 0
    streams: tuple[StreamFact, ...] = ()
    api_alive_at: datetime | None = None


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is late: by how much, and over which bound, in seconds."""

    rule_key: str
    subject: str
    text: str
    late_sec: float
    bound_sec: float

    @property
    def key(self) -> tuple[str, str]:
        return self.rule_key, self.subject


def late_after_sec(interval_sec: float) -> float:
    """After how many seconds without an end a tick of this interval is late."""
    return max(LATE_AFTER * interval_sec, LEAST_LATE_SEC)


def is_late(ended_at: datetime | None, interval_sec: float, now: datetime) -> bool:
    return ended_at is None or (now - ended_at).total_seconds() > late_after_sec(interval_sec)


def troubles(facts: Facts, now: datetime) -> list[Trouble]:
    """All that is late; nothing where Fleetbeat is well."""
    return [*_late_ticks(facts, now), *_late_deliveries(facts), *_late_streams(facts, now)]


def is_well(facts: Facts, now: datetime) -> bool:
    """Whether everything is known to be in time: nothing is given the time that it has after a start."""
    return not troubles(msgspec.structs.replace(facts, watched_since=_EVER), now)


def in_time_again(rule_key: str, subject: str) -> str:
    """What is to be said at the end of a trouble."""
    if (rule_key, subject) == (DELIVERIES_LATE, OUTCOMES):
        return "deliveries come to an end again"
    if rule_key == DELIVERIES_LATE:
        return f"no delivery waits for longer than {LONGEST_WAIT_SEC:g} s any more"
    if rule_key == TICK_LATE:
        return f"{subject} is in time again"
    return "an API process is there again" if subject == ALL_STREAMS else "its streams are in time again, or the process is gone"


def _late_ticks(facts: Facts, now: datetime) -> Iterator[Trouble]:
    for tick in facts.ticks:
        ended_at = _seen(facts, tick.ended_at)
        if is_late(ended_at, tick.interval_sec, now):
            failing = f", it fails with {tick.error}" if tick.error else ""
            late = (now - ended_at).total_seconds()
            text = f"the {tick.name} tick is late: {late:.1f} s, its interval is {tick.interval_sec:g} s{failing}"
            yield _trouble(TICK_LATE, tick.name, text, late, late_after_sec(tick.interval_sec))
    judged = _seen(facts, facts.judged_until)
    if is_late(judged, facts.rule_tick_sec, now):
        late = (now - judged).total_seconds()
        text = f"judging is late: {late:.1f} s behind, it should be at most {facts.rule_tick_sec:g} s"
        yield _trouble(TICK_LATE, "judging", text, late, late_after_sec(facts.rule_tick_sec))


def _late_deliveries(facts: Facts) -> Iterator[Trouble]:
    late = facts.oldest_delivery_sec
    if late > LONGEST_WAIT_SEC:
        text = f"the oldest delivery waits for {late:.0f} s, over {LONGEST_WAIT_SEC:g} s"
        yield _trouble(DELIVERIES_LATE, DELIVERIES, text, late, LONGEST_WAIT_SEC)
    if facts.taken_in_vain:
        text = f"deliveries were taken {MOST_IN_VAIN} times and more without an outcome: {facts.taken_in_vain}"
        yield _trouble(DELIVERIES_LATE, OUTCOMES, text, 0.0, 0.0)


def _late_streams(facts: Facts, now: datetime) -> Iterator[Trouble]:
    silent = (now - _seen(facts, facts.api_alive_at)).total_seconds()
    if silent > LONGEST_SILENCE_SEC:
        text = f"no API process has given a sign of life for {silent:.0f} s: no beat comes in, and no device is judged"
        yield _trouble(STREAMS_LATE, ALL_STREAMS, text, silent, LONGEST_SILENCE_SEC)
    for stream in facts.streams:
        if stream.behind_sec > LONGEST_LAG_SEC:
            text = f"the streams of API process {stream.process} are {stream.behind_sec:.1f} s behind, over {LONGEST_LAG_SEC:g} s"
            yield _trouble(STREAMS_LATE, stream.process, text, stream.behind_sec, LONGEST_LAG_SEC)


def _seen(facts: Facts, at: datetime | None) -> datetime:
    return facts.watched_since if at is None else max(at, facts.watched_since)


def _trouble(rule_key: str, subject: str, text: str, late_sec: float, bound_sec: float) -> Trouble:
    return Trouble(rule_key=rule_key, subject=subject, text=text, late_sec=round(late_sec, 3), bound_sec=bound_sec)
