"""A gauge over time: from beats, five-minute or hourly roll-ups, whichever is fine enough and still kept."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.context import Context
from app.domain.device import Device
from app.domain.gathering import reading_of
from app.domain.rollup import READABLE, Reading, Resolution, RollupPoint, floor_to, merge_points, point_of
from app.errors import BadInputError, FieldError
from app.rollups import HOUR_MARK, MARK

MOST_POINTS = 2_000
POINTS = 500
"""As many points as are enough where nobody said how far apart they should be."""

LONGEST_NAME = 100
RAW_REACH = timedelta(days=1)
"""How far back beats themselves are read: every tenant keeps them for that long at least."""

FIVE_MINUTES, HOUR = Resolution.FIVE_MINUTES.span, Resolution.HOUR.span
_STEPS = [timedelta(seconds=seconds) for seconds in (10, 30, 60, 300, 900, 3_600, 6 * 3_600, 86_400)]
_FINEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """What a gauge did in the stretch of time that begins at `at`; `value` is its average there."""

    at: datetime
    value: float
    min: float
    max: float
    p50: float
    p95: float
    p99: float
    count: int


async def series_of(
    context: Context, device: Device, metric: str, start: datetime, end: datetime, interval_sec: int | None
) -> list[SeriesPoint]:
    """A gauge of a device that the caller has already been given, in steps that begin at multiples of `interval_sec` (UTC).

    Covers every step that overlaps [start, end); steps without a value are left out. Without `interval_sec` a fitting one is
    taken. Raises BadInputError for a name that no gauge has, for a step that is finer than what is kept of that time, and for
    more than 2,000 points.
    """
    now = context.clock.now()
    start, end = max(start, now - READABLE[Resolution.HOUR]), min(end, now + _FINEST)
    grain = _grain(now - start)
    step = _fitting(end - start, grain) if interval_sec is None else timedelta(seconds=interval_sec)
    _require(metric, step, grain, end - start)
    if start >= end:
        return []
    first, last = floor_to(start, step), floor_to(end - timedelta(milliseconds=1), step) + step
    by_step: dict[datetime, list[RollupPoint]] = {}
    for point in await _points(context, device, metric, step, first, last):
        by_step.setdefault(floor_to(point.start, step), []).append(point)
    return [_shown(merge_points(points, at)) for at, points in sorted(by_step.items())]


def _grain(age: timedelta) -> timedelta:
    """What steps must be a multiple of, where they begin so long ago."""
    if age <= RAW_REACH:
        return _FINEST
    return FIVE_MINUTES if age <= READABLE[Resolution.FIVE_MINUTES] else HOUR


def _fitting(length: timedelta, grain: timedelta) -> timedelta:
    allowed = [step for step in _STEPS if step >= grain]
    return next((step for step in allowed if length <= step * POINTS), allowed[-1])


def _require(metric: str, step: timedelta, grain: timedelta, length: timedelta) -> None:
    errors = []
    if not 0 < len(metric) <= LONGEST_NAME:
        errors.append(FieldError("metric", f"must have 1 to {LONGEST_NAME} characters"))
    seconds, unit = int(step.total_seconds()), int(grain.total_seconds())
    least = max(unit, math.ceil(length.total_seconds() / MOST_POINTS / unit) * unit)
    if seconds < 1:
        errors.append(FieldError("intervalSec", f"is {seconds}; must be at least {least}"))
    elif seconds % unit:
        kept = "five minutes" if grain == FIVE_MINUTES else "hours"
        errors.append(FieldError("intervalSec", f"is {seconds}; of that long ago only {kept} are kept: a multiple of {unit}"))
    elif length > step * MOST_POINTS:
        errors.append(FieldError("intervalSec", f"is {seconds}: over {MOST_POINTS:,} points; at least {least} for this range"))
    if errors:
        raise BadInputError(errors)


async def _points(
    context: Context, device: Device, metric: str, step: timedelta, start: datetime, end: datetime
) -> list[RollupPoint]:
    """From the coarsest source that is fine enough, and what that does not have yet from the next finer one."""
    points: list[RollupPoint] = []
    edge = start
    for resolution, mark in ((Resolution.HOUR, HOUR_MARK), (Resolution.FIVE_MINUTES, MARK)):
        if step % resolution.span:
            continue
        rolled = await context.store.leases.watermark(mark, device.lane)
        if rolled is not None and edge < rolled:
            until = min(rolled, end)
            found = await context.store.rollups.series(device.tenant_id, [device.device_id], metric, edge, until, resolution)
            points += found.get(device.device_id, [])
            edge = until
    # The marks stand still where nobody rolls up; then a day of beats is what can be read.
    return points + await _from_beats(context, device, metric, step, max(edge, context.clock.now() - RAW_REACH - step), end)


async def _from_beats(
    context: Context, device: Device, metric: str, step: timedelta, start: datetime, end: datetime
) -> list[RollupPoint]:
    by_step: dict[datetime, list[Reading]] = {}
    if start < end:
        spans = {(start, end): [device.device_id]}
        async for beat in context.store.rollup_feed.beats(device.tenant_id, spans):
            reading = reading_of(beat, metric)
            if reading is not None:
                by_step.setdefault(floor_to(beat.timestamp, step), []).append(reading)
    return [point_of([value for _, _, value in mine], max(mine), at) for at, mine in by_step.items()]


def _shown(point: RollupPoint) -> SeriesPoint:
    p50, p95, p99 = (point.quantile(q) for q in (0.5, 0.95, 0.99))
    return SeriesPoint(point.start, point.average, point.min, point.max, p50, p95, p99, point.count)
