"""A question that many ask at once is put to the database once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_KEPT = 1_000


class SharedReads:
    """The last answers, by question. An answer serves everybody for whom its reading began late enough."""

    def __init__(self) -> None:
        self._reads: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    async def ask(self, question: Hashable, read: Callable[[], Awaitable[Answer]], not_before: float) -> Answer:
        """`not_before` is a time of the event loop; what was read before it is too old."""
        started, answer = self._reads.get(question, (float("-inf"), None))
        if answer is None or started < not_before or answer.cancelled() or (answer.done() and answer.exception() is not None):
            answer = asyncio.ensure_future(read())
            self._reads.pop(question, None)
            self._reads[question] = (asyncio.get_running_loop().time(), answer)
            if len(self._reads) > _KEPT:
                del self._reads[next(iter(self._reads))]
        # Somebody who goes away must not take the answer from the others.
        result: Answer = await asyncio.shield(answer)
        return result
