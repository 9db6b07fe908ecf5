"""A worker that is killed between any two calls of the database: from then on it does nothing more."""

import asyncio
import functools
import inspect
from dataclasses import replace
from typing import Any

from app.context import Context


class KilledError(BaseException):
    """No program catches it: the process is no more."""


class Fuse:
    """Burns down with each call, before and after it; at the end it kills. Without a length it never does."""

    def __init__(self, length: int | None) -> None:
        self.left = length
        self.burnt = asyncio.Event()

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.burnt.set()
            raise KilledError


class Mortal:
    """Whatever it stands for, as one that has the fuse sees it."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not inspect.iscoroutinefunction(found):
            return found if callable(found) or isinstance(found, (str, int)) else Mortal(found, self._fuse)

        @functools.wraps(found)
        async def call(*args: Any, **named: Any) -> Any:
            self._fuse.burn()
            answer = await found(*args, **named)
            self._fuse.burn()
            return answer

        return call


def mortal(context: Context, fuse: Fuse) -> Context:
    """The context of a worker that dies when the fuse has burnt down."""
    stores: Any = Mortal(context.store, fuse)
    return replace(context, store=stores)


async def until_killed(work: "asyncio.Task[Any]", fuse: Fuse) -> bool:
    """Waits until the work is done, or the worker is killed; whether it was."""
    killing = asyncio.create_task(fuse.burnt.wait())
    try:
        await asyncio.wait([work, killing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        killing.cancel()
        work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return fuse.burnt.is_set()
