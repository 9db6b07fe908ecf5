"""A twin behind a real server, and requests to it that are bytes and nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from app.main import Api
from app.request_log import RequestLog
from schema.http_protocol import STATE, ShortWayProtocol
from tests.api.serving import Serve, Served
from tests.compiled.twins import Twin

_CHANCE = re.compile(rb"^(date: [^\r]*|x-request-id: [0-9a-f]{32})\r\n", re.MULTILINE)


class CountingProtocol(ShortWayProtocol):
    """Counts the calls that went the short way."""

    short = 0

    def _take(self, data: bytes) -> bool:
        taken = super()._take(data)
        CountingProtocol.short += taken
        return taken


def application(twin: Twin) -> Api:
    """As `create_app` puts it together."""

    @asynccontextmanager
    async def lifespan(app: Api) -> AsyncIterator[dict[str, Any]]:
        app.router.routes.extend((Route("/graphql", twin.graphql), WebSocketRoute("/graphql", twin.graphql)))
        app.graphql = RequestLog(twin.graphql)
        yield {STATE: twin.graphql}

    cors = Middleware(CORSMiddleware, allow_origins=["https://here.example"], allow_methods=["GET", "POST"])
    return Api(middleware=[Middleware(RequestLog), cors], lifespan=lifespan)


async def served(twin: Twin, serve: Serve, *, short: bool) -> Served:
    """With the short way, or with uvicorn's protocol as it is."""
    http = CountingProtocol if short else "httptools"
    return await serve(application(twin), http=http, lifespan="on", access_log=False, server_header=False)


def request(body: bytes, *lines: str, start: str = "POST /graphql HTTP/1.1", length: str | None = None) -> bytes:
    """`lines` are headers beside those that every client sends; without a `length` the right one is said."""
    said = str(len(body)) if length is None else length
    head = [start, "Host: here", "Content-Type: application/json", *lines, f"Content-Length: {said}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class _Hearing(asyncio.Protocol):
    """Keeps what was said before a reset, which a `StreamReader` throws away: who closes with something unread resets."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


async def exchange(port: int, *chunks: bytes) -> bytes:
    """All that a server says until it closes the connection. Each chunk has been read before the next is sent."""
    transport, hearing = await asyncio.get_running_loop().create_connection(_Hearing, "127.0.0.1", port)
    for chunk in chunks:
        transport.write(chunk)
        if len(chunks) > 1:
            await _passed_by(port)
    async with asyncio.timeout(10):
        await hearing.over.wait()
    return without_chance(bytes(hearing.heard))


async def _passed_by(port: int) -> None:
    """What was sent before an answer to somebody else came, has been read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n")
    await reader.read()
    await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def without_chance(heard: bytes) -> bytes:
    """Without the time, and without ids that nobody gave."""
    return _CHANCE.sub(b"", heard)


class Kept:
    """A connection that is kept alive; it reads one answer after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Kept":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, body: bytes, **headers: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body, as `Twin.post` gives them."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write(request(body, *lines))
        head = without_chance(await self._reader.readuntil(b"\r\n\r\n"))
        start, *rest = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        said = [(name, value) for name, _, value in (line.partition(b": ") for line in rest)]
        return int(start.split(b" ")[1]), said, await self._reader.readexactly(int(dict(said)[b"content-length"]))

    def say(self, *texts: bytes) -> None:
        self._writer.write(b"".join(texts))

    async def rest(self) -> bytes:
        async with asyncio.timeout(10):
            heard = await self._reader.read()
        await self.close()
        return without_chance(heard)

    async def close(self) -> None:
        await _closed(self._writer)


@dataclass
class Short:
    """A twin and a connection to it."""

    twin: Twin
    connection: Kept
