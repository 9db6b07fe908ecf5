"""Busy devices: those that beat again within two seconds and say nothing new. Every beat of theirs is stored; they themselves are noted
once a second."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from app.clock import Clock
from app.domain.device import DeviceStatus
from app.realtime.arrived_beat import ArrivedBeat, says_nothing_new
from app.store.connectivity import SeenDevice

BUSY = timedelta(seconds=2)
"""Who beats again within this is busy. What was read of it is used for as long; where a noting is later than that, no more are put off."""

NOTE_EVERY_SEC = 1.0
TOGETHER = timedelta(milliseconds=50)
"""Beats that are noted as of one time, the latest of them."""

SHORTEST_WAKE_SEC = 15
"""Nobody who may have to be looked at sooner is put off: the wake-up must be far even where the noting is slow."""

_LONGEST_READ = timedelta(seconds=30)
"""Whatever reads a device has been answered by then, or given up."""

_REMEMBERED = 100_000

Together = tuple[datetime, Sequence[str]]
"""When devices were seen, and their keys."""

_log = structlog.get_logger(__name__)


class BusyDevices:
    """What was read of busy devices, and when those were seen that are still to be noted, by `note`.

    To note a device and to read it costs the database twice what its beat costs; of one that beats ten times a second nine in ten
    would say what the last one said. So it is known up to two seconds late when it was seen last, as it is after a process was
    killed.
    """

    def __init__(self, note: Callable[[Sequence[Together]], Awaitable[None]], clock: Clock) -> None:
        self._note = note
        self._clock = clock
        self._known: dict[str, tuple[datetime, SeenDevice]] = {}
        self._unnoted: dict[str, datetime] = {}
        self._changed: dict[str, datetime] = {}
        self._oldest: datetime | None = None  # of those that are unnoted or just being noted
        self._noting: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()

    def recall(self, key: str, arrived: ArrivedBeat) -> SeenDevice | None:
        """A busy device, where its beat says no more of it than is known; None: it has to be noted and read."""
        kept = self._known.get(key)
        if kept is None:
            return None
        (read_at, device), at = kept, arrived.beat.received_at
        is_fresh = timedelta() <= at - read_at < BUSY
        is_in_time = self._oldest is None or at - self._oldest < BUSY
        return device if is_fresh and is_in_time and says_nothing_new(arrived, device) else None

    def learn(self, devices: Iterable[SeenDevice], read_at: datetime) -> None:
        """Busy devices as they were read; nobody is kept who is missed or may be soon."""
        for device in devices:
            changed_at = self._changed.get(device.id)
            if changed_at is not None and changed_at > read_at:
                continue  # it was read before, and comes here after
            if device.status is DeviceStatus.ONLINE and not device.missed and device.wake_after >= SHORTEST_WAKE_SEC:
                self._known[device.id] = (read_at, device)
            else:
                self._known.pop(device.id, None)
        self._keep_noting()

    def unlearn(self, keys: Iterable[str]) -> None:
        """What was read of these may hold no longer."""
        for key in keys:
            self._known.pop(key, None)

    def changed(self, keys: Iterable[str], at: datetime) -> None:
        """What was read of these before that time holds no longer, even if it is learnt only now."""
        if len(self._changed) >= _REMEMBERED:
            self._changed.clear()
        for key in keys:
            self._known.pop(key, None)
            self._changed[key] = at

    def forget(self, key: str) -> None:
        """A device that is not there any more."""
        self._unnoted.pop(key, None)
        self.changed([key], self._clock.now())

    def put_off(self, seen: Mapping[str, datetime]) -> None:
        """Devices of beats that were stored, and when those came: they are noted within a second."""
        self._add(seen)
        self._keep_noting()

    async def drain(self) -> None:
        """Notes what was put off; the devices are no longer taken for busy."""
        self._leaving.set()
        if self._noting is not None:
            await asyncio.wait({self._noting})
        await self._note_unnoted()
        self._known.clear()
        self._leaving.clear()
        self._keep_noting()  # what came while it was noted, or could not be

    def _add(self, seen: Mapping[str, datetime]) -> None:
        for key, at in seen.items():
            # Of two writes that are under way at once, the later one may be done first.
            self._unnoted[key] = max(at, self._unnoted.get(key, at))
            self._oldest = min(at, self._oldest or at)

    def _keep_noting(self) -> None:
        if (self._known or self._unnoted) and (self._noting is None or self._noting.done()):
            # It works for many callers: in a context of its own nothing is logged as the request of whoever came first.
            self._noting = asyncio.create_task(self._note_in_turn(), name="busy_devices", context=contextvars.Context())

    async def _note_in_turn(self) -> None:
        while self._known or self._unnoted:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NOTE_EVERY_SEC):
                    await self._leaving.wait()
            if self._leaving.is_set():
                return  # who drains notes what is left
            await self._note_unnoted()
            self._forget_quiet()

    async def _note_unnoted(self) -> None:
        unnoted, self._unnoted = self._unnoted, {}
        try:
            if unnoted:
                await self._note(_by_time(unnoted))
        except Exception as error:  # noqa: BLE001 - said, and tried again; meanwhile each is noted with its next beat
            _log.warning("busy_devices.not_noted", devices=len(unnoted), error=type(error).__name__)
            self._add(unnoted)
        self._oldest = min(self._unnoted.values(), default=None)

    def _forget_quiet(self) -> None:
        now = self._clock.now()
        self._known = {key: kept for key, kept in self._known.items() if now - kept[0] < BUSY}
        self._changed = {key: at for key, at in self._changed.items() if now - at < _LONGEST_READ}


def _by_time(seen: Mapping[str, datetime]) -> list[Together]:
    groups: list[list[tuple[datetime, str]]] = []
    for at, key in sorted((at, key) for key, at in seen.items()):
        if groups and at - groups[-1][0][0] < TOGETHER:
            groups[-1].append((at, key))
        else:
            groups.append([(at, key)])
    return [(group[-1][0], [key for _, key in group]) for group in groups]
