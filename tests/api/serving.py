"""A real server on a free port, for clients that know nothing of ASGI."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

AT_ONCE_SEC = 10.0


class QuietServer(uvicorn.Server):
    """uvicorn, leaving the signals to pytest."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self.told_to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def main_loop(self) -> None:
        """uvicorn looks ten times a second whether to stop; a test does not wait for that."""
        await self.told_to_stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Served:
    """An application that listens."""

    def __init__(self, app: ASGIApp, **config: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.http = f"http://127.0.0.1:{self.port}"
        self.ws = f"ws://127.0.0.1:{self.port}"
        settings = {"ws": "schema.websocket_protocol:AbortingWebSocketProtocol", "log_config": None, "lifespan": "off"} | config
        self._server = QuietServer(uvicorn.Config(app, **settings))
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def listening(self) -> None:
        async with asyncio.timeout(AT_ONCE_SEC):
            await self._server.listens.wait()

    @property
    def closes(self) -> bool:
        """Whether it takes no more connections."""
        return self._socket.fileno() < 0

    @property
    def connections(self) -> list[Any]:
        """The protocol of each open connection."""
        return list(self._server.server_state.connections)

    async def stop(self) -> None:
        self._server.told_to_stop.set()
        async with asyncio.timeout(AT_ONCE_SEC):
            await self._task


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`served = await serve(app)`; keyword arguments go to `uvicorn.Config`."""
    running: list[Served] = []

    async def start(app: ASGIApp, **config: Any) -> Served:
        served = Served(app, **config)
        running.append(served)
        await served.listening()
        return served

    yield start
    for served in running:
        await served.stop()
