"""A small schema with every way to answer and to fail, and the world around it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import strawberry

from app.errors import (
    BadInputError,
    ConflictError,
    FieldError,
    FleetbeatError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from schema.asgi import FleetbeatGraphQL, graphql_app
from schema.engine import FleetbeatSchema
from schema.scalars import JSON, Cursor
from schema.transport import Seams, TransportOptions

SECRET = "mongodb://root:hunter2@db"


class LostDatabaseError(Exception):
    """As a driver would raise it."""


@dataclass(frozen=True)
class Caller:
    name: str
    expires_at: datetime | None = None


@dataclass
class World:
    """What the tests watch and move."""

    contexts: list["ToyContext"] = field(default_factory=list)
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0

    async def authenticate(self, authorization: str | None, address: str | None) -> Caller:
        self.asked.append((authorization, address))
        token = (authorization or "Bearer anonymous").removeprefix("Bearer ")
        match token:
            case "bad":
                raise UnauthenticatedError("The token is not signed by us")
            case "down":
                raise UnavailableError("The database is away", 2)
            case "broken":
                raise RuntimeError(SECRET)
            case "lost":
                raise LostDatabaseError(SECRET)
            case "slow":
                await asyncio.Event().wait()
            case "gated":
                self.started.set()
                await self.go_on.wait()
                return Caller(token, datetime.now(UTC) + timedelta(hours=1))
            case "soon":
                return Caller(token, datetime.now(UTC) + timedelta(milliseconds=200))
            case "past":
                return Caller(token, datetime.now(UTC) - timedelta(seconds=1))
        return Caller(token)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Around a stream: what is counted here must be gone when the connection is."""
        self.running += 1
        self.started.set()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.finished.set()


@dataclass
class ToyContext:
    world: World
    caller: Caller


Info = strawberry.Info[ToyContext, None]


@strawberry.type
class Node:
    name: str

    @strawberry.field
    def child(self) -> "Node":
        return Node(name=self.name + "'")

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError(SECRET)


@strawberry.input
class BeatInput:
    device_id: strawberry.ID
    cpu_usage: float | None = None
    sequence: int | None = None
    sent_at: datetime | None = None
    metrics: list["MetricInput"] | None = None


@strawberry.input
class MetricInput:
    name: str
    value: float


def _raise(error: Exception) -> str:
    raise error


def failing(make: Callable[[], Exception]) -> str:
    """A field that raises what `make` gives."""

    def resolver() -> str:
        return _raise(make())

    return strawberry.field(resolver=resolver)


@strawberry.type
class Query:
    crash: str | None = failing(lambda: RuntimeError(SECRET))
    lost: str | None = failing(lambda: LostDatabaseError(SECRET))
    missing: str | None = failing(lambda: NotFoundError("There is no such alert"))
    conflict: str | None = failing(lambda: ConflictError("It has moved on", {"version": 4}))
    refused: str | None = failing(lambda: BadInputError([FieldError("a", "is bad"), FieldError("b", "is worse")]))

    @strawberry.field
    def echo(self, text: str = "hello") -> str:
        return text

    @strawberry.field
    def number(self, value: float) -> float:
        return value

    @strawberry.field
    def whole(self, value: int = 3) -> int:
        return value

    @strawberry.field
    def too_big(self) -> int | None:
        return 2**40

    @strawberry.field
    def time(self, at: datetime) -> datetime:
        return at

    @strawberry.field
    def any(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def cursor(self, after: Cursor) -> Cursor:
        return after

    @strawberry.field
    def node(self, name: str = "n") -> Node | None:
        return Node(name=name)

    @strawberry.field
    def caller(self, info: Info) -> str:
        return info.context.caller.name


@strawberry.type
class Mutation:
    @strawberry.mutation
    def beat(self, beat: Annotated[BeatInput, strawberry.argument(name="input")]) -> str:
        return f"{beat.device_id} {beat.cpu_usage}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def forever(self, info: Info) -> AsyncGenerator[int, None]:
        world = info.context.world
        with world.run():
            yield 0
            await world.go_on.wait()
            yield 1
            await asyncio.Event().wait()

    @strawberry.subscription
    async def nodes(self) -> AsyncGenerator[Node | None, None]:
        yield Node(name="first")
        yield Node(name="second")

    @strawberry.subscription
    async def turned_away(self) -> AsyncGenerator[int, None]:
        yield len(_raise(NotFoundError("There is no such tenant")))

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        yield 0
        raise RuntimeError(SECRET)

    @strawberry.subscription
    async def flood(self, info: Info) -> AsyncGenerator[str, None]:
        with info.context.world.run():
            while True:
                yield "x" * 65_536


def classify(error: BaseException) -> FleetbeatError | None:
    return UnavailableError("The database is away", 2) if isinstance(error, LostDatabaseError) else None


SCHEMA = FleetbeatSchema(Query, Mutation, Subscription)


def toy_app(world: World, options: TransportOptions | None = None, schema: FleetbeatSchema = SCHEMA) -> FleetbeatGraphQL:
    def make_context(caller: Caller) -> ToyContext:
        context = ToyContext(world, caller)
        world.contexts.append(context)
        return context

    seams = Seams(world.authenticate, make_context, lambda: datetime.now(UTC), classify)
    return graphql_app(schema, seams, options)
