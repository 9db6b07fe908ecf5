"""Who wants to be woken for what. A wake carries nothing: whoever wakes looks for itself."""

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Wakes(Generic[Key]):
    """Events of sleepers, by what they sleep for; a sleeper for every key is one for None."""

    def __init__(self) -> None:
        self._sleepers: dict[Key | None, set[asyncio.Event]] = {}

    @contextmanager
    def sleeper(self, keys: Iterable[Key] | None, event: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
        """An event that is set at every wake of one of these keys, of any key for None, until the block ends."""
        event = event or asyncio.Event()
        chosen: list[Key | None] = [None] if keys is None else list(keys)
        for key in chosen:
            self._sleepers.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            for key in chosen:
                self._sleepers[key].discard(event)
                if not self._sleepers[key]:
                    del self._sleepers[key]

    def has_sleepers(self, key: Key) -> bool:
        return key in self._sleepers or None in self._sleepers

    def wake(self, key: Key) -> None:
        for chosen in (key, None):
            for event in self._sleepers.get(chosen, ()):
                event.set()

    def wake_all(self) -> None:
        for events in self._sleepers.values():
            for event in events:
                event.set()


async def nap(event: asyncio.Event, seconds: float | None) -> None:
    """Sleeps until the event is set, or for so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
