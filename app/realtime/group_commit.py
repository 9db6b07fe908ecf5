"""Group commit: what arrives together is written together, and every caller hears once its own part is stored. What is asked
together may be read together in the same way."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFullError(UnavailableError):
    """More waits to be written than can be taken; this was not."""


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    items: Sequence[Item]
    stored: "asyncio.Future[Result]"


class GroupCommit(Generic[Item, Result]):
    """A caller joins the group that goes next, waits for its commit, and is given what the write gave.

    `batch` is how many items go together where several callers meet; `capacity` is how many may wait. Up to `at_once` writes are
    under way at the same time: while the database flushes one, the next is made ready. Beside one that is under way another begins
    only where `enough` items wait: small writes cost more for each.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Result]],
        batch: int,
        capacity: int,
        at_once: int = 1,
        enough: int = 1,
    ) -> None:
        self._write = write
        self.batch = batch
        self.capacity = capacity
        self.at_once = at_once
        self.enough = enough
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._queued = 0
        self._writers: set[asyncio.Task[None]] = set()
        self._gathering = False

    async def take(self, items: Sequence[Item]) -> Result:
        """Returns once the items are stored.

        Raises QueueFullError when too many wait already, and whatever the write raises; then nothing was acknowledged.
        """
        if self._queued + len(items) > self.capacity:
            raise QueueFullError("more is waiting than can be taken", retry_after_sec=1)
        waiting: _Waiting[Item, Result] = _Waiting(items, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._queued += len(items)
        if not self._gathering and self._is_worth_a_write(beside=self._under_way()):
            self._gathering = True
            # It writes for many callers: in a context of its own nothing is logged as the request of whoever came first.
            writer = asyncio.create_task(self._write_all(), name="group_commit", context=contextvars.Context())
            self._writers.add(writer)
            writer.add_done_callback(self._has_ended)
        return await waiting.stored

    async def drain(self) -> None:
        """Waits until everything that was taken is stored or refused."""
        while self._writers:
            await asyncio.wait(set(self._writers))

    def _has_ended(self, writer: asyncio.Task[None]) -> None:
        """One that was cancelled, perhaps before its first step, or killed: whoever is in the queue would wait for ever."""
        self._writers.discard(writer)
        error = asyncio.CancelledError() if writer.cancelled() else writer.exception()
        if error is not None:
            _fail(self._queue, error)
            self._queue.clear()
            self._queued, self._gathering = 0, False

    def _under_way(self) -> int:
        """One that is done stays among the writers for a moment longer."""
        return sum(not writer.done() for writer in self._writers)

    def _is_worth_a_write(self, beside: int) -> bool:
        return beside == 0 or (beside < self.at_once and self._queued >= self.enough)

    async def _write_all(self) -> None:
        """One writer at a time gathers what waits; `_gathering` is its own from before the first step."""
        while True:
            # Lets every caller that is ready now join: what arrived together is written together.
            await asyncio.sleep(0)
            self._gathering = False
            if not self._queue:
                return
            await self._write_group(self._next_group())
            if self._gathering or not self._queue or not self._is_worth_a_write(beside=self._under_way() - 1):
                return  # another writer takes what waits
            self._gathering = True

    async def _write_group(self, group: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            result = await self._write([one for waiting in group for one in waiting.items])
        except BaseException as error:
            _fail(group, error)
            if not isinstance(error, Exception):
                raise
        else:
            for waiting in group:
                if not waiting.stored.done():
                    waiting.stored.set_result(result)

    def _next_group(self) -> list[_Waiting[Item, Result]]:
        group = [self._queue.popleft()]
        size = len(group[0].items)
        while self._queue and size + len(self._queue[0].items) <= self.batch:
            group.append(self._queue.popleft())
            size += len(group[-1].items)
        self._queued -= size
        return group


def _fail(group: Iterable[_Waiting[Item, Result]], error: BaseException) -> None:
    for waiting in group:
        if not waiting.stored.done():
            waiting.stored.set_exception(error)
