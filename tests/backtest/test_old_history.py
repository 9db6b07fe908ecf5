"""Backtests over what is not kept as it came: five minutes stand for one reading; and anomalies, which look at five minutes."""

from datetime import timedelta
from typing import Any

import pytest

from app.backtest import Run, run_rule
from app.domain.counts import BUCKET
from app.domain.rollup import Resolution, Rollup, point_of
from app.domain.rule import AbsenceCondition, Aggregation, AnomalyCondition, Comparison, Condition, MetricCondition
from app.tenants import known_tenant
from tests.backtest.live import TILL, begin, lived, times
from tests.cast import NOW
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet
from tests.evaluation.test_anomalies import an_hour_of, four_usual_weeks

LONG_AGO = NOW - timedelta(days=10)


async def rolled_up(fleet: Fleet, *buckets: list[float]) -> None:
    """Five minutes after five minutes of CPU usage, ten days ago; an empty one is a device that said nothing."""
    rollups = []
    for place, values in enumerate(buckets):
        start = LONG_AGO + place * BUCKET
        if values:
            point = point_of(values, (start, start, values[-1]), start)
            rollups.append(
                Rollup(
                    tenant_id=fleet.tenant_id,
                    device_id=TILL,
                    resolution=Resolution.FIVE_MINUTES,
                    start=start,
                    metrics={"cpuUsage": point},
                )
            )
    await fleet.context.store.rollups.write(rollups)
    await fleet.add(TILL)


async def replayed(fleet: Fleet, condition: Condition, minutes: float, **fields: Any) -> Run:
    tenant = await known_tenant(fleet.context, fleet.tenant_id)
    span = (LONG_AGO, LONG_AGO + timedelta(minutes=minutes))
    return await run_rule(fleet.context, tenant, a_rule(condition, **fields), span, NOW)


def minutes_of(run: Run) -> list[tuple[float, float | None]]:
    """When each alert fired and ended, in minutes."""

    def minutes(at: Any) -> float:
        return float((at - LONG_AGO).total_seconds() / 60)

    return [(minutes(one.fired_at), None if one.resolved_at is None else minutes(one.resolved_at)) for one in run.alerts]


def cpu(comparison: Comparison, threshold: float, **fields: Any) -> MetricCondition:
    return MetricCondition(metric="cpuUsage", comparison=comparison, threshold=threshold, **fields)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (cpu(Comparison.GT, 90), [(10, 15)]),
        (cpu(Comparison.LT, 10), [(15, 20)]),
        (cpu(Comparison.EQ, 30), [(10, 15)]),
        (cpu(Comparison.GT, 50, aggregation=Aggregation.AVG, window_sec=60), [(10, 15)]),
        (cpu(Comparison.GTE, 3, aggregation=Aggregation.COUNT, window_sec=300), [(5, None)]),
    ],
)
async def test_five_minutes_stand_for_what_is_closest_to_a_breach(
    fleet: Fleet, condition: MetricCondition, expected: list[tuple[float, float | None]]
) -> None:
    await rolled_up(fleet, [20, 20, 20], [95, 40, 30], [40, 5, 20], [40, 40, 40])
    assert minutes_of(await replayed(fleet, condition, 20)) == expected


async def test_a_wait_goes_on_between_two_five_minutes(fleet: Fleet) -> None:
    await rolled_up(fleet, [20], [95], [95], [20])
    assert minutes_of(await replayed(fleet, cpu(Comparison.GT, 90), 30, for_sec=240)) == [(14, 20)]


async def test_five_minutes_without_anything_are_silence(fleet: Fleet) -> None:
    await rolled_up(fleet, [20] * 10, [20] * 10, [], [], [20] * 10)
    assert minutes_of(await replayed(fleet, AbsenceCondition(after_sec=60), 25)) == [(11, 20.5)]


async def test_anomalies_are_found_as_they_were_lived_through(odd: Fleet) -> None:
    rule = a_rule(AnomalyCondition(metric="requestLatencyP95", window_sec=900), key="odd", id="odd")
    since = await begin(odd, [rule], 120)
    await four_usual_weeks(odd)
    await an_hour_of(odd, 102, 20)
    await an_hour_of(odd, 400)
    await an_hour_of(odd, 101, 40)
    told = await lived(odd, rule, since)
    tenant, now = await known_tenant(odd.context, odd.tenant_id), odd.clock.now()
    assert times(await run_rule(odd.context, tenant, rule, (since, now), now)) == told
    assert len(told) == 1
