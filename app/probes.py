"""What operators and their tools ask: is it alive, is it ready, how is it."""

from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app import telemetry
from app.context import Context
from app.realtime.hub import Hub
from app.store.indexes import missing_indexes
from app.system import evaluation_lag_sec, oldest_delivery_sec
from jobs.queue import Queue


@dataclass(slots=True)
class Probes:
    """`/healthz`, `/readyz` and `/metrics` of one process."""

    context: Context
    hub: Hub
    queue: Queue
    indexes_there: bool = False

    async def healthz(self, _: Request) -> Response:
        """The process runs its loop: restarting it would not help, whatever else is wrong."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """Whether to send traffic here. Without Redis everything goes on, a second later, so that is said and no reason to refuse."""
        body: dict[str, object] = {
            "mongo": "away",
            "indexes": "unknown",
            "redis": "here" if await self.context.bus.ping() else "away",
        }
        try:
            await self.context.mongo.ping()
            body["mongo"] = "here"
            missing = [] if self.indexes_there else await missing_indexes(self.context.mongo)
            self.indexes_there = not missing
            body["indexes"] = "missing: " + ", ".join(missing) if missing else "there"
            body["workers"] = len(await self.context.store.workers.alive(self.context.clock.now()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is: not ready
            body["error"] = type(error).__name__
        ready = body["mongo"] == "here" and self.indexes_there
        return JSONResponse({"ready": ready, **body}, 200 if ready else 503)

    async def metrics(self, _: Request) -> Response:
        await self._look()
        return Response(generate_latest(telemetry.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    async def _look(self) -> None:
        telemetry.SUBSCRIBERS.set(self.hub.subscribers)
        telemetry.STREAM_EVENTS.set(self.hub.events_seen)
        telemetry.STREAM_HOLES.set(self.hub.holes)
        telemetry.STREAM_RESYNCS.set(self.hub.resyncs)
        telemetry.REDIS_UP.set(1 if self.context.bus.alive else 0)
        depth = await self.queue.depth()
        telemetry.QUEUE_DEPTH.set(-1 if depth is None else depth)
        now = self.context.clock.now()
        telemetry.EVALUATION_LAG.set(await evaluation_lag_sec(self.context))
        telemetry.WORKERS.set(len(await self.context.store.workers.alive(now)))
        telemetry.DELIVERY_QUEUE.set(await self.context.store.delivery_figures.unfinished())
        telemetry.OLDEST_DELIVERY.set(await oldest_delivery_sec(self.context))
        for labels, count in (await self.context.store.delivery_figures.outcomes()).items():
            telemetry.DELIVERIES.labels(*labels).set(count)
        for tick in await self.context.store.leases.ticks():
            telemetry.TICK_SECONDS.labels(tick.name).set(tick.duration_sec or 0)
            if tick.last_finished_at is not None:
                telemetry.TICK_AGE.labels(tick.name).set((now - tick.last_finished_at).total_seconds())
