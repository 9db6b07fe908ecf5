"""What the transport is given from outside, and how wide its limits are."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import HTTPConnection

from app.context import Context
from schema.compiled.operations import CompiledOperations
from schema.engine import FleetbeatSchema
from schema.errors import Classify, ErrorPresenter, nothing_known
from schema.shared_stream import SharedStreams


class Expiring(Protocol):
    """What the transport knows of a principal."""

    @property
    def expires_at(self) -> datetime | None: ...


Authenticate = Callable[[str | None, str | None], Awaitable[Expiring]]
"""From the authorization string and the address to a principal; raises a `FleetbeatError` where it does not hold."""

MakeContext = Callable[[Any], object]
"""From what `Authenticate` gave to the context of one operation, with loaders of its own."""


Recalling = Callable[[str | None, str | None], Callable[[], Expiring | None]]
"""As `Authenticate`, of what that has answered a moment ago, for who calls again and again; None where it has to be asked."""


def remembering_nobody(_authorization: str | None, _address: str | None) -> Callable[[], None]:
    """A `Recalling` for an application that remembers nobody."""
    return lambda: None


@dataclass(frozen=True, slots=True)
class Seams:
    """The application behind the transport."""

    authenticate: Authenticate
    make_context: MakeContext
    now: Callable[[], datetime]
    classify: Classify = nothing_known
    context: Context | None = None
    """What compiled operations call their use cases with; without it there are none."""
    recalling: Recalling = remembering_nobody


@dataclass(frozen=True, slots=True)
class TransportOptions:
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 16 * 1024 * 1024
    graphql_ide: bool = False
    init_timeout_sec: float = 10.0
    send_timeout_sec: float = 30.0
    max_operations: int = 100


@dataclass(frozen=True, slots=True)
class Transport:
    """What HTTP and sockets share."""

    seams: Seams
    options: TransportOptions
    presenter: ErrorPresenter


class Served(Protocol):
    """What a socket needs of the application that it belongs to."""

    schema: FleetbeatSchema
    transport: Transport
    compiled: CompiledOperations | None
    sockets: dict[asyncio.Future[None], Any]
    """Connections, by what is done when nothing of them is left."""

    streams: SharedStreams
    draining: bool


def address_of(connection: HTTPConnection) -> str | None:
    return connection.client.host if connection.client is not None else None
