"""Reads the lanes of the record as they grow, once a process, and hands on what is contiguous."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from app.domain.alert import AlertEvent
from app.domain.ids import LANES
from app.realtime.interests import Interests, Standing
from app.realtime.ring import Entry, Ring
from app.realtime.wakes import Wakes, nap
from app.store.events import EventStore
from app.store.mongo import is_away

KEPT = 10_000
PAGE = 1_000
LOOK_EVERY_SEC = 1.0
"""How late news may be when no bell rings."""

_BACKWARDS_LOOKS = 5
_LONGEST_PAUSE_SEC = 2.0
_log = structlog.get_logger(__name__)


class Follower:
    """The head of the log as this process knows it. It wakes by the bell, and looks at the counters each second anyway."""

    def __init__(self, events: EventStore, on_events: Callable[[Sequence[AlertEvent]], None], kept: int = KEPT) -> None:
        self.store = events
        self._on_events = on_events
        self._kept = kept
        self.positions: dict[int, int] = dict.fromkeys(range(LANES), 0)
        self.ring = Ring(kept, self.positions)
        self.epoch = ""
        self.generation = 0
        """Moves when the log went back in time, as it does in a restore: then no place in it holds."""
        self.ready = asyncio.Event()
        self.wakes: Wakes[int] = Wakes()
        """Rings for every event of a lane."""
        self.interests = Interests(self)
        self.events_seen = 0
        self.holes = 0
        self.replays = 0
        self._rung: set[int] = set()
        self._news = asyncio.Event()
        self._next_look = 0.0
        self._backwards = 0
        self._caught_up_at: float | None = None

    @property
    def lag_sec(self) -> float:
        """For how long it has not known that it has everything."""
        if self._caught_up_at is None:
            return 0.0
        return max(0.0, asyncio.get_running_loop().time() - self._caught_up_at)

    def hear(self, lane: int, seq: int) -> None:
        """The bell: a lane has grown to `seq`."""
        if 0 <= lane < LANES and seq > self.positions[lane]:
            self._rung.add(lane)
            self._news.set()

    def look(self) -> None:
        """Bells may have been lost: look at every counter now."""
        self._next_look = 0.0
        self._news.set()

    async def run(self) -> None:
        """Until cancelled. While the database is away it goes on trying."""
        pause = 0.05
        # Who never gets as far as a first look is behind, too.
        self._caught_up_at = self._caught_up_at or asyncio.get_running_loop().time()
        while True:
            try:
                if not self.ready.is_set():
                    await self._begin()
                await self._round()
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("follower.database_away", error=type(error).__name__)
                self._next_look = 0.0
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SEC)
                continue
            pause = 0.05
            await nap(self._news, self._next_look - asyncio.get_running_loop().time())

    async def _begin(self) -> None:
        self.epoch = await self.store.epoch()
        self._start_at(await self.store.positions())
        self.ready.set()

    def _start_at(self, positions: Mapping[int, int]) -> None:
        self.positions = dict(positions)
        self.ring = Ring(self._kept, positions)

    async def _round(self) -> None:
        """Reads every lane that is known to have grown, in turns, until none has more."""
        self._news.clear()
        started = asyncio.get_running_loop().time()
        lanes, self._rung = self._rung, set()
        counters: Mapping[int, int] = {}
        looks = started >= self._next_look
        if looks:
            counters = await self.store.positions()
            if await self._went_back(counters):
                return
            lanes |= {lane for lane, seq in counters.items() if seq > self.positions[lane]}
        while lanes:
            lanes = {lane for lane in sorted(lanes) if await self._read(lane, counters.get(lane, 0))}
        if looks:
            self._next_look = started + LOOK_EVERY_SEC
            self._caught_up_at = started

    async def _went_back(self, counters: Mapping[int, int]) -> bool:
        if all(counters[lane] >= seq for lane, seq in self.positions.items()):
            self._backwards = 0
            return False
        self._backwards += 1
        epoch = await self.store.epoch()
        # A primary that was just elected may show the past for a moment.
        if epoch == self.epoch and self._backwards < _BACKWARDS_LOOKS:
            return False
        _log.warning("follower.log_went_back", epoch=epoch)
        self.epoch = epoch
        self.generation += 1
        self._backwards = 0
        self._start_at(counters)
        self.wakes.wake_all()
        self.interests.wake_all()
        return True

    async def _read(self, lane: int, counter: int) -> bool:
        """Hands on a page of a lane; whether there may be more. `counter` is how far it has grown at least, 0 if unknown."""
        position = self.positions[lane]
        before, holes = Standing(self.ring.end, dict(self.positions)), self.holes
        events = await self.store.after({lane: position}, PAGE)
        if _first_hole(position, events, counter) is not None:
            # Proven twice: a primary that was just elected may show less than the last one.
            events = await self.store.after({lane: position}, PAGE)
        for event in events:
            if event.seq > self.positions[lane] + 1:
                self._skip(lane, event.seq - 1)
            self._put(Entry(lane, event.seq, event))
        if not events and counter > position:
            self._skip(lane, counter)
        self.events_seen += len(events)
        if self.positions[lane] > position:
            self.interests.publish(lane, before, events, whole=holes == self.holes)
            self._on_events(events)
            self.wakes.wake(lane)
        return len(events) == PAGE

    def _skip(self, lane: int, seq: int) -> None:
        self.holes += 1
        _log.error("follower.hole", lane=lane, after=self.positions[lane], until=seq)
        self._put(Entry(lane, seq, None))

    def _put(self, entry: Entry) -> None:
        self.ring.put(entry)
        self.positions[entry.lane] = entry.seq


def _first_hole(position: int, events: Sequence[AlertEvent], counter: int) -> int | None:
    """The first place that should be there and is not."""
    for expected, event in enumerate(events, start=position + 1):
        if event.seq != expected:
            return expected
    return position + 1 if not events and counter > position else None
