"""Group commit: what arrives together is written together, and every caller hears once its own part is stored."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import UnavailableError

Item = TypeVar("Item")


@dataclass(slots=True)
class _Waiting(Generic[Item]):
    items: Sequence[Item]
    stored: "asyncio.Future[None]"


class GroupCommit(Generic[Item]):
    """One writer: a caller joins the group that goes next and waits for its commit.

    `batch` is how many items go together where several callers meet; `capacity` is how many may wait.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[None]], batch: int, capacity: int) -> None:
        self._write = write
        self._batch = batch
        self._capacity = capacity
        self._queue: deque[_Waiting[Item]] = deque()
        self._queued = 0
        self._writer: asyncio.Task[None] | None = None

    async def take(self, items: Sequence[Item]) -> None:
        """Returns once the items are stored.

        Raises UnavailableError when too many wait already, and whatever the write raises; then nothing was acknowledged.
        """
        if self._queued + len(items) > self._capacity:
            raise UnavailableError("more is waiting to be written than can be taken", retry_after_sec=1)
        waiting = _Waiting(items, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._queued += len(items)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="group_commit")
        await waiting.stored

    async def drain(self) -> None:
        """Waits until everything that was taken is stored or refused."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write_all(self) -> None:
        while self._queue:
            # Lets every caller that is ready now join: what arrived together is written together.
            await asyncio.sleep(0)
            group = self._next_group()
            try:
                await self._write([one for waiting in group for one in waiting.items])
            except Exception as error:  # noqa: BLE001 - the callers' to know, whatever it is
                _fail(group, error)
            except BaseException as error:
                # Nobody writes any more: whoever is in the queue would wait for ever.
                _fail([*group, *self._queue], error)
                self._queue.clear()
                self._queued = 0
                raise
            else:
                for waiting in group:
                    if not waiting.stored.done():
                        waiting.stored.set_result(None)

    def _next_group(self) -> list[_Waiting[Item]]:
        group = [self._queue.popleft()]
        size = len(group[0].items)
        while self._queue and size + len(self._queue[0].items) <= self._batch:
            group.append(self._queue.popleft())
            size += len(group[-1].items)
        self._queued -= size
        return group


def _fail(group: Iterable[_Waiting[Item]], error: BaseException) -> None:
    for waiting in group:
        if not waiting.stored.done():
            waiting.stored.set_exception(error)
