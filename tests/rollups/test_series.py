"""A gauge over time, through the schema: the same figures whichever source they come from."""

import math
from datetime import datetime
from typing import Any

import pytest

from app.context import Context
from app.domain.rollup import Resolution
from tests.cast import mate, outsider, owner
from tests.devices.world import the_device
from tests.rollups.test_rolling import an_hour_of_beats
from tests.rollups.world import DAY, HOUR, MINUTE, SETTLED, Rolling, gauge
from tests.wire import ask, refusal

SERIES = """query ($metric: String!, $from: DateTime!, $to: DateTime!, $every: Int) { device(deviceId: "till-1") {
  series(metric: $metric, range: {from: $from, to: $to}, intervalSec: $every) { at value min max p50 p95 p99 count } } }"""


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def asked(rolling: Rolling, start: float, end: float, every: int | None = None, metric: str = "cpuUsage") -> dict[str, Any]:
    return {"metric": metric, "from": written(rolling.at(start)), "to": written(rolling.at(end)), "every": every}


async def shown(rolling: Rolling, *question: Any, **more: Any) -> list[dict[str, Any]]:
    data = await ask(rolling.context, owner, SERIES, **asked(rolling, *question, **more))
    points: list[dict[str, Any]] = data["device"]["series"]
    return points


async def test_a_step_says_what_the_gauge_did_in_it(rolling: Rolling) -> None:
    await rolling.add("till-1")
    for number in range(100):
        await rolling.beat(number, cpu_usage=float(number + 1))
    rolling.move_to(HOUR)
    [point] = await shown(rolling, 0, 300, 300)
    assert (point["at"], point["value"], point["min"], point["max"], point["count"]) == (
        written(rolling.at(0)),
        50.5,
        1,
        100,
        100,
    )
    assert [point[name] for name in ("p50", "p95", "p99")] == pytest.approx([50, 95, 99], rel=0.01)


@pytest.mark.parametrize("now", [HOUR, HOUR + 10 * MINUTE, HOUR + SETTLED, 2 * HOUR + SETTLED])
@pytest.mark.parametrize("every", [300, 900, 3_600, 7_200])
async def test_it_makes_no_difference_what_is_rolled_up_already(rolling: Rolling, every: int, now: int) -> None:
    await an_hour_of_beats(rolling)
    await rolling.beat(HOUR, cpu_usage=1.0)
    rolling.move_to(now)
    before = await shown(rolling, 0, now + 1, every)
    await rolling.roll(25 * MINUTE if now == HOUR else None)
    rolling.move_to(now)
    assert await shown(rolling, 0, now + 1, every) == before
    assert sum(point["count"] for point in before) == 61
    assert len(before) == math.ceil((HOUR + 1) / every)


async def test_the_bucket_that_is_still_open_is_there(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    await rolling.beat(HOUR + 2, cpu_usage=77.0)
    points = await shown(rolling, 0, HOUR + SETTLED, 3_600)
    assert [(point["count"], point["max"]) for point in points] == [(60, 59), (1, 77)]


async def test_without_a_step_there_are_as_many_points_as_are_fine_enough(rolling: Rolling) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(DAY)
    for start, end, points in ((0, HOUR, 60), (0, DAY, 12), (-19 * DAY, DAY, 1), (-400 * DAY, DAY, 1)):
        assert len(await shown(rolling, start, end)) == points


async def test_old_hours_are_there_when_their_parts_are_gone(rolling: Rolling, context: Context) -> None:
    await an_hour_of_beats(rolling)
    await rolling.roll(HOUR + SETTLED)
    rolling.move_to(60 * DAY)
    await rolling.expire_beats()
    parts = context.mongo.tenant_collection("heartbeat_rollups")
    await parts.delete(the_device("till-1").scope, {"resolution": Resolution.FIVE_MINUTES.value})
    assert [point["count"] for point in await shown(rolling, 0, HOUR)] == [60]
    assert [point["count"] for point in await shown(rolling, -300 * DAY, 60 * DAY)] == [60]


async def test_a_gauge_of_ones_own_has_a_series_as_well(rolling: Rolling) -> None:
    await rolling.add("till-1")
    await rolling.beat(0, metrics=gauge("$queue.depth", -4.0))
    rolling.move_to(60)
    assert [point["value"] for point in await shown(rolling, 0, 60, 1, metric="$queue.depth")] == [-4]
    assert await shown(rolling, 0, 60, 1, metric="nothing") == []


async def test_what_cannot_be_shown_is_said_with_what_can(rolling: Rolling) -> None:
    await rolling.add("till-1")
    context = rolling.context
    for question, fields in (
        ((0, -1), ["range"]),
        ((-HOUR, 0, 0), ["intervalSec"]),
        ((-HOUR, 0, -5), ["intervalSec"]),
        ((-HOUR, 0, 1), ["intervalSec"]),
        ((-2 * DAY, 0, 60), ["intervalSec"]),
        ((-31 * DAY, 0, 300), ["intervalSec"]),
        ((-30 * DAY, 0, 300), ["intervalSec"]),
        ((-HOUR, 0, 0, ""), ["metric", "intervalSec"]),
    ):
        assert await refusal(context, owner, SERIES, **asked(rolling, *question)) == ("BAD_USER_INPUT", fields)
    assert await shown(rolling, 5 * DAY, 6 * DAY) == []
    assert await shown(rolling, -900 * DAY, -800 * DAY) == []


async def test_at_most_so_many_points_are_shown(rolling: Rolling) -> None:
    await rolling.add("till-1")
    for number in (0, 1_999):
        await rolling.beat(number, cpu_usage=1.0)
    rolling.move_to(2_010)
    assert len(await shown(rolling, 0, 2_000, 1)) == 2
    assert await refusal(rolling.context, owner, SERIES, **asked(rolling, 0, 2_001, 1)) == ("BAD_USER_INPUT", ["intervalSec"])


async def test_a_device_and_its_people_see_it_and_nobody_else(rolling: Rolling) -> None:
    await rolling.add("till-1")
    await rolling.beat(0, cpu_usage=5.0)
    question = asked(rolling, 0, 60, 60)
    for principal in (mate, the_device("till-1")):
        device = (await ask(rolling.context, principal, SERIES, **question))["device"]
        assert [point["value"] for point in device["series"]] == [5]
    assert (await ask(rolling.context, outsider, SERIES, **question))["device"] is None
