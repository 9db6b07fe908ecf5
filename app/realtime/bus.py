"""Redis pub/sub, the doorbell, and every channel and key name of the project. A lost message costs latency, never news."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
import structlog
from redis.asyncio import Redis, Sentinel
from redis.exceptions import RedisError

from app.sentinels import Sentinels, read_sentinels

ALERTS: Final = "fleetbeat:alerts"
"""`{"lane": n, "seq": n}` after the commit of events."""

HEALTH: Final = "fleetbeat:health"
"""`{"tenant": id, "devices": [key, …]}`: devices whose state or gauges changed."""

NOTIFICATIONS: Final = "fleetbeat:notifications"
"""`{"users": [id, …]}`: people who were told something inside Fleetbeat."""

BEACON: Final = "fleetbeat:beacon"
"""Empty, once a second from each process: proof that the bell rings."""

FAST_QUEUE: Final = "fleetbeat:fast"

_AWAY = (RedisError, OSError, asyncio.TimeoutError)
_log = structlog.get_logger(__name__)

Client = TypeVar("Client", bound=Redis)
Listener = Callable[[str, bytes], Awaitable[None]]


class AlertBell(msgspec.Struct, frozen=True):
    lane: int
    seq: int


class HealthBell(msgspec.Struct, frozen=True):
    tenant: str
    devices: list[str]


class NotificationBell(msgspec.Struct, frozen=True):
    users: list[str]


class Bus:
    """The bell. Ringing never raises: whoever listens also looks for itself."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.alive = True

    async def ring_alerts(self, lane: int, seq: int) -> None:
        await self._publish(ALERTS, msgspec.json.encode(AlertBell(lane, seq)))

    async def ring_health(self, tenant_id: str, device_keys: list[str]) -> None:
        await self._publish(HEALTH, msgspec.json.encode(HealthBell(tenant_id, device_keys)))

    async def ring_notifications(self, user_ids: list[str]) -> None:
        await self._publish(NOTIFICATIONS, msgspec.json.encode(NotificationBell(user_ids)))

    async def ring_beacon(self) -> None:
        await self._publish(BEACON, b"")

    async def ping(self) -> bool:
        """Whether Redis answers now."""
        try:
            async with asyncio.timeout(1):
                await self.redis.ping()
        except _AWAY:
            self.alive = False
        else:
            self.alive = True
        return self.alive

    async def listen(self, listener: Listener, on_gap: Callable[[], Awaitable[None]]) -> None:
        """Hands on every message until cancelled; `on_gap` after each (re)connection, since what rang before is lost."""
        while True:
            try:
                await self._listen_once(listener, on_gap)
            except _AWAY as error:
                self.alive = False
                _log.warning("bus.away", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def close(self) -> None:
        with contextlib.suppress(*_AWAY):
            await close_redis(self.redis)

    async def _listen_once(self, listener: Listener, on_gap: Callable[[], Awaitable[None]]) -> None:
        async with self.redis.pubsub() as pubsub:
            await pubsub.subscribe(ALERTS, HEALTH, NOTIFICATIONS, BEACON)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=False, timeout=3)
                if message is None:
                    # Nothing, not even a beacon: a connection that hangs looks just like this.
                    raise TimeoutError("no beacon for 3 s")
                if message["type"] == "subscribe":
                    # The client resubscribes by itself after a lost connection, and this is the only sign of it.
                    self.alive = True
                    await on_gap()
                elif message["type"] == "message":
                    await listener(message["channel"].decode(), message["data"])

    async def _publish(self, channel: str, payload: bytes) -> None:
        if not self.alive:
            return
        try:
            async with asyncio.timeout(1):
                await self.redis.publish(channel, payload)
        except _AWAY as error:
            self.alive = False
            _log.warning("bus.publish_failed", channel=channel, error=type(error).__name__)


def open_bus(url: str) -> Bus:
    options: dict[str, Any] = {
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        "health_check_interval": 10,
        "max_connections": 50,
    }
    sentinels = read_sentinels(url)
    return Bus(Redis.from_url(url, **options) if sentinels is None else master_of(sentinels, Redis, **options))


def master_of(sentinels: Sentinels, kind: type[Client], **options: Any) -> Client:
    """A client of whoever is the master when it connects."""
    asked = Sentinel(sentinels.hosts, sentinel_kwargs={"socket_timeout": 1, "socket_connect_timeout": 1})  # type: ignore[no-untyped-call]
    options |= {"db": sentinels.database, "username": sentinels.username, "password": sentinels.password}
    client: Client = asked.master_for(sentinels.master, redis_class=kind, **options)
    return client


async def close_redis(redis: Redis) -> None:
    """Closes its connections, and those to the Sentinels that it asked."""
    await redis.aclose(close_connection_pool=True)
    manager = getattr(redis.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose()
