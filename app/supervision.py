"""Loops that must not end: what goes wrong in them is said, and they are started again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import structlog

AGAIN_AFTER_SEC = 1.0
_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running(name: str, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `work` beside the body of the `async with`, again whenever it ends, and ends it with the body."""
    task = asyncio.create_task(_again_and_again(name, work), name=name)
    try:
        yield
    finally:
        # Again and again: a cancellation that meets a timeout in a library below may be taken for that timeout, and lost.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.5)


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Waits until `work` has ended, however often this is cancelled meanwhile: whoever stops a loop does so again and again."""
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.result()


async def _again_and_again(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the loop has to go on
            _log.exception("loop.failed", loop=name, error=type(error).__name__)
        await asyncio.sleep(AGAIN_AFTER_SEC)
