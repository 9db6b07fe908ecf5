"""Fleetbeat's own state on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import system
from app.domain.beat import HealthStatus
from schema.context import Info


@strawberry.type
class WorkerStatus:
    id: ID
    last_seen: datetime
    jobs_done: int
    jobs_failed: int
    jobs_ongoing: int


@strawberry.type
class TickStatus:
    name: str
    last_finished_at: datetime | None
    duration_sec: float | None
    late: bool
    last_error: str | None


@strawberry.type(description="How Fleetbeat itself is doing; a tenant sees its own share.")
class SystemStatus:
    version: str
    workers: list[WorkerStatus]
    evaluation_lag_sec: float
    delivery_queue: int = strawberry.field(description="deliveries on their way, also those that are held on purpose")
    oldest_delivery_sec: float = strawberry.field(
        description="for how long the oldest delivery that is due has been so; what is held on purpose is not due"
    )
    heartbeats_per_sec: float
    subscribers: int
    mongo: HealthStatus
    redis: HealthStatus
    ticks: list[TickStatus]


@strawberry.type
class SystemQuery:
    @strawberry.field
    async def system_status(self, info: Info) -> SystemStatus:
        status = await system.system_status(info.context.context, info.context.principal)
        return SystemStatus(
            version=status.version,
            workers=[
                WorkerStatus(
                    id=ID(worker.id),
                    last_seen=worker.last_seen,
                    jobs_done=worker.jobs_done,
                    jobs_failed=worker.jobs_failed,
                    jobs_ongoing=worker.jobs_ongoing,
                )
                for worker in status.workers
            ],
            evaluation_lag_sec=status.evaluation_lag_sec,
            delivery_queue=status.delivery_queue,
            oldest_delivery_sec=status.oldest_delivery_sec,
            heartbeats_per_sec=status.heartbeats_per_sec,
            subscribers=status.subscribers,
            mongo=status.mongo,
            redis=status.redis,
            ticks=[
                TickStatus(
                    name=tick.record.name,
                    last_finished_at=tick.record.last_finished_at,
                    duration_sec=tick.record.duration_sec,
                    late=tick.late,
                    last_error=tick.record.last_error,
                )
                for tick in status.ticks
            ],
        )
