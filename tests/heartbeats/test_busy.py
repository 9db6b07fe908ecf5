"""A device that beats again within two seconds: each beat is stored, and the device is noted once a second."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from app.clock import ManualClock
from app.context import Context
from app.devices import register_device, retire_device, update_device
from app.domain.beat import HealthStatus, ServiceReport
from app.domain.beat_input import BeatInput
from app.domain.device import Device, DeviceStatus
from app.domain.device_input import DevicePatch
from app.domain.tenant import only
from app.heartbeats import record
from tests.cast import NOW, owner
from tests.counting import counted
from tests.heartbeats.conftest import Kept

TOLD_AND_READ = ["find", "insert", "update"]


async def beat(context: Context, clock: ManualClock, after: float = 0.1, **said: Any) -> None:
    clock.advance(after)
    await record(context, owner, BeatInput(device_id="till-1", **said))
    # What follows a beat has nothing to wait for here: it is done before the next one.
    await context.intake.settle()


async def seen(context: Context) -> Device:
    found = await context.store.devices.get(only("acme"), "acme", "till-1")
    assert found is not None
    return found


@pytest.fixture(autouse=True)
async def busy(context: Context, clock: ManualClock) -> None:
    """It has beaten twice within a moment."""
    await record(context, owner, BeatInput(device_id="till-1"))
    await context.intake.drain()
    await beat(context, clock, app_version="1.0")
    await beat(context, clock)


async def test_its_beats_cost_one_write_each(context: Context, clock: ManualClock, kept: Kept, database: str) -> None:
    with counted(database) as commands:
        for _ in range(5):
            await beat(context, clock)
    assert commands == ["insert"] * 5
    assert len(kept()["device_heartbeats"]) == 8


async def test_its_last_beat_is_noted_within_a_second(
    context: Context, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await context.intake.drain()
    monkeypatch.setattr("app.realtime.busy_devices.NOTE_EVERY_SEC", 0.01)
    await beat(context, clock)
    await beat(context, clock, 1.5)
    last = clock.now()
    clock.advance(2)  # it is busy no longer, and the noting comes to its end
    async with asyncio.timeout(10):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "busy_devices"))
    assert (await seen(context)).last_seen == last


async def test_it_is_noted_as_of_its_own_beat_and_not_of_others(context: Context, clock: ManualClock) -> None:
    await beat(context, clock)
    last = clock.now()
    for _ in range(4):
        clock.advance(0.3)
        await record(context, owner, BeatInput(device_id="till-2"))
    await context.intake.drain()
    assert (await seen(context)).last_seen == last


async def test_what_is_left_is_noted_when_the_process_leaves(context: Context, clock: ManualClock) -> None:
    await beat(context, clock)
    await context.intake.drain()
    assert (await seen(context)).last_seen == clock.now()


async def test_a_beat_that_says_something_new_is_noted_at_once(context: Context, clock: ManualClock, database: str) -> None:
    with counted(database) as commands:
        await beat(context, clock, app_version="2.0")
    assert sorted(commands) == [*TOLD_AND_READ, "update"]
    assert ((await seen(context)).app_version, (await seen(context)).last_seen) == ("2.0", clock.now())
    await beat(context, clock, services=[ServiceReport(name="printer", status=HealthStatus.UNHEALTHY)])
    assert (await seen(context)).services_health is HealthStatus.UNHEALTHY


async def test_after_two_seconds_it_is_not_busy_any_more(context: Context, clock: ManualClock, database: str) -> None:
    with counted(database) as commands:
        await beat(context, clock, 2)
    assert sorted(commands) == TOLD_AND_READ
    assert (await seen(context)).last_seen == clock.now()


async def test_one_that_may_have_to_be_looked_at_soon_is_never_put_off(
    context: Context, clock: ManualClock, database: str
) -> None:
    await update_device(context, owner, DevicePatch(device_id="till-1", offline_after_sec=4))
    await context.intake.drain()
    await beat(context, clock)
    await beat(context, clock)
    with counted(database) as commands:
        await beat(context, clock)
    assert sorted(commands) == TOLD_AND_READ


async def test_a_missed_one_is_found_back_though_it_was_put_off(
    context: Context, clock: ManualClock, database: str, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    lanes: list[set[int]] = []

    async def heard(back: set[int]) -> None:
        lanes.append(back)

    context.intake.on_recovery = heard
    mongo_client[database].devices.update_one({"device_id": "till-1"}, {"$set": {"missed": True}})
    await beat(context, clock)
    assert lanes == []
    await context.intake.drain()
    assert lanes == [{(await seen(context)).lane}]


async def test_one_that_is_retired_and_brought_back_is_online_with_its_first_beat(context: Context, clock: ManualClock) -> None:
    await retire_device(context, owner, "acme", "till-1")
    await register_device(context, owner, DevicePatch(device_id="till-1"))
    assert (await seen(context)).status is DeviceStatus.UNKNOWN
    await beat(context, clock)
    assert (await seen(context)).status is DeviceStatus.ONLINE


async def test_a_first_beat_makes_it_online_and_it_stays_so_while_it_is_busy(context: Context, clock: ManualClock) -> None:
    await beat(context, clock)
    device = await seen(context)
    assert (device.status, device.since, device.first_seen) == (DeviceStatus.ONLINE, NOW, NOW)
    assert clock.now() - (device.last_seen or NOW) < timedelta(seconds=1)
