"""The toy, and two clients that say exactly what they are told to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from schema.transport import TransportOptions
from tests.api.serving import Serve, Served
from tests.api.transport.toy import World, toy_app


class Peer:
    """A socket client without any manners of its own."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def say_raw(self, frame: str | bytes) -> None:
        await self.connection.send(frame)

    async def hear(self) -> dict[str, Any]:
        frame = await self.connection.recv()
        assert isinstance(frame, str)
        message: dict[str, Any] = json.loads(frame)
        return message

    async def init(self, authorization: str | None = None) -> None:
        payload = {} if authorization is None else {"payload": {"authorization": authorization}}
        await self.say({"type": "connection_init", **payload})
        assert await self.hear() == {"type": "connection_ack"}

    async def subscribe(self, query: str, operation_id: str = "1", **payload: Any) -> None:
        await self.say({"id": operation_id, "type": "subscribe", "payload": {"query": query, **payload}})

    async def closed(self) -> tuple[int, str]:
        with suppress(ConnectionClosed):
            while True:
                await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


async def connected(url: str, **arguments: Any) -> Peer:
    return Peer(await connect(url, **{"subprotocols": [Subprotocol("graphql-transport-ws")], **arguments}))


def asking(app: ASGIApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url="http://fleetbeat.test", transport=httpx2.ASGITransport(app))


Dial = Callable[..., Awaitable[Peer]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def options() -> TransportOptions:
    return TransportOptions(max_body_bytes=4_096)


@pytest.fixture
async def toy(serve: Serve, world: World, options: TransportOptions) -> Served:
    return await serve(toy_app(world, options))


@pytest.fixture
async def dial(toy: Served) -> AsyncIterator[Dial]:
    peers: list[Peer] = []

    async def dialled(**arguments: Any) -> Peer:
        peer = await connected(toy.ws, **arguments)
        peers.append(peer)
        return peer

    yield dialled
    for peer in peers:
        await peer.connection.close()


@pytest.fixture
async def http(world: World, options: TransportOptions) -> AsyncIterator[httpx2.AsyncClient]:
    """Without a server between: the audits go through one."""
    async with asking(toy_app(world, options)) as client:
        yield client
