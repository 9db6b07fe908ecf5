"""The newest state of the devices that somebody watches, read and measured once a process for all who watch."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.clock import Clock
from app.domain.beat import HealthStatus
from app.domain.device import Device, DeviceStatus
from app.domain.health import device_health
from app.domain.tenant import EVERY_TENANT, Scope
from app.realtime.wakes import Wakes, nap
from app.store.alerts import AlertStore
from app.store.connectivity import ConnectivityStore
from app.store.mongo import is_away

POLL_EVERY_SEC = 1.0
KEPT = 10_000
"""Devices of a tenant whose last change is remembered; whoever falls behind that reads everything anew."""

_PAGE = 500
_OVERLAP = timedelta(seconds=10)
_GATHER_SEC = 0.05
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device and its health as they were at a moment; `turn` is that of the feed in which they were read."""

    device: Device
    health: HealthStatus
    at: datetime
    turn: int


@dataclass(slots=True)
class _Book:
    """A tenant's last changes, one a device, the oldest first, each with its number."""

    changes: dict[str, tuple[int, DeviceState]] = field(default_factory=dict)
    floor: int = 0

    def note(self, number: int, state: DeviceState) -> None:
        self.changes.pop(state.device.id, None)
        self.changes[state.device.id] = (number, state)
        if len(self.changes) > KEPT:
            oldest = next(iter(self.changes))
            self.floor = self.changes.pop(oldest)[0]


class FellBehindError(Exception):
    """More changed than is remembered."""


class DeviceFeed:
    """Learns of changes from bells and events, and from a poll that finds what no bell told."""

    def __init__(self, devices: ConnectivityStore, alerts: AlertStore, clock: Clock) -> None:
        self._devices = devices
        self._alerts = alerts
        self._clock = clock
        self._watched: dict[str | None, int] = {}
        self._books: dict[str, _Book] = {}
        self._touched: set[str] = set()
        self._polled: dict[str, tuple[datetime | None, DeviceStatus, HealthStatus]] = {}
        self._news = asyncio.Event()
        self._next_poll = 0.0
        self.turn = 0
        """Moves before each read, so that a reader can tell what was read before its own."""
        self.number = 0
        """Moves with each change that is noted."""
        self.wakes: Wakes[str] = Wakes()

    @contextmanager
    def watching(self, scope: Scope) -> Iterator[asyncio.Event]:
        """Keeps an eye on these tenants until the block ends; the event is set when one of their devices changed."""
        tenants: list[str | None] = [None] if scope.tenant_ids is None else list(scope.tenant_ids)
        for tenant in tenants:
            self._watched[tenant] = self._watched.get(tenant, 0) + 1
        try:
            with self.wakes.sleeper(scope.tenant_ids) as news:
                yield news
        finally:
            for tenant in tenants:
                self._watched[tenant] -= 1
                if not self._watched[tenant]:
                    del self._watched[tenant]
            self._books = {tenant: book for tenant, book in self._books.items() if self._is_watched(tenant)}

    def touch(self, device_keys: Iterable[str]) -> None:
        """These devices, or what is live on them, may have changed."""
        self._touched.update(key for key in device_keys if self._is_watched(key.partition(":")[0]))
        if self._touched:
            self._news.set()

    def poll_now(self) -> None:
        """Bells may have been lost."""
        self._next_poll = 0.0
        self._news.set()

    def since(self, scope: Scope, number: int) -> list[DeviceState]:
        """What was noted after this number, the newest state of each device. Raises FellBehindError."""
        tenants = self._books.keys() if scope.tenant_ids is None else scope.tenant_ids & self._books.keys()
        found: list[DeviceState] = []
        for tenant in tenants:
            book = self._books[tenant]
            if number < book.floor:
                raise FellBehindError
            for noted, state in reversed(book.changes.values()):
                if noted <= number:
                    break
                found.append(state)
        return found[::-1]

    async def measure(self, devices: Sequence[Device], turn: int) -> list[DeviceState]:
        """Adds their health, as it is now, to devices that were read in a turn."""
        states: list[DeviceState] = []
        for start in range(0, len(devices), _PAGE):
            page = devices[start : start + _PAGE]
            live = await self._alerts.live_severities(EVERY_TENANT, [device.id for device in page])
            at = self._clock.now()
            for device in page:
                health = device_health(device.status, device.services_health, live.get(device.id, ()))
                states.append(DeviceState(device, health, at, turn))
        return states

    async def run(self) -> None:
        """Until cancelled. While the database is away it goes on trying."""
        while True:
            try:
                await self._round()
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("device_feed.database_away", error=type(error).__name__)
                self.poll_now()
                await asyncio.sleep(POLL_EVERY_SEC)
            # What changes together is read together.
            await asyncio.sleep(_GATHER_SEC)
            await nap(self._news, self._next_poll - asyncio.get_running_loop().time())

    async def _round(self) -> None:
        self._news.clear()
        keys, self._touched = sorted(self._touched), set()
        try:
            for start in range(0, len(keys), _PAGE):
                self.turn += 1
                turn = self.turn
                found = await self._devices.get_many(keys[start : start + _PAGE])
                self._note(await self.measure(list(found.values()), turn))
        except Exception:
            self._touched.update(keys)
            raise
        started = asyncio.get_running_loop().time()
        if started >= self._next_poll:
            await self._poll()
            self._next_poll = started + POLL_EVERY_SEC

    async def _poll(self) -> None:
        """What changed lately, whoever told of it: clocks differ a little and commits take time, so it looks back further."""
        if not self._watched:
            self._polled.clear()
            return
        scope = EVERY_TENANT if None in self._watched else Scope(frozenset(key for key in self._watched if key is not None))
        self.turn += 1
        turn = self.turn
        devices = await self._devices.changed_since(scope, self._clock.now() - _OVERLAP)
        marks = {device.id: (device.changed_at, device.status, device.services_health) for device in devices}
        fresh = [device for device in devices if self._polled.get(device.id) != marks[device.id]]
        self._note(await self.measure(fresh, turn))
        self._polled = marks

    def _note(self, states: Sequence[DeviceState]) -> None:
        changed: set[str] = set()
        for state in states:
            tenant = state.device.tenant_id
            if not self._is_watched(tenant):
                continue
            book = self._books.setdefault(tenant, _Book())
            known = book.changes.get(state.device.id)
            if known is None or (known[1].device, known[1].health) != (state.device, state.health):
                self.number += 1
                book.note(self.number, state)
                changed.add(tenant)
        for tenant in changed:
            self.wakes.wake(tenant)

    def _is_watched(self, tenant_id: str) -> bool:
        return tenant_id in self._watched or None in self._watched
