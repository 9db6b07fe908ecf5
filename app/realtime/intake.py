"""Group commit of beats: those that arrive together are written together, and each is acknowledged once it is stored."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog

from app import telemetry
from app.clock import Clock
from app.domain.device import DeviceStatus
from app.domain.ids import lane_of
from app.realtime.arrived_beat import ArrivedBeat, profile_news
from app.realtime.bus import Bus
from app.realtime.busy_devices import BUSY, NOTE_EVERY_SEC, BusyDevices, Together
from app.realtime.clocks import Clocks
from app.realtime.group_commit import GroupCommit, QueueFullError
from app.realtime.roll import Roll
from app.store.connectivity import SeenDevice
from app.store.mongo import is_away
from app.store.stores import Stores

BATCH = 1_000
"""Most beats in one write."""

CAPACITY = 20_000
"""Beats that may wait; one more is refused with UNAVAILABLE."""

AT_ONCE = 2
ENOUGH = 32
"""Writes under way at the same time, and how many beats make another worth it."""

TRIES = 3
METRICS_EVERY = BUSY
"""How often mere metrics of a device are told."""

Result = TypeVar("Result")
_REMEMBERED = 200_000
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class IntakeFigures:
    """What was taken since the start."""

    beats: int = 0
    batches: int = 0
    refused: int = 0
    failed: int = 0


class Intake:
    """A caller joins the batch that goes next and waits for its commit. Batches of the same device may overtake each other, as those
    of two processes may: when it was seen holds for either order; what else they say of it is set right by its next beat."""

    def __init__(self, store: Stores, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self.commit = GroupCommit(self._write_counted, BATCH, CAPACITY, AT_ONCE, ENOUGH)
        self._told: dict[str, datetime] = {}
        self._following_up: set[asyncio.Task[None]] = set()
        self.on_recovery: Callable[[set[int]], Awaitable[None]] | None = None
        self.figures = IntakeFigures()
        self.busy = BusyDevices(self._note_busy, clock)
        self.roll = Roll()
        self.clocks = Clocks()

    async def take(self, arrived: Sequence[ArrivedBeat]) -> dict[str, SeenDevice]:
        """Stores beats and gives back their devices as they then are, or were within the last two seconds, by device key.

        Raises UnavailableError when too many beats wait already, and the database's own error when it does not answer;
        then nothing was acknowledged.
        """
        try:
            return await self.commit.take(arrived)
        except QueueFullError:
            self.figures.refused += len(arrived)
            telemetry.BEATS_REFUSED.inc(len(arrived))
            raise

    async def drain(self) -> None:
        """Waits until everything that was taken is stored or refused."""
        await self.commit.drain()
        await self.settle()
        await self.busy.drain()
        await self.settle()

    async def settle(self) -> None:
        """Waits until what follows from the beats that were stored is done."""
        if self._following_up:
            await asyncio.wait(set(self._following_up))

    async def _write_counted(self, arrived: Sequence[ArrivedBeat]) -> dict[str, SeenDevice]:
        try:
            return await self._write(arrived)
        except Exception:
            self.figures.failed += len(arrived)
            raise

    async def _write(self, arrived: Sequence[ArrivedBeat]) -> dict[str, SeenDevice]:
        started = time.perf_counter()
        newest = _newest(arrived)
        now = max(one.beat.received_at for one in arrived)
        busy = {key: device for key, one in newest.items() if (device := self.busy.recall(key, one)) is not None}
        others = {key: one for key, one in newest.items() if key not in busy} if busy else newest
        self.busy.unlearn(others)
        # The beats and the devices are two writes that may go side by side: a sweep between them finds the device seen
        # and its beat a moment later, never a device unseen whose beat was acknowledged; that of a busy one is far from due.
        # What is read beside them may be from before: who is missed in that very moment is found back by the next sweep.
        _, seen = await asyncio.gather(
            _repeated(lambda: self._store.heartbeats.insert([one.beat for one in arrived])), self._note(list(others), now)
        )
        self.busy.put_off({key: newest[key].beat.received_at for key in busy})
        self.figures.beats += len(arrived)
        self.figures.batches += 1
        telemetry.BEATS.inc(len(arrived))
        telemetry.BATCH_SIZE.observe(len(arrived))
        telemetry.BATCH_SECONDS.observe(time.perf_counter() - started)
        # The callers have their answer; what follows from it must not keep them waiting, least of all for Redis.
        self._begin(self._follow_up(others, seen, now))
        return {**seen, **busy}

    async def _note(self, keys: Sequence[str], now: datetime) -> dict[str, SeenDevice]:
        """Notes that these were seen, and reads what is known of them."""
        if not keys:
            return {}
        found = await self._read_beside(lambda: self._store.connectivity.saw(keys, now), keys)
        return {key: _after_beat(device, now) for key, device in found.items()}

    async def _note_busy(self, seen: Sequence[Together]) -> None:
        keys = [key for _, some in seen for key in some]
        found = await self._read_beside(lambda: self._store.connectivity.saw_again(seen), keys)
        now = max(at for at, _ in seen)
        # What is news of them now was not when they were put off: their next beat says so.
        self.busy.learn(found.values(), now)
        # A round that comes a little early tells, or they would be told of in every third one.
        self._begin(self._ring(found, now, METRICS_EVERY - timedelta(seconds=NOTE_EVERY_SEC / 2)))

    async def _read_beside(self, note: Callable[[], Awaitable[None]], keys: Sequence[str]) -> dict[str, SeenDevice]:
        _, found = await asyncio.gather(_repeated(note), _repeated(lambda: self._store.connectivity.profiles(keys)))
        return found

    def _begin(self, following_up: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(following_up, name="intake.follow_up")
        self._following_up.add(task)
        task.add_done_callback(self._following_up.discard)

    async def _follow_up(self, newest: Mapping[str, ArrivedBeat], seen: Mapping[str, SeenDevice], now: datetime) -> None:
        news = {key: fields for key, one in newest.items() if key in seen and (fields := profile_news(one, seen[key]))}
        if news:
            with contextlib.suppress(Exception):  # said again by the next beat
                await self._store.connectivity.note_profiles(news)
            self.busy.changed(news, self._clock.now())
        self.busy.learn([device for key, device in seen.items() if key not in news and self._was_told_of(key, now)], now)
        await self._ring(seen, now, METRICS_EVERY)

    def _was_told_of(self, key: str, now: datetime) -> bool:
        """A moment ago, so that this was not its first beat within that time."""
        told = self._told.get(key)
        return told is not None and now - told < BUSY

    async def _ring(self, seen: Mapping[str, SeenDevice], now: datetime, every: timedelta) -> None:
        """For the sweep where somebody is back, and for the dashboards, of mere metrics of a device once in `every`."""
        back = {lane_of(device.tenant_id) for device in seen.values() if device.missed}
        if back and self.on_recovery is not None:
            await self.on_recovery(back)
        if len(self._told) > _REMEMBERED:
            self._told = {key: at for key, at in self._told.items() if now - at < METRICS_EVERY}
        by_tenant: dict[str, list[str]] = {}
        for key, device in seen.items():
            told = self._told.get(key)
            if told is None or now - told >= every or device.since == now:
                self._told[key] = now
                by_tenant.setdefault(device.tenant_id, []).append(key)
        for tenant_id, keys in by_tenant.items():
            await self._bus.ring_health(tenant_id, keys)


def _newest(arrived: Sequence[ArrivedBeat]) -> dict[str, ArrivedBeat]:
    """The newest beat of each device, by its key."""
    in_time = sorted(arrived, key=lambda one: one.beat.timestamp)
    return {one.key: one for one in in_time}


def _after_beat(device: SeenDevice, now: datetime) -> SeenDevice:
    """A first beat makes a device ONLINE, which may not have been written when it was read."""
    if device.status is not DeviceStatus.UNKNOWN:
        return device
    return msgspec.structs.replace(device, status=DeviceStatus.ONLINE, since=now)


async def _repeated(work: Callable[[], Awaitable[Result]]) -> Result:
    """Reads and writes here are idempotent, so what a broken connection left open is simply done again."""
    for _ in range(TRIES - 1):
        try:
            return await work()
        except Exception as error:
            if not is_away(error):
                raise
            _log.warning("intake.retry", error=type(error).__name__)
            await asyncio.sleep(0.05)
    return await work()
