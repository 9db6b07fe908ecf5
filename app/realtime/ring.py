"""The newest stretch of the log, in memory: it spares the database the replays of a deploy."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.alert import AlertEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a lane. Without an event, everything up to `seq` is lost: who follows the lane has to start anew."""

    lane: int
    seq: int
    event: AlertEvent | None


class Ring:
    """The last entries that were handed on, each under an index of this process that only grows."""

    def __init__(self, capacity: int, positions: Mapping[int, int]) -> None:
        self._slots: list[Entry | None] = [None] * capacity
        self._floors = dict(positions)
        self.end = 0

    @property
    def first(self) -> int:
        return max(0, self.end - len(self._slots))

    def put(self, entry: Entry) -> None:
        slot = self.end % len(self._slots)
        if (lost := self._slots[slot]) is not None:
            self._floors[lost.lane] = lost.seq
        self._slots[slot] = entry
        self.end += 1

    def at(self, index: int) -> Entry:
        """Raises IndexError for what is no longer, or not yet, here."""
        entry = self._slots[index % len(self._slots)] if self.first <= index < self.end else None
        if entry is None:
            raise IndexError(index)
        return entry

    def floor(self, lane: int) -> int:
        """Everything of the lane behind this place is here."""
        return self._floors[lane]

    def covers(self, positions: Mapping[int, int]) -> bool:
        """Whether everything behind these places is here."""
        return all(seq >= self._floors[lane] for lane, seq in positions.items())
