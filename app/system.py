"""How Fleetbeat itself is doing."""

from dataclasses import dataclass
from datetime import datetime

from app import __version__
from app.context import Context
from app.domain.beat import HealthStatus
from app.domain.ids import LANES
from app.domain.self_check import is_late
from app.principal import Principal, read_scope
from app.rule_tick import MARK
from app.store.leases import TickRecord
from app.store.workers import WorkerRecord


@dataclass(frozen=True, slots=True)
class Tick:
    record: TickRecord
    late: bool


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """`evaluation_lag_sec`: how far the judging of beats is behind, at most one rule tick when all is well. `delivery_queue`:
    all deliveries on their way, also those held on purpose; `oldest_delivery_sec`: for how long the oldest of those that are
    due has been so."""

    version: str
    workers: list[WorkerRecord]
    evaluation_lag_sec: float
    delivery_queue: int
    oldest_delivery_sec: float
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
        delivery_queue=await context.store.delivery_figures.unfinished(),
        oldest_delivery_sec=await oldest_delivery_sec(context),
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


async def oldest_delivery_sec(context: Context) -> float:
    """For how many seconds the delivery that has been due for longest is due; 0 where none is. What is held on purpose is not."""
    now = context.clock.now()
    due_at = await context.store.delivery_figures.oldest_due_at(now)
    return 0.0 if due_at is None else (now - due_at).total_seconds()


def _is_late(record: TickRecord, now: datetime) -> bool:
    return is_late(record.last_finished_at or record.claimed_at, record.interval_sec, now)
