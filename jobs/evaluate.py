"""The jobs that judge, and the one that rolls up: each works on one lane, one at a time over all workers, and may be run again at any time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog

from app.alert_actions import expire_acknowledgements
from app.context import Context
from app.domain.ids import LANES, lane_of
from app.domain.tenant import Scope
from app.evaluation import lanes_to_sweep, sweep_lane
from app.late_truth import correct_lane
from app.orphans import end_orphans
from app.rollups import roll_lane
from app.rule_tick import judge_lane
from app.shared_fate import mend_fates

LANE_HOLD_SEC = 5.0
"""After so long a lane is free again, whatever became of the one that worked on it."""

_log = structlog.get_logger(__name__)
Work = Callable[[Context, int], Awaitable[int]]


async def sweep(context: Context, lane: int) -> int:
    """Looks at the devices of a lane that are due or back; 0 when another worker is at it."""
    return await _alone_on_lane(context, "sweep", lane, sweep_lane)


async def judge(context: Context, lane: int) -> int:
    """Judges what came in on a lane since the last time; 0 when another worker is at it."""
    return await _alone_on_lane(context, "judge", lane, _judge_and_mend)


async def roll_up(context: Context, lane: int) -> int:
    """Rolls up the beats of a lane whose time is over; 0 when another worker is at it."""
    return await _alone_on_lane(context, "rollups", lane, roll_lane)


async def lanes_for_sweep(context: Context) -> set[int]:
    try:
        await expire_acknowledgements(context, context.clock.now())
    except Exception:  # noqa: BLE001 - of two things to do, one that fails must not stop the other
        _log.exception("acknowledgements.not_expired")
    return await lanes_to_sweep(context)


async def lanes_for_judge(context: Context) -> set[int]:
    """All: what came in is only known by looking, and a look at an empty lane costs little."""
    return set(range(LANES))


async def lanes_for_rollups(context: Context) -> set[int]:
    """All, as for judging."""
    return set(range(LANES))


async def _judge_and_mend(context: Context, lane: int) -> int:
    read = await judge_lane(context, lane)
    await correct_lane(context, lane)
    # Without a live alert there is nothing to end, and no parent.
    mine = frozenset(one for one in await context.store.alerts.tenants_with_live() if lane_of(one) == lane)
    if not mine:
        return read
    return read + await end_orphans(context, Scope(mine)) + await mend_fates(context, Scope(mine))


async def _alone_on_lane(context: Context, kind: str, lane: int, work: Work) -> int:
    owner = uuid4().hex
    leases = context.store.leases
    if not await leases.hold_lane(kind, lane, owner, context.clock.now(), LANE_HOLD_SEC):
        return 0
    renewal = asyncio.create_task(_renew(context, kind, lane, owner))
    started = time.perf_counter()
    try:
        done = await work(context, lane)
    finally:
        renewal.cancel()
        # It may be writing just now, and must not hold the lane again after its release.
        await asyncio.wait([renewal])
        await leases.release_lane(kind, lane, owner, context.clock.now())
    if done:
        _log.info("lane.done", kind=kind, lane=lane, looked_at=done, ms=round((time.perf_counter() - started) * 1000))
    return done


async def _renew(context: Context, kind: str, lane: int, owner: str) -> None:
    while True:
        await asyncio.sleep(LANE_HOLD_SEC / 3)
        await context.store.leases.hold_lane(kind, lane, owner, context.clock.now(), LANE_HOLD_SEC)
