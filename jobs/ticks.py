"""The ticks: what is done at fixed times, by one worker at a time, with the queue or without it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.context import Context
from app.courier import deliver, lanes_to_deliver
from app.settings import Settings
from jobs.evaluate import judge, lanes_for_judge, lanes_for_rollups, lanes_for_sweep, roll_up, sweep
from jobs.queue import Queue

LANES_AT_ONCE = 4
ROLLUPS_SEC = 60.0
OUTBOX_SEC = 15.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick finds the lanes that have work, and hands over a job for each: `job` is its name on the queue."""

    name: str
    interval_sec: float
    lanes: Callable[[Context], Awaitable[set[int]]]
    job: Callable[[Context, int], Awaitable[int]]


def ticks_of(settings: Settings) -> list[Tick]:
    return [
        Tick("sweep", settings.deadline_sweep_seconds, lanes_for_sweep, sweep),
        Tick("rules", settings.rule_tick_seconds, lanes_for_judge, judge),
        Tick("rollups", ROLLUPS_SEC, lanes_for_rollups, roll_up),
        Tick("outbox", OUTBOX_SEC, lanes_to_deliver, deliver),
    ]


async def run_tick(context: Context, tick: Tick, queue: Queue | None) -> bool:
    """Runs a tick if nobody else did in this interval; whether it was run. Without a queue the jobs are done here."""
    started = context.clock.now()
    if not await context.store.leases.claim_tick(tick.name, tick.interval_sec, started):
        return False
    error = None
    try:
        await _hand_over(context, tick, queue, started)
    except Exception as failure:
        error = type(failure).__name__
        raise
    finally:
        await context.store.leases.finish_tick(tick.name, started, context.clock.now(), error)
    return True


async def keep_ticking(context: Context, tick: Tick, queue: Queue) -> None:
    """Ticks until cancelled. What goes wrong is said and tried again: this loop is what must not end."""
    while True:
        started, ran = asyncio.get_running_loop().time(), False
        try:
            ran = await run_tick(context, tick, queue)
        except Exception:  # noqa: BLE001 - said, and tried again at the next tick
            _log.exception("tick.failed", tick=tick.name)
        spent = asyncio.get_running_loop().time() - started
        # Who comes second asks again soon: when the first one dies, its tick must not be missed for a whole interval more.
        pause = tick.interval_sec if ran else tick.interval_sec / 4
        await asyncio.sleep(max(0.05, pause - spent))


async def _hand_over(context: Context, tick: Tick, queue: Queue | None, started: datetime) -> None:
    lanes = sorted(await tick.lanes(context))
    left: list[int] = []
    for lane in lanes:
        job_id = f"{tick.name}:{lane}:{int(started.timestamp() * 1000)}"
        # Once Redis has not answered, it is not asked again in this tick: nobody waits for it sixteen times.
        if left or queue is None or not await queue.put(tick.job.__name__, job_id, lane):
            left.append(lane)
    if left:
        _log.info("tick.direct", tick=tick.name, lanes=left)
        gate = asyncio.Semaphore(LANES_AT_ONCE)

        async def work(lane: int) -> None:
            async with gate:
                await tick.job(context, lane)

        await asyncio.gather(*(work(lane) for lane in left))
