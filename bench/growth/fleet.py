"""A synthetic fleet: as many devices as wanted, one tenant in each lane, 20 rules, and beats of as many of them as wanted."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.context import Context
from app.domain.beat import Beat
from app.domain.device import Device, DeviceStatus
from app.domain.ids import LANES, device_key, lane_of
from app.domain.tenant import EVERY_TENANT, Tenant
from app.store.encoding import to_document
from bench.rules import add_rules

OFFLINE_SEC = 120
AT_ONCE = 5_000
OF_VERSION = 10
VERSION = "4.2.0"
NEVER_DUE = timedelta(days=30)


def one_a_lane() -> list[str]:
    """Tenants of which each lane has exactly one, by lane."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < LANES:
        found.setdefault(lane_of(f"tenant-{number}"), f"tenant-{number}")
        number += 1
    return [found[lane] for lane in range(LANES)]


TENANTS = one_a_lane()


async def add_tenants_and_rules(context: Context) -> None:
    """The rules of the seed, and such that 20 apply to every device."""
    now = context.clock.now()
    for tenant_id in TENANTS:
        await context.store.tenants.insert(Tenant(id=tenant_id, name=tenant_id, created_at=now))
    await add_rules(context)


async def add_devices(context: Context, first: int, last: int) -> None:
    """Devices of these numbers, online and far from due; in large batches, since a million are wanted.

    They were last seen in the future: the clock of a bench moves on, and nobody beats for those that are merely there.
    """
    now = context.clock.now()
    collection = context.mongo.tenant_collection("devices")
    for start in range(first, last, AT_ONCE):
        devices = [_device(number, now) for number in range(start, min(start + AT_ONCE, last))]
        await collection.insert(EVERY_TENANT, [to_document(device) for device in devices])


def name(number: int) -> tuple[str, str]:
    """Tenant and device: every lane has the same share."""
    return TENANTS[number % LANES], f"device-{number:07}"


def key(number: int) -> str:
    return device_key(*name(number))


def has_version(number: int) -> bool:
    """One in ten: when devices of a version fall silent, all of that version are looked at, and that is measured by itself."""
    return number // LANES % OF_VERSION == 0


async def beat(context: Context, numbers: Sequence[int], turn: int) -> None:
    """A beat of each of these devices, all of which are well, received within the last second."""
    chance, now = random.Random(turn), context.clock.now()
    for start in range(0, len(numbers), AT_ONCE):
        await context.store.heartbeats.insert([_beat(one, turn, now, chance) for one in numbers[start : start + AT_ONCE]])


def _device(number: int, now: datetime) -> Device:
    tenant_id, device_id = name(number)
    return Device(
        id=key(number),
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        status=DeviceStatus.ONLINE,
        since=now,
        created_at=now,
        offline_after=OFFLINE_SEC,
        wake_after=OFFLINE_SEC,
        first_seen=now,
        last_seen=now + NEVER_DUE,
        due_at=now + NEVER_DUE,
        store_id=f"store-{number // 50}",
        app_version=VERSION if has_version(number) else None,
    )


def _beat(number: int, turn: int, now: datetime, chance: random.Random) -> Beat:
    tenant_id, device_id = name(number)
    return Beat(
        id=f"{key(number)}:growth:{turn}:",
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        timestamp=now - timedelta(milliseconds=chance.randrange(1_000)),
        received_at=now - timedelta(milliseconds=chance.randrange(1_000)),
        expire_at=now + timedelta(days=7),
        cpu_usage=chance.uniform(5, 70),
        memory_usage=chance.uniform(5, 70),
        disk_usage=chance.uniform(10, 80),
        sync_lag_sec=chance.uniform(0, 60),
        error_rate_5m=0.0,
        request_latency_p95=chance.uniform(50, 400),
    )
