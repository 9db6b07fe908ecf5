"""The process of `bench.load.sockets`, from the outside."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bench.load.sockets import SocketReport, Sockets
from bench.rounds import LostError

_CONNECT_SEC = 60.0
_PROVE_EVERY_SEC = 0.5


class Subscribers:
    """Sockets that are open in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process, report: Path) -> None:
        self._process = process
        self._report = report

    async def until_live(self, prove: Callable[[], Awaitable[None]]) -> None:
        """Publishes proofs until every socket has seen one: then nothing that follows may be missed by any."""
        ready = asyncio.create_task(self._hear("ready"))
        async with asyncio.timeout(_CONNECT_SEC):
            while not ready.done():
                await prove()
                await asyncio.wait([ready], timeout=_PROVE_EVERY_SEC)
        await ready

    async def until_complete(self, patience: float) -> bool:
        """Whether everything came in time."""
        try:
            async with asyncio.timeout(patience):
                await self._hear("complete")
        except TimeoutError:
            return False
        return True

    async def report(self) -> SocketReport:
        assert self._process.stdin is not None
        self._process.stdin.write(b"end\n")
        async with asyncio.timeout(_CONNECT_SEC):
            while await self._next() != "reported":
                continue
        return msgspec.json.decode(self._report.read_bytes(), type=SocketReport)

    async def _next(self) -> str:
        assert self._process.stdout is not None
        said = await self._process.stdout.readline()
        if not said:
            raise LostError("the subscribers ended before they reported")
        return said.decode().strip()

    async def _hear(self, word: str) -> None:
        said = await self._next()
        if said != word:
            raise LostError(f"the subscribers said {said!r} instead of {word!r}")


@asynccontextmanager
async def subscribed(sockets: Sockets) -> AsyncIterator[Subscribers]:
    """Subscribers once each was acknowledged; their process is ended with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.load.sockets",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(sockets) + b"\n")
        subscribers = Subscribers(process, Path(sockets.report))
        async with asyncio.timeout(_CONNECT_SEC):
            await subscribers._hear("subscribed")
        yield subscribers
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
