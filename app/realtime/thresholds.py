"""Who is to be looked at once something has grown so far: sorted, so that the others are not looked at."""

import heapq
import itertools
from typing import Generic, Protocol, TypeVar


class Mortal(Protocol):
    alive: bool


Whoever = TypeVar("Whoever", bound=Mortal)


class Thresholds(Generic[Whoever]):
    """Of those who are alive; what the dead left is cleared away once it is half of all."""

    _SMALL = 64

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Whoever]] = []
        self._numbers = itertools.count()
        self._clear_at = self._SMALL

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, at: float, whoever: Whoever) -> None:
        heapq.heappush(self._entries, (at, next(self._numbers), whoever))
        if len(self._entries) > self._clear_at:
            self._entries = [entry for entry in self._entries if entry[2].alive]
            heapq.heapify(self._entries)
            self._clear_at = max(self._SMALL, 2 * len(self._entries))

    def reached(self, at: float) -> list[Whoever]:
        """Takes out those whose threshold is not above this, each once."""
        found: dict[Whoever, None] = {}
        while self._entries and self._entries[0][0] <= at:
            whoever = heapq.heappop(self._entries)[2]
            if whoever.alive:
                found[whoever] = None
        return list(found)
