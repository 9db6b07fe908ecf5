"""What the subscribers of a process share: one follower of the log, one listener on the bus, a feed of devices and one of notifications."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Protocol

import msgspec
import structlog

from app.clock import Clock
from app.domain.alert import AlertEvent, device_of
from app.domain.cursor import StreamCursor, write_cursor
from app.realtime.bus import ALERTS, HEALTH, NOTIFICATIONS, AlertBell, Bus, HealthBell, NotificationBell
from app.realtime.device_feed import DeviceFeed
from app.realtime.follower import Follower
from app.realtime.notification_feed import NotificationFeed
from app.realtime.shared_reads import SharedReads
from app.realtime.wakes import Wakes
from app.store.stores import Stores
from app.supervision import running

SWEEP_EVERY_SEC = 1.0
_log = structlog.get_logger(__name__)


class Shared(Protocol):
    """What the hub needs of a process's context."""

    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Stores: ...
    @property
    def bus(self) -> Bus: ...


class Hub:
    """Runs what subscribers read from. They have no queues here: each is a place in the log, or a turn of the feed."""

    def __init__(self, context: Shared) -> None:
        self.clock = context.clock
        self.store = context.store
        self._bus = context.bus
        self.follower = Follower(context.store.events, self._on_events)
        self.devices = DeviceFeed(context.store.connectivity, context.store.alerts, context.clock)
        self.notifications = NotificationFeed(context.store.notifications)
        self.health_wakes: Wakes[str] = Wakes()
        """Rings for every tenant of whose devices a bell told."""
        self.reads = SharedReads()
        self.subscribers = 0
        self.resyncs = 0
        self.ending = asyncio.Event()

    @property
    def events_seen(self) -> int:
        return self.follower.events_seen

    @property
    def holes(self) -> int:
        return self.follower.holes

    @property
    def replays(self) -> int:
        return self.follower.replays

    @property
    def lag_sec(self) -> float:
        return self.follower.lag_sec

    async def run(self) -> None:
        """Until cancelled; each part is started again by itself when it fails."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running("hub.follower", self.follower.run))
            await stack.enter_async_context(running("hub.devices", self.devices.run))
            await stack.enter_async_context(running("hub.notifications", self.notifications.run))
            await stack.enter_async_context(running("hub.sweep", self._sweep))
            await self._bus.listen(self._hear, self._gap)

    def is_stopping(self) -> bool:
        return self.ending.is_set()

    def stop(self) -> None:
        """Ends every subscription, now."""
        self.ending.set()
        for wakes in (self.follower.wakes, self.devices.wakes, self.health_wakes, self.notifications.wakes):
            wakes.wake_all()
        self.follower.interests.wake_all()

    def cursor_at(self, positions: Mapping[int, int]) -> str:
        """What resumes a stream of alerts behind these places."""
        return write_cursor(StreamCursor(self.follower.epoch, int(self.clock.now().timestamp() * 1000), positions))

    @contextmanager
    def subscribed(self, count: int = 1) -> Iterator[None]:
        self.subscribers += count
        try:
            yield
        finally:
            self.subscribers -= count

    async def _hear(self, channel: str, payload: bytes) -> None:
        try:
            if channel == ALERTS:
                bell = msgspec.json.decode(payload, type=AlertBell)
                self.follower.hear(bell.lane, bell.seq)
            elif channel == HEALTH:
                news = msgspec.json.decode(payload, type=HealthBell)
                self.devices.touch(news.devices)
                self.health_wakes.wake(news.tenant)
            elif channel == NOTIFICATIONS:
                self.notifications.hear(msgspec.json.decode(payload, type=NotificationBell).users)
        except msgspec.MsgspecError as error:
            # Of another version, or of somebody else on this Redis: the looks each second find what it meant.
            _log.warning("hub.strange_bell", channel=channel, error=str(error))

    async def _gap(self) -> None:
        self.follower.look()
        self.devices.poll_now()
        self.notifications.look()

    async def _sweep(self) -> None:
        """Bookmarks are due by time alone where events passed a stream by."""
        while True:
            self.follower.interests.sweep(self.clock.now().timestamp())
            await asyncio.sleep(SWEEP_EVERY_SEC)

    def _on_events(self, events: Sequence[AlertEvent]) -> None:
        self.follower.interests.sweep(self.clock.now().timestamp())
        self.devices.touch(key for event in events if (key := device_of(event.alert)) is not None)
