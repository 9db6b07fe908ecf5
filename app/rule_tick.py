"""The rule tick: what came in a lane since the last one, and what time alone may have changed, judged by every family but
absence, which the sweep judges."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.anomalies import anomaly_sightings
from app.context import Context
from app.domain.conditions.observation import is_breach, is_worth_watching
from app.domain.judgement import Sighting, family_of
from app.domain.rule import NoDataPolicy, RuleState
from app.evaluation import add_decisions
from app.gauges import due_rules, due_with_windows, gauge_sightings, suspects
from app.look import Look
from app.store.encoding import Document
from app.store.mongo import Session
from app.tallies import FAMILIES as TALLIES, tally_sightings
from app.transitions import Writes, transact
from app.watched_services import service_sightings

GROUP = 100
PAGE = 20_000
"""Most beats that are read at once."""

MILLISECOND = timedelta(milliseconds=1)
OVERLAP = timedelta(seconds=5)
"""How far a tick reads back behind its mark: a beat is stored a little after it came."""

REACH = timedelta(minutes=10)
"""How far back a tick reads after a standstill; what is older is history, and no reason to wake anybody."""

FORGET = timedelta(minutes=10)
"""A wait that no look renewed, so long after its time, belongs to a rule that does not apply any more."""

MARK = "rules"
FAMILIES = ("metric", "service", "anomaly", *TALLIES)
"""What this tick judges; silence is the sweep's."""

_log = structlog.get_logger(__name__)


async def judge_lane(context: Context, lane: int) -> int:
    """Judges what came since the lane's mark, and the states whose time has come; how many beats were read."""
    now = context.clock.now()
    last = await context.store.leases.watermark(MARK, lane)
    mark = last or now - REACH
    after = max(mark - OVERLAP, now - REACH)
    # What the feed passed over after a standstill is in no window that was kept.
    windows = context.windows.take(lane, last if after == mark - OVERLAP else None)
    look = Look(context, lane, mark, mark - OVERLAP, after, now, await _awake(context, lane, now), windows)
    is_overdue = look.is_overdue(now - FORGET)
    beats_read = await _judge_beats(look)
    await _write(look, await tally_sightings(look))
    await _write(look, await service_sightings(look))
    await _write(look, await anomaly_sightings(look))
    await _write(look, await look.failure_sightings())
    if is_overdue:
        await context.store.rule_states.forget_overdue(lane, FAMILIES, now - FORGET)
    await context.store.leases.advance(MARK, lane, now)
    context.windows.leave(lane, now, look.windows)
    return beats_read


async def _awake(context: Context, lane: int, now: datetime) -> dict[str, RuleState]:
    """What may have changed by time alone, and all of services: few, and each is looked at in every tick while it is remembered.

    What else is remembered is read with what came in, so that a tick costs what changed.
    """
    states = await context.store.rule_states.awake(lane, FAMILIES, now)
    return states | await context.store.rule_states.of_families(lane, ["service"])


async def _judge_beats(look: Look) -> int:
    """Page by page, so that a lane that stood still for long does not fill the memory."""
    after, beats_read = look.after, 0
    due, waiting = due_rules(look), set[str]()
    while True:
        readings = await look.context.store.heartbeats.readings_in_lane(look.lane, after, look.now, PAGE)
        beats_read += len(readings)
        look.states |= await look.context.store.rule_states.of_devices(look.lane, "metric", readings)
        found = await suspects(look, readings)
        is_last = len(readings) < PAGE or _is_stuck(look, readings, after)
        if is_last:
            await _write(look, await gauge_sightings(look, found, due_with_windows(look, due, waiting - found.keys())))
            return beats_read
        # A window is looked at once all that came is in it.
        waiting |= found.keys()
        await _write(look, await gauge_sightings(look, found, {}, windowed=False))
        after = _next_page(readings)
        # The next page has to know what this one left behind.
        look.states = await _awake(look.context, look.lane, look.now)


def _next_page(readings: Sequence[Document]) -> datetime:
    """After when it begins: what came in the last millisecond of this page may not all be in it."""
    last: datetime = readings[-1]["received_at"]
    return last - MILLISECOND


def _is_stuck(look: Look, readings: Sequence[Document], after: datetime) -> bool:
    if _next_page(readings) > after:
        return False
    look.windows.whole = False
    _log.warning("rules.page_full", lane=look.lane, at=after, meaning="more beats in one millisecond than a page holds")
    return True


async def _write(look: Look, sightings: Sequence[Sighting]) -> None:
    """Writes what comes of sightings; of those that show nothing bad only what is remembered may come to something."""
    unknown = {one.state_id for one in sightings if family_of(one.rule) != "metric" and not _may_matter(one, look)}
    look.states |= await look.context.store.rule_states.of_ids(look.lane, FAMILIES, unknown) if unknown else {}
    worth = [one for one in sightings if _may_matter(one, look)]
    for start in range(0, len(worth), GROUP):
        await _write_group(look, worth[start : start + GROUP])
    look.evaluated |= {(one.subject.tenant_id, one.rule.key) for one in sightings}
    if sightings:
        await look.context.store.rules.note_evaluated({one.rule.id for one in sightings}, look.now)


def _may_matter(sighting: Sighting, look: Look) -> bool:
    return (
        sighting.state_id in look.states
        or any(is_breach(seen) or is_worth_watching(seen) for seen in sighting.seen)
        or sighting.rule.no_data is NoDataPolicy.ALERT
    )


async def _write_group(look: Look, sightings: Sequence[Sighting]) -> None:
    context = look.context
    preview = Writes()
    await add_decisions(context, sightings, preview, context.clock.now(), None)
    if preview.is_empty():
        return  # the common case of a breach that goes on: no transaction for it

    async def work(session: Session) -> Writes:
        writes = Writes()
        await add_decisions(context, sightings, writes, context.clock.now(), session)
        return writes

    await transact(context, look.lane, work)
