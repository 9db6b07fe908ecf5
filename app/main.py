"""The composition root of an API process: settings in, an ASGI application out."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.asked import note_principal
from app.auth import authenticate, recalling
from app.context import Context, open_context
from app.domain.silence import GAP
from app.http_headers import headers_of
from app.principal import Principal
from app.probes import Probes
from app.realtime.hub import Hub
from app.request_log import RequestLog
from app.settings import Settings
from app.store.indexes import ensure_collections
from app.store.intakes import IntakeRecord
from app.store.mongo import classify
from app.supervision import running
from jobs.queue import Queue
from schema.alerts import alert
from schema.asgi import FleetbeatGraphQL, graphql_app
from schema.build import build_schema
from schema.context import OperationContext
from schema.http_protocol import STATE
from schema.transport import Seams, TransportOptions

SIGN_EVERY_SEC = 1.0
CORRECT_EVERY_SEC = 30.0
_log = structlog.get_logger(__name__)


class Api(Starlette):
    """Starlette, with a shorter way to `/graphql` for callers without an origin: programs and devices, not pages.

    What it leaves out is CORS, which has nothing to say to them, and the search for the route.
    """

    graphql: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        short = self.graphql is not None and scope["type"] == "http" and scope["path"] == "/graphql"
        if short and b"origin" not in headers_of(scope):
            assert self.graphql is not None
            await self.graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> Starlette:
    """The application; everything it needs is opened when it starts and closed in order when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Api) -> AsyncIterator[dict[str, Any]]:
        async with open_context(settings) as context, serving(context) as routes:
            app.router.routes.extend(routes)
            graphql = _graphql_among(routes)
            app.graphql = RequestLog(graphql)
            yield {STATE: graphql}

    if settings.device_auth == "off":
        _log.warning("device_auth.off", meaning="tenants may switch deviceAuth off; their devices then beat without a token")
    origins = list(settings.cors_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
        expose_headers=["x-request-id", "retry-after"],
    )
    return Api(middleware=[Middleware(RequestLog), *([cors] if origins else [])], lifespan=lifespan)


def _graphql_among(routes: Sequence[BaseRoute]) -> ASGIApp:
    return next(route.app for route in routes if isinstance(route, Route) and route.path == "/graphql")


@contextlib.asynccontextmanager
async def serving(context: Context) -> AsyncIterator[list[BaseRoute]]:
    """Everything an API process does beside answering, and the routes by which it answers."""
    await ensure_collections(context.mongo)
    queue = Queue(context.settings.redis_url)
    hub = Hub(context)
    graphql = _graphql(context, hub)
    probes = Probes(context, hub, queue)
    context.intake.on_recovery = _recoveries(context, queue)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(queue.close)
        context.errands.serve_by(queue.put)
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "hub": hub.run,
            "signs": partial(_give_signs, context, hub),
            "beacon": partial(_beacon, context),
            "time": partial(_keep_time, context),
        }
        for name, work in loops.items():
            await stack.enter_async_context(running(name, work))
        _log.info("api.started", process=os.getpid())
        yield [
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", graphql),
            Route("/healthz", probes.healthz),
            Route("/readyz", probes.readyz),
            Route("/metrics", probes.metrics),
        ]
        _log.info("api.draining", sockets=len(graphql.sockets))
        await graphql.drain()
        hub.stop()
        await context.intake.drain()
    _log.info("api.stopped")


def _graphql(context: Context, hub: Hub) -> FleetbeatGraphQL:
    settings = context.settings

    async def who(authorization: str | None, ip: str | None) -> Principal:
        principal = await authenticate(context, authorization, ip)
        note_principal(principal.id)
        return principal

    def known(authorization: str | None, ip: str | None) -> Callable[[], Principal | None]:
        recall = recalling(context, authorization, ip)

        def noted() -> Principal | None:
            principal = recall()
            if principal is not None:
                note_principal(principal.id)
            return principal

        return noted

    def operation(principal: Principal) -> OperationContext:
        return OperationContext(context, principal, hub, alert)

    seams = Seams(
        authenticate=who, make_context=operation, now=context.clock.now, classify=classify, context=context, recalling=known
    )
    options = TransportOptions(
        cors_origins=settings.cors_origins, max_body_bytes=settings.max_body_bytes, graphql_ide=settings.graphql_ide
    )
    return graphql_app(build_schema(), seams, options)


def _recoveries(context: Context, queue: Queue) -> Callable[[set[int]], Awaitable[None]]:
    """A device that was offline beats again: its lane is looked at now rather than at the next sweep, which is the fallback."""

    async def ring(lanes: set[int]) -> None:
        if not context.bus.alive:
            return
        for lane in lanes:
            await queue.put("sweep", f"back:{lane}", lane)

    return ring


async def _give_signs(context: Context, hub: Hub) -> None:
    """A sign of life each second, by the same way that beats go: where it does not get through, no beat does."""
    me = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
    beats, started = context.intake.figures.beats, asyncio.get_running_loop().time()
    while True:
        now = asyncio.get_running_loop().time()
        rate = (context.intake.figures.beats - beats) / max(now - started, 0.001)
        beats, started = context.intake.figures.beats, now
        record = IntakeRecord(
            id=me,
            at=context.clock.now(),
            beats_per_sec=round(rate, 2),
            subscribers=hub.subscribers,
            stream_lag_sec=round(hub.lag_sec, 3),
        )
        await context.store.intakes.sign(record, GAP)
        await asyncio.sleep(SIGN_EVERY_SEC)


async def _beacon(context: Context) -> None:
    while True:
        if await context.bus.ping():
            await context.bus.ring_beacon()
        await asyncio.sleep(SIGN_EVERY_SEC)


async def _keep_time(context: Context) -> None:
    while True:
        await asyncio.sleep(CORRECT_EVERY_SEC)
        await context.correct_clock()
