"""A subscriber's place in the log: replay and live are one way of reading, without a queue."""

import asyncio
from collections.abc import Mapping, Sequence

from app.domain.alert import AlertEvent
from app.domain.cursor import StreamCursor
from app.errors import UnavailableError
from app.realtime.follower import Follower
from app.realtime.interests import Standing
from app.realtime.ring import Entry

PAGE = 500
_READY_SEC = 5.0
_ANYWHERE = -1


class LogReader:
    """Positions in some lanes. Whoever takes an entry notes it with `had`, so that the positions are always a cursor."""

    def __init__(self, follower: Follower, lanes: Sequence[int]) -> None:
        self._follower = follower
        self._lanes = tuple(lanes)
        self._generation = follower.generation
        self._index = follower.ring.end
        self._replaying = False
        self.positions: dict[int, int] = {}

    async def begin(self, after: StreamCursor | None) -> bool:
        """Goes to the place of a cursor, or to the head; False where the cursor does not hold, and then it is the head too."""
        try:
            async with asyncio.timeout(_READY_SEC):
                await self._follower.ready.wait()
        except TimeoutError as error:
            raise UnavailableError("the stream cannot be read at the moment", retry_after_sec=2) from error
        self.go_to_head()
        if after is None:
            return True
        wanted = {lane: after.positions.get(lane, head) for lane, head in self.positions.items()}
        if after.epoch != self._follower.epoch or await self._is_lost(wanted):
            self.go_to_head()
            return False
        self.positions = wanted
        self._index = _ANYWHERE
        return True

    def go_to_head(self) -> None:
        self._generation = self._follower.generation
        self._index = self._follower.ring.end
        self.positions = {lane: self._follower.positions[lane] for lane in self._lanes}

    @property
    def has_all(self) -> bool:
        """Whether there is nothing to read; a cursor may be ahead of this process."""
        heads = self._follower.positions
        return all(seq >= heads[lane] for lane, seq in self.positions.items())

    @property
    def is_at_head(self) -> bool:
        heads = self._follower.positions
        return all(seq == heads[lane] for lane, seq in self.positions.items())

    def skip_to(self, standing: Standing) -> int:
        """Goes to a place before which nothing is of interest; how many events that were."""
        self._index, self._replaying = standing.index, False
        before, self.positions = (
            self.positions,
            {lane: max(seq, standing.positions[lane]) for lane, seq in self.positions.items()},
        )
        return sum(self.positions.values()) - sum(before.values())

    def had(self, entry: Entry) -> None:
        self.positions[entry.lane] = entry.seq

    async def read(self) -> list[Entry]:
        """The next page; empty at the head."""
        if self._generation != self._follower.generation:
            self.go_to_head()
            return [Entry(lane, seq, None) for lane, seq in list(self.positions.items())[:1]]
        ring = self._follower.ring
        if self._index < ring.first or self._replaying:
            if not ring.covers(self.positions):
                return await self._replay()
            self._replaying = False
            self._index = ring.first
        page: list[Entry] = []
        while self._index < ring.end and len(page) < PAGE:
            entry = ring.at(self._index)
            self._index += 1
            if entry.seq > self.positions.get(entry.lane, entry.seq):
                page.append(entry)
        return page

    async def _replay(self) -> list[Entry]:
        if not self._replaying:
            self._replaying = True
            self._follower.replays += 1
        heads = self._follower.positions
        behind = {lane: seq for lane, seq in self.positions.items() if seq < heads[lane]}
        ends = {lane: heads[lane] for lane in behind}
        events = await self._follower.store.after(behind, PAGE)
        return with_gaps(behind, ends if len(events) < PAGE else {}, events)

    async def _is_lost(self, wanted: Mapping[int, int]) -> bool:
        heads, ring = self._follower.positions, self._follower.ring
        if any(seq > heads[lane] for lane, seq in wanted.items()):
            # Another process may have been ahead of this one; the counters know.
            counters = await self._follower.store.positions()
            if any(seq > counters[lane] for lane, seq in wanted.items()):
                return True
        behind = [lane for lane, seq in wanted.items() if seq < min(heads[lane], ring.floor(lane))]
        oldest = await self._follower.store.oldest(behind) if behind else {}
        return any(lane not in oldest or oldest[lane] > wanted[lane] + 1 for lane in behind)


def with_gaps(behind: Mapping[int, int], ends: Mapping[int, int], events: Sequence[AlertEvent]) -> list[Entry]:
    """Events, by lane and sequence, as entries, and an entry without an event for whatever is missing between them.

    `ends` says how far lanes reach that were read to their end.
    """
    entries: list[Entry] = []
    reached = dict(behind)
    for event in events:
        if event.seq > reached[event.lane] + 1:
            entries.append(Entry(event.lane, event.seq - 1, None))
        entries.append(Entry(event.lane, event.seq, event))
        reached[event.lane] = event.seq
    entries += [Entry(lane, end, None) for lane, end in ends.items() if reached[lane] < end]
    return entries
