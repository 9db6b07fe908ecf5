"""Coroutines whose first step is taken at once, by whoever begins them; a task is made only of those that have to wait.

So do the eager tasks of Python 3.12. Here there is no task yet in the first step: nothing in it may ask for the current one, as
`asyncio.timeout` does.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from typing import Any


def begun(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """The task that does the rest, in a context of its own; None where nothing is left to do. Raises what the first step does."""
    context = contextvars.copy_context()
    try:
        waits_for = context.run(work.send, None)
    except StopIteration:
        return None
    return loop.create_task(_Rest(work, waits_for), context=context)


class _Rest(Coroutine[Any, Any, None]):
    """What a task is given of a coroutine that was begun: first what it waits for, as if it had just come to that, then itself.

    No coroutine around it: a task that is cancelled before its first step would not get as far as the one inside.
    """

    __slots__ = ("_waits_for", "_was_told", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for
        self._was_told = False

    def send(self, value: Any) -> Any:
        if self._was_told:
            return self._work.send(value)
        self._was_told = True
        waits_for, self._waits_for = self._waits_for, None
        return waits_for

    def throw(self, *error: Any) -> Any:
        self._was_told = True
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        raise TypeError("it is for a task alone")
