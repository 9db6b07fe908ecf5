"""A real server on the loopback that takes webhooks and answers as it is told to."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.body)
        return said


@dataclass
class Receiver:
    """`always` has what a path is answered each time. Else `answers` are given one after the other: a status, or "reset", "amid" (cut in the head), "half" (cut in the body), "hang" (until it is `over`), "late" (200 when it is `over`),
    "refused, in half" or "endless"; then 200. `body` and `headers` go with every status."""

    url: str = ""
    answers: list[int | str] = field(default_factory=list)
    always: dict[str, int | str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    calls: list[Call] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> list[Call]:
        async with asyncio.timeout(20):
            while len(self.calls) < count:
                self._came.clear()
                await self._came.wait()
        return self.calls

    def events(self, path: str = "/hook") -> list[str]:
        return [call.said["event"] for call in self.calls if call.path == path]

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(Call(request.path, dict(request.headers), await request.read()))
        self._came.set()
        answer = self.always.get(request.path) or (self.answers.pop(0) if self.answers else 200)
        if isinstance(answer, int):
            return web.Response(status=answer, headers=self.headers, body=self.body)
        assert request.transport is not None
        if answer == "late":
            await self.over.wait()
            return web.Response()
        if answer == "hang":
            await self.over.wait()
        if answer == "endless":
            await _pour(request)
        request.transport.write(_BEGUN.get(answer, b""))
        if answer in _BEGUN:
            request.transport.close()
        else:
            request.transport.abort()
        return web.Response()


_BEGUN = {
    "amid": b"HTTP/1.1 200 O",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nhalf",
    "refused, in half": b"HTTP/1.1 404 Not Found\r\nContent-Length: 900000\r\n\r\nhalf",
}


async def _pour(request: web.Request) -> None:
    """Far more than anybody wants to read: until who asked hangs up."""
    answer, chunk = web.StreamResponse(), b"x" * 65_536
    await answer.prepare(request)
    while True:
        await answer.write(chunk)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        receiver.over.set()
        await runner.cleanup()
