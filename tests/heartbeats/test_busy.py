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
from tests.cast import owner
from tests.counting import counted
from tests.elsewhere import failing
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
async def busy(context: Context, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has beaten twice within a moment. Nothing that was put off is noted before it is asked for."""
    monkeypatch.setattr("app.realtime.busy_devices.NOTE_EVERY_SEC", 3_600)
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


@pytest.mark.parametrize("state", list(HealthStatus))
async def test_so_do_those_that_say_the_time_and_how_its_services_are(
    context: Context, clock: ManualClock, database: str, state: HealthStatus
) -> None:
    services = [ServiceReport(name="printer", status=state)]
    for _ in range(2):
        await beat(context, clock, services=services, sent_at=clock.now())
    with counted(database) as commands:
        await beat(context, clock, services=services, sent_at=clock.now() + timedelta(seconds=0.4))
    assert commands == ["insert"]


async def test_a_clock_that_goes_wrong_by_a_second_is_noted_at_once(context: Context, clock: ManualClock) -> None:
    await beat(context, clock, sent_at=clock.now())
    await beat(context, clock, sent_at=clock.now() + timedelta(seconds=3))
    assert (await seen(context)).clock_skew_sec == pytest.approx(2.9)


async def test_what_was_read_before_it_said_something_new_is_not_learnt_after(
    context: Context, clock: ManualClock, database: str
) -> None:
    before, read_at = await context.store.connectivity.profiles(["acme:till-1"]), clock.now()
    await beat(context, clock, app_version="2.0")
    context.intake.busy.learn(before.values(), read_at)
    await beat(context, clock, app_version="1.0")
    assert (await seen(context)).app_version == "1.0"


async def test_its_last_beat_is_noted_within_a_second(
    context: Context, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await context.intake.drain()
    monkeypatch.setattr("app.realtime.busy_devices.NOTE_EVERY_SEC", 0.05)
    await beat(context, clock)
    before = clock.now()
    await beat(context, clock)
    last = clock.now()
    assert (await seen(context)).last_seen == before
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


async def test_what_was_put_off_does_not_overwrite_what_was_said_since(context: Context, clock: ManualClock) -> None:
    await beat(context, clock)
    printer = ServiceReport(name="printer", status=HealthStatus.UNHEALTHY)
    await beat(context, clock, app_version="2.0", services=[printer])
    await context.intake.drain()
    device = await seen(context)
    assert (device.app_version, device.services_health) == ("2.0", HealthStatus.UNHEALTHY)


async def test_what_it_says_again_after_something_new_is_new_too(context: Context, clock: ManualClock) -> None:
    await beat(context, clock, app_version="2.0")
    await beat(context, clock, app_version="1.0")
    assert (await seen(context)).app_version == "1.0"


async def test_after_two_seconds_it_is_not_busy_any_more(context: Context, clock: ManualClock, database: str) -> None:
    with counted(database) as commands:
        await beat(context, clock, 2)
    assert sorted(commands) == TOLD_AND_READ
    assert (await seen(context)).last_seen == clock.now()


async def test_one_that_may_have_to_be_looked_at_soon_is_never_put_off(
    context: Context, clock: ManualClock, database: str
) -> None:
    await update_device(context, owner, DevicePatch(device_id="till-1", offline_after_sec=14))
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
    await beat(context, clock)
    await retire_device(context, owner, "acme", "till-1")
    await register_device(context, owner, DevicePatch(device_id="till-1"))
    assert (await seen(context)).status is DeviceStatus.UNKNOWN
    await context.store.connectivity.saw_again([(clock.now(), ["acme:till-1"])])
    assert (await seen(context)).last_seen is None
    await beat(context, clock)
    assert (await seen(context)).status is DeviceStatus.ONLINE


async def test_what_is_put_off_for_two_seconds_is_overdue_and_the_next_beat_is_noted_at_once(
    context: Context, clock: ManualClock, database: str
) -> None:
    await beat(context, clock)
    for _ in range(3):  # read again and again, and never noted: as if the noting did not come to its end
        clock.advance(0.6)
        context.intake.busy.learn((await context.store.connectivity.profiles(["acme:till-1"])).values(), clock.now())
        await beat(context, clock, 0)
    with counted(database) as commands:
        await beat(context, clock, 0.2)
    assert sorted(commands) == TOLD_AND_READ


async def test_a_noting_that_failed_is_done_again(
    context: Context, clock: ManualClock, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    await beat(context, clock)
    with failing(mongo_client, "update", times=1, errorCode=96):
        await context.intake.drain()
    assert (await seen(context)).last_seen != clock.now()
    await context.intake.drain()
    assert (await seen(context)).last_seen == clock.now()


async def test_of_two_writes_that_overtake_each_other_the_later_beat_is_noted(context: Context, clock: ManualClock) -> None:
    earlier, later = clock.advance(0.1), clock.advance(0.1)
    context.intake.busy.put_off({"acme:till-1": later})
    context.intake.busy.put_off({"acme:till-1": earlier})
    await context.intake.drain()
    assert (await seen(context)).last_seen == later


async def test_its_offline_time_may_be_cut_while_its_last_beat_is_not_noted_yet(context: Context, clock: ManualClock) -> None:
    await beat(context, clock, 1.5)
    await update_device(context, owner, DevicePatch(device_id="till-1", offline_after_sec=1))
    clock.advance(0.1)
    device = await seen(context)
    assert await context.store.connectivity.due(device.lane, clock.now(), 10) == []
    await context.intake.drain()
    due_at = (await seen(context)).due_at
    assert due_at is not None
    assert due_at > clock.now()
