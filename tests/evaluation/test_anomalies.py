"""Anomaly rules: a device unlike itself at this hour of the week, judged by the rule tick."""

import random
from datetime import timedelta
from typing import Any

from app.domain.beat import Metric
from app.domain.rollup import Resolution, Rollup, point_of
from app.domain.rule import AnomalyCondition, RuleScope
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet

BUCKET = timedelta(minutes=5)


async def watch(fleet: Fleet, metric: str = "requestLatencyP95", **fields: Any) -> None:
    condition = AnomalyCondition(metric=metric, window_sec=900)
    await fleet.context.mongo.database["alert_rules"].delete_many({})
    await fleet.context.store.rules.insert(a_rule(condition, **{"key": "odd", "id": "r-9", **fields}))


async def four_usual_weeks(fleet: Fleet, metric: str = "requestLatencyP95", device_id: str = "till-1", weeks: int = 4) -> None:
    """Around 100 from 05:00 to 08:00 on this weekday, for so many weeks."""
    chance = random.Random(1)
    rollups = []
    for week in range(1, weeks + 1):
        first = fleet.clock.now().replace(hour=5, minute=0) - timedelta(weeks=week)
        for place in range(36):
            start = first + place * BUCKET
            point = point_of([chance.gauss(100, 5)], (start, start, 100.0), start)
            rollups.append(
                Rollup(
                    tenant_id=fleet.tenant_id,
                    device_id=device_id,
                    resolution=Resolution.FIVE_MINUTES,
                    start=start,
                    metrics={metric: point},
                )
            )
    await fleet.context.store.rollups.write(rollups)


async def an_hour_of(fleet: Fleet, value: float, minutes: int = 60, *, custom: str | None = None) -> list[str]:
    """What happened while the device said this each minute, with a tick each 15 seconds."""
    before = len(await fleet.record())
    for _ in range(minutes):
        gauges: dict[str, Any] = {"metrics": [Metric(custom, value)]} if custom else {"request_latency_p95": value}
        await fleet.beat("till-1", **gauges)
        for _ in range(4):
            fleet.clock.advance(15)
            await fleet.judge()
    return [event.type.name for event in (await fleet.record())[before:]]


async def test_what_is_far_from_usual_over_both_horizons_opens_and_recovers(fleet: Fleet) -> None:
    await watch(fleet)
    await fleet.add("till-1")
    await four_usual_weeks(fleet)
    assert await an_hour_of(fleet, 102, 30) == []
    assert await an_hour_of(fleet, 400, 4) == []  # nothing of it is over yet: five minutes are judged as a whole
    opened = await an_hour_of(fleet, 400, 36)
    assert opened == ["OPENED"]
    [event] = await fleet.record()
    assert event.alert.message.startswith("request latency p95 ")
    assert "usually" in event.alert.message
    assert "on Saturdays at 7 h" in event.alert.message
    assert await an_hour_of(fleet, 101, 25) == ["RESOLVED"]


async def test_a_short_excursion_is_not_one_over_the_longer_horizon(fleet: Fleet) -> None:
    await watch(fleet)
    await fleet.add("till-1")
    await four_usual_weeks(fleet)
    await an_hour_of(fleet, 100, 40)
    assert await an_hour_of(fleet, 120, 2) == []
    assert await an_hour_of(fleet, 100, 30) == []


async def test_it_is_quiet_while_it_learns(fleet: Fleet) -> None:
    await watch(fleet)
    await fleet.add("till-1")
    await four_usual_weeks(fleet, weeks=1)
    assert await an_hour_of(fleet, 900) == []


async def test_any_gauge_may_be_watched(fleet: Fleet) -> None:
    await watch(fleet, "queue.length")
    await fleet.add("till-1")
    await four_usual_weeks(fleet, "queue.length")
    assert await an_hour_of(fleet, 400, custom="queue.length") == ["OPENED"]


async def test_a_rule_is_for_its_scope_alone(fleet: Fleet) -> None:
    await watch(fleet, scope=RuleScope(kinds=("gate",)))
    await fleet.add("till-1", kind="pos")
    await four_usual_weeks(fleet)
    assert await an_hour_of(fleet, 400, 30) == []
