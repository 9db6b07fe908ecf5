"""What the tests of roll-ups share: beats as they are kept, the job, and what it wrote."""

from datetime import datetime, timedelta
from typing import Any

from app.clock import ManualClock
from app.context import Context
from app.domain.beat import Beat, Metric
from app.domain.ids import device_key, lane_of
from app.domain.rollup import Resolution, RollupPoint
from app.domain.tenant import EVERY_TENANT, Tenant
from app.rollups import roll_lane
from tests.cast import NOW
from tests.devices.world import a_device, keep_devices

MINUTE, HOUR, DAY = 60, 3_600, 86_400
FIVE_MINUTES = Resolution.FIVE_MINUTES
SETTLED = 5 * MINUTE
"""So long after the end of a bucket every lane has had its turn."""


class Rolling:
    """A clock that the test moves, beats at any time, and the roll-ups that come of them. Seconds count from NOW, 06:00."""

    def __init__(self, context: Context, clock: ManualClock) -> None:
        self.context = context
        self.clock = clock
        self._number = 0

    def at(self, seconds: float) -> datetime:
        return NOW + timedelta(seconds=seconds)

    def move_to(self, seconds: float) -> None:
        self.clock.advance((self.at(seconds) - self.clock.now()).total_seconds())

    async def add(self, *device_ids: str, tenant_id: str = "acme") -> None:
        await keep_devices(self.context, *(a_device(device_id, tenant_id) for device_id in device_ids))

    async def beat(
        self, seconds: float, device_id: str = "till-1", *, came: float | None = None, tenant_id: str = "acme", **fields: Any
    ) -> None:
        """A beat of that time, which came then or later; kept for a week."""
        self._number += 1
        received = self.at(seconds if came is None else came)
        beat = Beat(
            id=f"{device_key(tenant_id, device_id)}:{self._number}",
            tenant_id=tenant_id,
            device_id=device_id,
            lane=lane_of(tenant_id),
            timestamp=self.at(seconds),
            received_at=received,
            expire_at=received + timedelta(days=7),
            late=came is not None,
            **fields,
        )
        await self.context.store.heartbeats.insert([beat])

    async def roll(self, seconds: float | None = None, tenant_id: str = "acme") -> int:
        """The job on the tenant's lane, at that time; how many roll-ups it wrote."""
        if seconds is not None:
            self.move_to(seconds)
        return await roll_lane(self.context, lane_of(tenant_id))

    async def points(
        self,
        metric: str = "cpuUsage",
        resolution: Resolution = FIVE_MINUTES,
        device_id: str = "till-1",
        tenant_id: str = "acme",
    ) -> list[RollupPoint]:
        start, end = NOW - timedelta(days=40), NOW + timedelta(days=400)
        found = await self.context.store.rollups.series(tenant_id, [device_id], metric, start, end, resolution)
        return found.get(device_id, [])

    async def counts(self, metric: str = "cpuUsage", resolution: Resolution = FIVE_MINUTES, **where: str) -> dict[float, int]:
        """How many values each bucket has, by its start in seconds."""
        points = await self.points(metric, resolution, **where)
        return {(point.start - NOW).total_seconds(): point.count for point in points}

    async def kept(self) -> list[dict[str, Any]]:
        """All roll-ups as they are stored."""
        found = await self.context.mongo.tenant_collection("heartbeat_rollups").find(EVERY_TENANT, {}, projection={"_id": 0})
        return sorted(found, key=lambda one: (one["tenant_id"], one["device_id"], one["resolution"], one["start"]))

    async def expire_beats(self) -> None:
        """What MongoDB does once a minute."""
        where = {"expire_at": {"$lte": self.clock.now()}}
        await self.context.mongo.tenant_collection("device_heartbeats").delete(EVERY_TENANT, where)


def gauge(name: str, value: float, unit: str | None = None) -> tuple[Metric, ...]:
    return (Metric(name, value, unit),)


def neighbour() -> Tenant:
    """A tenant in the lane of `acme`."""
    return Tenant(id="hooli", name="Hooli", created_at=NOW)
