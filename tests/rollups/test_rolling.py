"""The roll-up job: every bucket once it is over, again for late beats, and never less than was known before."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from app.context import Context
from app.domain.ids import lane_of
from app.domain.rollup import Resolution, merge_points
from tests.cast import NOW
from tests.counting import counted
from tests.rollups.world import DAY, HOUR, MINUTE, SETTLED, Rolling, gauge, neighbour


async def an_hour_of_beats(rolling: Rolling, *device_ids: str) -> None:
    for device_id in device_ids or ("till-1",):
        await rolling.add(device_id)
        for minute in range(60):
            await rolling.beat(minute * MINUTE, device_id, cpu_usage=float(minute))


async def test_a_bucket_is_rolled_up_once_it_is_over(rolling: Rolling) -> None:
    await rolling.roll()
    for second in (0, 60, 299, 300):
        await rolling.beat(second, cpu_usage=10.0 + second)
    assert await rolling.roll(5 * MINUTE) == 0
    assert await rolling.roll(5 * MINUTE + SETTLED - 1) == 1
    [point] = await rolling.points()
    assert (point.start, point.count, point.min, point.max, point.last) == (NOW, 3, 10, 309, 309)
    assert await rolling.roll() == 0


async def test_a_late_beat_changes_the_bucket_of_its_own_time(rolling: Rolling) -> None:
    await rolling.beat(0, cpu_usage=10.0)
    await rolling.beat(400, cpu_usage=20.0)
    await rolling.roll(10 * MINUTE + SETTLED)
    await rolling.beat(100, came=20 * MINUTE, cpu_usage=90.0)
    assert await rolling.roll(25 * MINUTE + SETTLED) == 1
    assert await rolling.counts() == {0: 2, 300: 1}
    assert [point.max for point in await rolling.points()] == [90, 20]


async def test_a_late_beat_changes_its_hour_as_well(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    await rolling.beat(1_000, came=2 * HOUR, cpu_usage=99.0)
    assert await rolling.roll(2 * HOUR + 2 * SETTLED) == 2
    assert await rolling.counts(resolution=Resolution.HOUR) == {0: 61}
    assert [point.max for point in await rolling.points(resolution=Resolution.HOUR)] == [99]


async def test_an_hour_is_its_twelve_parts(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR - 1)
    assert await rolling.points(resolution=Resolution.HOUR) == []
    await rolling.roll(HOUR + SETTLED)
    parts = await rolling.points()
    assert len(parts) == 12
    assert await rolling.points(resolution=Resolution.HOUR) == [merge_points(parts, NOW)]


async def test_an_hour_counts_the_late_beats_of_a_device_that_then_fell_silent(rolling: Rolling) -> None:
    await rolling.add("till-1")
    await rolling.beat(0, came=1_800, cpu_usage=1.0)
    await rolling.roll(HOUR + SETTLED)
    assert await rolling.counts(resolution=Resolution.HOUR) == {0: 1}


async def test_rolling_up_twice_changes_nothing(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling, "till-1", "till-2")
    await rolling.roll(HOUR + SETTLED)
    before = await rolling.kept()
    await forget_marks(rolling.context)
    assert await rolling.roll() == 26
    assert await rolling.kept() == before


@pytest.mark.parametrize("writes", [0, 2, 3, 4, 5, 15, 26, 27, 28, 29])
async def test_a_job_that_dies_at_any_write_is_made_up_for_by_the_next(
    rolling: Rolling, mongo_client: "MongoClient[dict[str, Any]]", writes: int
) -> None:
    await an_hour_of_beats(rolling, "till-1", "till-2")
    rolling.move_to(HOUR + SETTLED)
    dying = {"failCommands": ["update"], "errorCode": 8000}
    mongo_client.admin.command("configureFailPoint", "failCommand", mode={"skip": writes}, data=dying)
    try:
        with pytest.raises(PyMongoError):
            await rolling.roll()
    finally:
        mongo_client.admin.command("configureFailPoint", "failCommand", mode="off")
    await rolling.roll()
    for device_id in ("till-1", "till-2"):
        assert await rolling.counts(device_id=device_id) == {n * 300: 5 for n in range(12)}
        assert await rolling.counts(resolution=Resolution.HOUR, device_id=device_id) == {0: 60}


async def test_two_tenants_of_a_lane_stay_apart(rolling: Rolling) -> None:
    await rolling.context.store.tenants.insert(neighbour())
    assert lane_of("hooli") == lane_of("acme")
    for tenant_id, value in (("acme", 10.0), ("hooli", 70.0)):
        await rolling.add("till-1", tenant_id=tenant_id)
        await rolling.beat(0, tenant_id=tenant_id, cpu_usage=value)
    await rolling.roll(HOUR + SETTLED)
    for resolution in Resolution:
        assert [point.max for point in await rolling.points(resolution=resolution)] == [10]
        assert [point.max for point in await rolling.points(resolution=resolution, tenant_id="hooli")] == [70]


@pytest.mark.parametrize("name", ["a.b", "$where", "$", ".", "metrics.0.name", "naïve 🙂", "_id", "x" * 100])
async def test_a_gauge_may_have_any_name(rolling: Rolling, name: str) -> None:
    await rolling.add("till-1")
    await rolling.beat(0, metrics=gauge(name, 3.5), cpu_usage=1.0)
    await rolling.roll(HOUR + SETTLED)
    for resolution in Resolution:
        [point] = await rolling.points(name, resolution)
        assert (point.sum, point.quantile(0.5)) == (3.5, 3.5)


async def test_a_late_beat_never_costs_what_came_of_beats_that_are_gone(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    rolling.move_to(8 * DAY)
    await rolling.expire_beats()
    await rolling.beat(30, came=8 * DAY, cpu_usage=99.0)
    await rolling.roll(8 * DAY + 2 * SETTLED)
    assert (await rolling.counts())[0] == 6
    assert await rolling.counts(resolution=Resolution.HOUR) == {0: 61}
    # And so again, and after that one is gone too.
    await forget_marks(rolling.context)
    await rolling.roll()
    await rolling.beat(31, came=8 * DAY + 10 * MINUTE, cpu_usage=98.0)
    await rolling.roll(8 * DAY + 20 * MINUTE)
    assert (await rolling.counts())[0] == 7
    rolling.move_to(16 * DAY)
    await rolling.expire_beats()
    await rolling.beat(32, came=16 * DAY, cpu_usage=97.0)
    await rolling.roll(16 * DAY + 2 * SETTLED)
    [first, *_] = await rolling.points()
    assert (first.count, first.min, first.max) == (8, 0, 99)
    assert await rolling.counts(resolution=Resolution.HOUR) == {0: 63}


async def test_beats_that_are_past_their_time_but_still_there_count_once(rolling: Rolling) -> None:
    await rolling.beat(0, cpu_usage=1.0)
    await rolling.roll(5 * MINUTE + SETTLED)
    await rolling.beat(30, came=8 * DAY, cpu_usage=3.0)
    await rolling.roll(8 * DAY + 2 * SETTLED)
    assert await rolling.counts() == {0: 2}


async def test_after_a_standstill_everything_is_made_up_for(rolling: Rolling, monkeypatch: pytest.MonkeyPatch) -> None:
    await rolling.add("till-1")
    await rolling.roll()
    for hour in range(6):
        await rolling.beat(hour * HOUR, cpu_usage=1.0)
    monkeypatch.setattr("app.rollups.MOST_STEPS", 5)
    await rolling.roll(6 * HOUR + SETTLED)
    assert len(await rolling.counts()) == 2
    for _ in range(2):
        await rolling.roll()
    assert await rolling.counts() == {hour * HOUR: 1 for hour in range(6)}
    assert await rolling.counts(resolution=Resolution.HOUR) == {hour * HOUR: 1 for hour in range(6)}


async def test_roll_ups_end_by_themselves_and_the_parts_of_an_hour_not_before_it_can_change(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    ends = {(one["resolution"], one["start"]): one["expire_at"] for one in await rolling.kept()}
    assert ends["5m", NOW] == NOW + timedelta(days=31)
    assert ends["1h", NOW] == NOW + timedelta(days=365)


async def test_a_beat_that_is_older_than_its_bucket_may_be_leaves_no_half_of_an_hour(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    late = 30 * DAY + 2 * HOUR
    await rolling.beat(0, came=late, cpu_usage=1.0)
    before = await rolling.kept()
    rolling.move_to(late + 2 * SETTLED)
    while await rolling.context.store.leases.watermark("rollups", lane_of("acme")) != rolling.at(late + 5 * MINUTE):
        await rolling.roll()
    assert await rolling.kept() == before


async def test_many_devices_cost_no_more_questions_than_one(rolling: Rolling, database: str) -> None:
    asked: list[int] = []
    for start, devices in ((0, 1), (5 * MINUTE, 40)):
        for number in range(devices):
            await rolling.beat(start, f"till-{number}", cpu_usage=1.0)
        rolling.move_to(start + 5 * MINUTE + SETTLED - 1)
        with counted(database) as commands:
            assert await rolling.roll() == devices
        asked.append(len(commands))
    assert asked[1] <= asked[0]


async def test_the_like_hours_of_past_weeks_are_one_question(rolling: Rolling, context: Context, database: str) -> None:
    await rolling.add("till-1", "till-2")
    for hour in range(4):
        for device_id in ("till-1", "till-2"):
            await rolling.beat(hour * HOUR, device_id, cpu_usage=float(hour))
    await rolling.roll(4 * HOUR + SETTLED)
    starts = [rolling.at(0), rolling.at(2 * HOUR), rolling.at(99 * HOUR)]
    with counted(database) as commands:
        found = await context.store.rollups.at_starts("acme", ["till-1", "till-2", "none"], "cpuUsage", starts, Resolution.HOUR)
    assert commands == ["find"]
    assert {device_id: [point.max for point in points] for device_id, points in found.items()} == {
        "till-1": [0, 2],
        "till-2": [0, 2],
    }


async def forget_marks(context: Context) -> None:
    """As if the job had never run."""
    await context.mongo.platform_collection("leases").delete({"_id": {"$regex": "^mark:rollup"}})
