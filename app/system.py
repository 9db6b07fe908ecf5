"""How Fleetbeat itself is doing."""

from dataclasses import dataclass
from datetime import datetime

from app import __version__
from app.context import Context
from app.domain.beat import HealthStatus
from app.domain.ids import LANES
from app.principal import Principal, read_scope
from app.rule_tick import MARK
from app.store.leases import TickRecord
from app.store.workers import WorkerRecord

LATE_AFTER = 3
"""A tick that has not ended for so many of its intervals is late."""


@dataclass(frozen=True, slots=True)
class Tick:
    record: TickRecord
    late: bool


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """`evaluation_lag_sec`: how far the judging of beats is behind, at most one rule tick when all is well."""

    version: str
    workers: list[WorkerRecord]
    evaluation_lag_sec: float
    heartbeats_per_sec: float
    subscribers: int
    mongo: HealthStatus
    redis: HealthStatus
    ticks: list[Tick]


async def system_status(context: Context, principal: Principal) -> SystemStatus:
    read_scope(principal, None)
    now = context.clock.now()
    intakes = await context.store.intakes.alive(now)
    ticks = [Tick(record, _is_late(record, now)) for record in await context.store.leases.ticks()]
    return SystemStatus(
        version=__version__,
        workers=await context.store.workers.alive(now),
        evaluation_lag_sec=await evaluation_lag_sec(context),
        heartbeats_per_sec=round(sum(record.beats_per_sec for record in intakes), 2),
        subscribers=sum(record.subscribers for record in intakes),
        # Whoever reads this has read it from MongoDB.
        mongo=HealthStatus.HEALTHY,
        redis=HealthStatus.HEALTHY if await context.bus.ping() else HealthStatus.UNHEALTHY,
        ticks=ticks,
    )


async def evaluation_lag_sec(context: Context) -> float:
    """Seconds since the lane that waited longest was judged; 0 before any was."""
    marks = await context.store.leases.watermarks(MARK)
    if len(marks) < LANES:
        return 0.0
    return max(0.0, (context.clock.now() - min(marks.values())).total_seconds())


def _is_late(record: TickRecord, now: datetime) -> bool:
    ended = record.last_finished_at or record.claimed_at
    return ended is None or (now - ended).total_seconds() > LATE_AFTER * record.interval_sec
