"""Gathering beats: each counts in the bucket of its own time, whatever the order in which they come."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.domain.beat import Beat, Metric
from app.domain.gathering import Gathering
from app.domain.rollup import (
    MOST_METRICS,
    Basis,
    Resolution,
    Rollup,
    RollupPoint,
    basis_of,
    floor_to,
    hours_of,
    merge_metrics,
    merge_points,
    spans_of,
    start_of,
)
from tests.domain.making import NOON, a_beat, at

DAY = timedelta(days=1)


def gathered(*beats: Beat) -> list[Rollup]:
    gathering = Gathering()
    for beat in beats:
        gathering.add(beat)
    return gathering.rollups("acme")


def the_point(name: str, *beats: Beat) -> RollupPoint:
    [rollup] = gathered(*beats)
    return rollup.metrics[name]


def with_metric(seconds: float, name: str, value: float, **fields: Any) -> Beat:
    return a_beat(seconds, metrics=(Metric(name, value),), **fields)


def test_a_gauge_is_counted_with_its_extremes_its_sum_and_its_last() -> None:
    point = the_point("cpuUsage", a_beat(200, cpu_usage=40.0), a_beat(0, cpu_usage=10.0), a_beat(100, cpu_usage=70.0))
    assert (point.count, point.min, point.max, point.sum, point.average) == (3, 10, 70, 120, 40)
    assert (point.start, point.last, point.last_at) == (NOON, 40, at(200))
    assert point.quantile(0.5) == pytest.approx(40, rel=0.01)


def test_a_percentile_is_never_outside_of_what_was_measured() -> None:
    point = the_point("cpuUsage", a_beat(0, cpu_usage=33.0))
    assert {point.quantile(q) for q in (0, 0.5, 0.99, 1)} == {33.0}


def test_a_beat_counts_in_the_bucket_of_its_own_time() -> None:
    late = a_beat(10, cpu_usage=1.0)
    first, second = gathered(late, a_beat(299.9, cpu_usage=2.0), a_beat(300, cpu_usage=3.0))
    assert [(one.start, one.metrics["cpuUsage"].count) for one in (first, second)] == [(at(0), 2), (at(300), 1)]


def test_every_gauge_has_its_place_under_the_name_that_rules_use() -> None:
    metrics = (Metric("queue.depth", 1.0), Metric("$cost", 2.0), Metric("cpuUsage", 99.0), Metric("bad", math.inf))
    [rollup] = gathered(a_beat(0, error_rate_5m=0.5, sync_lag_sec=3.0, metrics=metrics))
    assert sorted(rollup.metrics) == ["$cost", "errorRate5m", "queue.depth", "syncLagSec"]


def test_a_beat_without_a_gauge_leaves_nothing() -> None:
    assert gathered(a_beat(0)) == []


def test_a_roll_up_knows_until_when_its_beats_are_kept() -> None:
    first, second = a_beat(0, cpu_usage=1.0), a_beat(10, cpu_usage=2.0)
    [rollup] = gathered(second, first)
    assert (rollup.raw_until, rollup.received_until) == (first.expire_at, second.received_at)


def test_a_flood_of_names_does_not_swell_a_roll_up() -> None:
    flood = [with_metric(0.01 * n, f"flood.{n:04}", 1.0, cpu_usage=5.0) for n in range(500)]
    [rollup] = gathered(*flood, *(with_metric(10 + n, "real", 2.0) for n in range(2)))
    assert len(rollup.metrics) == MOST_METRICS + 1
    assert {"real", "cpuUsage", "flood.0000"} <= rollup.metrics.keys()


def test_numbers_that_are_too_large_to_add_up_stay_finite() -> None:
    point = the_point("x", with_metric(0, "x", 1.7e308), with_metric(1, "x", 1.7e308))
    assert math.isfinite(point.sum)
    assert point.average == 1.7e308 or math.isfinite(point.average)
    assert math.isfinite(merge_points([point, point, point], NOON).average)


def test_while_its_beats_are_kept_a_roll_up_is_made_anew() -> None:
    [rollup] = gathered(a_beat(0, cpu_usage=1.0))
    assert basis_of(rollup, NOON + 6 * DAY) is None


def test_once_the_first_of_its_beats_may_be_gone_a_roll_up_is_a_basis() -> None:
    [rollup] = gathered(a_beat(0, cpu_usage=1.0), a_beat(60, cpu_usage=3.0))
    basis = basis_of(rollup, NOON + 7 * DAY)
    assert basis == Basis(metrics=rollup.metrics, received_until=at(60))
    gathering = Gathering({rollup.place: basis})
    late = with_metric(120, "x", 1.0, cpu_usage=5.0)
    gathering.add(a_beat(60, cpu_usage=3.0))  # is still there, and counted
    gathering.add(late)
    [again] = gathering.rollups("acme")
    assert (again.metrics["cpuUsage"].count, again.metrics["cpuUsage"].sum, again.metrics["x"].count) == (3, 9, 1)
    assert (again.raw_until, again.received_until, again.basis) == (late.expire_at, late.received_at, basis)
    assert basis_of(again, NOON + 7 * DAY) == basis


READINGS = st.lists(st.tuples(st.integers(0, 3_599), st.floats(-1e6, 1e6)), min_size=1, max_size=40, unique_by=lambda one: one[0])


@given(READINGS, st.randoms())
def test_the_order_of_beats_makes_no_difference(readings: list[tuple[int, float]], random: Any) -> None:
    beats = [with_metric(second, "x", value) for second, value in readings]
    shuffled = list(beats)
    random.shuffle(shuffled)
    assert sorted(gathered(*beats), key=lambda one: one.start) == sorted(gathered(*shuffled), key=lambda one: one.start)


@given(READINGS)
def test_an_hour_is_what_its_beats_would_have_made(readings: list[tuple[int, float]]) -> None:
    beats = [with_metric(second, "x", value) for second, value in readings]
    [hour] = hours_of(gathered(*beats))
    point, values = hour.metrics["x"], [value for _, value in readings]
    assert (hour.start, hour.resolution, point.start) == (NOON, Resolution.HOUR, NOON)
    assert (point.count, point.min, point.max, point.last) == (len(values), min(values), max(values), max(readings)[1])
    assert point.sum == pytest.approx(math.fsum(values), abs=1e-6)
    # The same five minutes, all gathered in one: sketches do not care where a value was counted.
    assert point.sketch == the_point("x", *(with_metric(n / 100, "x", value) for n, value in enumerate(values))).sketch


@given(READINGS, st.integers(0, 40))
def test_merging_parts_in_any_grouping_is_the_same(readings: list[tuple[int, float]], cut: int) -> None:
    parts = [the_point("x", with_metric(second, "x", float(round(value)))) for second, value in readings]
    halves = [{"x": merge_points(half, NOON)} for half in (parts[:cut], parts[cut:]) if half]
    assert merge_metrics(halves, NOON)["x"] == merge_points(parts, NOON)


MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda one: one.replace(tzinfo=NOON.tzinfo))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(Resolution))
def test_a_bucket_begins_at_a_multiple_of_its_length(moment: datetime, resolution: Resolution) -> None:
    start = start_of(moment, resolution)
    assert start == floor_to(moment, resolution.span)
    assert start <= moment < start + resolution.span


@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1))
def test_spans_cover_the_buckets_and_nothing_else(buckets: set[tuple[str, int]]) -> None:
    step = Resolution.FIVE_MINUTES.span
    spans = spans_of([(device_id, NOON + number * step) for device_id, number in buckets], Resolution.FIVE_MINUTES)
    covered = [
        (device_id, (begin - NOON) // step + number)
        for (begin, end), device_ids in spans.items()
        for device_id in device_ids
        for number in range((end - begin) // step)
    ]
    assert sorted(covered) == sorted(buckets)
