"""A plain client: GraphQL over HTTP, and graphql-transport-ws with every frame kept in order."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

Answer = dict[str, Any]


class RefusedError(Exception):
    """An answer with errors."""

    def __init__(self, errors: list[Answer]) -> None:
        super().__init__(json.dumps(errors))
        self.errors = errors
        self.codes = [error["extensions"]["code"] for error in errors]


class Api:
    """One caller at one address."""

    def __init__(self, session: aiohttp.ClientSession, url: str, authorization: str) -> None:
        self._session = session
        self._url = url
        self.authorization = authorization

    async def raw(self, query: str, **variables: Any) -> Answer:
        headers = {"authorization": self.authorization}
        async with self._session.post(self._url, json={"query": query, "variables": variables}, headers=headers) as response:
            answer: Answer = await response.json(content_type=None)
            return answer

    async def ask(self, query: str, **variables: Any) -> Answer:
        answer = await self.raw(query, **variables)
        if answer.get("errors"):
            raise RefusedError(answer["errors"])
        data: Answer = answer["data"]
        return data

    @asynccontextmanager
    async def subscribe(self, query: str, **variables: Any) -> AsyncIterator["Stream"]:
        """An open subscription, acknowledged by the server."""
        url = self._url.replace("http", "ws", 1)
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], max_size=None) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": self.authorization}}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}}))
            # The answer to a ping comes behind the subscribe: from here on nothing is missed.
            await socket.send(json.dumps({"type": "ping"}))
            stream = Stream(socket)
            await stream.until_pong()
            yield stream


class Stream:
    """What came over a subscription."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._early: list[Answer] = []

    async def until_pong(self) -> None:
        async for frame in self._frames():
            if frame["type"] == "pong":
                return
            self._early.append(frame)

    async def next(self, seconds: float = 20) -> Answer:
        """The data of the next event. Raises TimeoutError, and RefusedError for an `error` frame."""
        async with asyncio.timeout(seconds):
            frame = self._early.pop(0) if self._early else await anext(self._frames())
        if frame["type"] == "error":
            raise RefusedError(frame["payload"])
        assert frame["type"] == "next", frame
        if frame["payload"].get("errors"):
            raise RefusedError(frame["payload"]["errors"])
        data: Answer = frame["payload"]["data"]
        return data

    async def take(self, count: int, seconds: float = 20) -> list[Answer]:
        async with asyncio.timeout(seconds):
            return [await self.next(seconds) for _ in itertools.repeat(None, count)]

    async def _frames(self) -> AsyncIterator[Answer]:
        async for text in self.socket:
            frame: Answer = json.loads(text)
            yield frame
