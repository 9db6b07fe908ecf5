"""A small fleet on a real database, under a clock that the test moves."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Alert, AlertEvent
from app.domain.beat_input import BeatInput
from app.domain.device import Device, DeviceStatus
from app.domain.ids import LANES, device_key, lane_of
from app.domain.silence import GAP
from app.domain.tenant import only
from app.evaluation import sweep_lane
from app.heartbeats import BeatAck, record
from app.principal import Principal, PrincipalKind
from app.rule_tick import judge_lane
from app.store.intakes import IntakeRecord


class Fleet:
    """Devices of one tenant. Time moves by `pass_time`, in which our own intake stays alive unless told otherwise."""

    def __init__(self, context: Context, clock: ManualClock, tenant_id: str = "acme") -> None:
        self.context = context
        self.clock = clock
        self.tenant_id = tenant_id
        self.lane = lane_of(tenant_id)

    async def add(self, *device_ids: str, offline_after: int = 120, **fields: Any) -> None:
        now = self.clock.now()
        devices = [
            Device(
                id=device_key(self.tenant_id, device_id),
                tenant_id=self.tenant_id,
                device_id=device_id,
                lane=self.lane,
                status=DeviceStatus.UNKNOWN,
                since=now,
                created_at=now,
                offline_after=offline_after,
                wake_after=offline_after,
                own_offline_after=offline_after,
                **fields,
            )
            for device_id in device_ids
        ]
        # As many at once as there are connections.
        for start in range(0, len(devices), 50):
            await asyncio.gather(*(self.context.store.devices.insert(device) for device in devices[start : start + 50]))

    async def beat(self, device_id: str, **fields: Any) -> BeatAck:
        key = device_key(self.tenant_id, device_id)
        device = Principal(PrincipalKind.DEVICE, key, None, frozenset((self.tenant_id,)), frozenset((key,)))
        return await record(self.context, device, BeatInput(device_id=device_id, **fields))

    async def pass_time(self, seconds: float, *, intake: bool = True) -> None:
        # In so long a time those that were put off would have been noted.
        await self.context.intake.drain()
        self.clock.advance(seconds)
        if intake:
            await self.sign()

    async def sign(self) -> None:
        """A sign of life, as if one had come each second until now."""
        now = self.clock.now()
        signs = await self.context.store.intakes.signs()
        if signs is not None and now - signs.alive_at > GAP:
            # All but the last of them at once.
            intakes = self.context.mongo.database["intakes"]
            await intakes.update_many({"alive_at": signs.alive_at}, {"$set": {"alive_at": now - timedelta(seconds=1)}})
        await self.context.store.intakes.sign(IntakeRecord(id="test", at=now, beats_per_sec=0, subscribers=0), GAP)

    async def sweep(self) -> int:
        return await sweep_lane(self.context, self.lane)

    async def judge(self) -> int:
        return await judge_lane(self.context, self.lane)

    async def device(self, device_id: str) -> Device:
        key = device_key(self.tenant_id, device_id)
        return (await self.context.store.connectivity.get_many([key]))[key]

    async def alerts(self, device_id: str) -> list[Alert]:
        key = device_key(self.tenant_id, device_id)
        return (await self.context.store.alerts.live_of_devices(only(self.tenant_id), [key])).get(key, [])

    async def record(self) -> list[AlertEvent]:
        """Everything that happened, in order."""
        return await self.context.store.events.after(dict.fromkeys(range(LANES), 0), 10_000)

    async def told(self) -> list[tuple[str, str]]:
        """(device, what happened), in order."""
        return [(event.alert.subject_id, event.type.name) for event in await self.record()]


def numbered(count: int) -> Sequence[str]:
    return [f"till-{number}" for number in range(count)]
