"""Busy devices: those that beat again within two seconds. Every beat of theirs is stored; they themselves are noted once a second."""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from app.clock import Clock
from app.domain.device import DeviceStatus
from app.realtime.arrived_beat import ArrivedBeat, says_nothing_new
from app.store.connectivity import SeenDevice

BUSY = timedelta(seconds=2)
"""Who beats again within this is busy, and what was read of it is used for as long."""

NOTE_EVERY_SEC = 1.0
TOGETHER = timedelta(milliseconds=50)
"""Beats that are noted as of one time, the latest of them."""

SHORTEST_WAKE_SEC = 5
"""Nobody who may have to be looked at sooner is put off: the wake-up must be far when the noting is late."""

_log = structlog.get_logger(__name__)


class BusyDevices:
    """What was read of busy devices, and those whose newest beat is still to be noted by `note`.

    To note a device and to read it costs the database twice what its beat costs; of one that beats ten times a second nine in ten
    would say what the last one said. So its last beat is known up to a second late, and a process that is killed leaves it a
    second old: too little for a device whose wake-up is `SHORTEST_WAKE_SEC` or more.
    """

    def __init__(self, note: Callable[[Sequence[ArrivedBeat]], Awaitable[None]], clock: Clock) -> None:
        self._note = note
        self._clock = clock
        self._known: dict[str, tuple[datetime, SeenDevice]] = {}
        self._unnoted: dict[str, ArrivedBeat] = {}
        self._noting: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def recall(self, key: str, arrived: ArrivedBeat) -> SeenDevice | None:
        """A busy device, where its beat says no more of it than is known; None: it has to be noted and read."""
        kept = self._known.get(key)
        if kept is None:
            return None
        read_at, device = kept
        is_fresh = timedelta() <= arrived.beat.received_at - read_at < BUSY
        return device if is_fresh and says_nothing_new(arrived, device) else None

    def learn(self, devices: Iterable[SeenDevice], read_at: datetime) -> None:
        """Busy devices as they were read; nobody is kept who is missed or may be soon."""
        if self._hurry.is_set():
            return  # who drains wants an end
        for device in devices:
            if device.status is DeviceStatus.ONLINE and not device.missed and device.wake_after >= SHORTEST_WAKE_SEC:
                self._known[device.id] = (read_at, device)
            else:
                self._known.pop(device.id, None)
        self._keep_noting()

    def forget(self, key: str) -> None:
        """A device that is not there any more."""
        self._known.pop(key, None)

    def put_off(self, arrived: Iterable[tuple[str, ArrivedBeat]]) -> None:
        """Beats that were stored, and their devices not noted: that is done within a second."""
        self._unnoted.update(arrived)
        self._keep_noting()

    async def drain(self) -> None:
        """Notes what was put off; the devices are no longer taken for busy."""
        self._known.clear()
        if self._noting is not None:
            self._hurry.set()
            await asyncio.wait({self._noting})

    def _keep_noting(self) -> None:
        if self._noting is None and (self._known or self._unnoted):
            # It works for many callers: in a context of its own nothing is logged as the request of whoever came first.
            self._noting = asyncio.create_task(self._note_in_turn(), name="busy_devices", context=contextvars.Context())

    async def _note_in_turn(self) -> None:
        try:
            while self._known or self._unnoted:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(NOTE_EVERY_SEC):
                        await self._hurry.wait()
                await self._note_put_off()
                self._forget_quiet()
        finally:
            self._hurry.clear()
            self._noting = None

    async def _note_put_off(self) -> None:
        unnoted, self._unnoted = self._unnoted, {}
        for together in _by_time(list(unnoted.values())):
            try:
                await self._note(together)
            except Exception as error:  # noqa: BLE001 - said; those that beat again are noted by their next beat
                # A database that is away has kept every intake from its sign of life: nobody is judged across that gap.
                _log.warning("busy_devices.not_noted", devices=len(together), error=type(error).__name__)

    def _forget_quiet(self) -> None:
        now = self._clock.now()
        self._known = {key: kept for key, kept in self._known.items() if now - kept[0] < BUSY}


def _by_time(arrived: list[ArrivedBeat]) -> list[list[ArrivedBeat]]:
    """Those in one list lie `TOGETHER`."""
    arrived.sort(key=lambda one: one.beat.received_at)
    lists: list[list[ArrivedBeat]] = []
    for one in arrived:
        if lists and one.beat.received_at - lists[-1][0].beat.received_at < TOGETHER:
            lists[-1].append(one)
        else:
            lists.append([one])
    return lists
