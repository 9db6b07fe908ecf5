"""Roll-ups: what each gauge of a device did in five minutes, and in an hour. Pure.

A beat belongs to the bucket of its `timestamp`, so a late one goes to where it was sent.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import msgspec

from app.domain.beat import METRIC_FIELDS
from app.domain.sketch import Sketch, merge_sketches, sketch_of

MOST_METRICS = 200
"""Gauges without a field of their own that one roll-up holds: those with the most values."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 1.7976931348623157e308
_NEARLY = timedelta(minutes=1)

Place = tuple[str, datetime]
"""A device's bucket: device id, and when the bucket starts."""

Reading = tuple[datetime, datetime, float]
"""A value of a gauge: when it was measured, when it came, and what it was."""

Spans = Mapping[tuple[datetime, datetime], Sequence[str]]
"""Stretches of time, from the first moment until before the second, with the ids of the devices that they are of."""


class Resolution(Enum):
    """How fine a roll-up is."""

    FIVE_MINUTES = "5m"
    HOUR = "1h"

    @property
    def span(self) -> timedelta:
        return _SPANS[self]


_SPANS = {Resolution.FIVE_MINUTES: timedelta(minutes=5), Resolution.HOUR: timedelta(hours=1)}

READABLE = {Resolution.FIVE_MINUTES: timedelta(days=30), Resolution.HOUR: timedelta(days=365)}
"""For how long after its start a roll-up can be counted on."""

KEPT = {Resolution.FIVE_MINUTES: timedelta(days=31), Resolution.HOUR: timedelta(days=365)}
"""For how long it is kept: of an hour that a late beat changes, all twelve parts must still be there."""


class RollupPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one gauge did in the stretch of time that begins at `start`; `last` was measured at `last_at`."""

    start: datetime
    count: int
    min: float
    max: float
    sum: float
    last: float
    last_at: datetime
    sketch: Sketch

    @property
    def average(self) -> float:
        return self._inside(self.sum / self.count)

    def quantile(self, q: float) -> float:
        """See `Sketch.quantile`; never outside of what was measured."""
        return self._inside(self.sketch.quantile(q))

    def _inside(self, value: float) -> float:
        return max(self.min, min(self.max, value))


Points = Mapping[str, RollupPoint]
"""By the name of the gauge, as rules use it."""


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a bucket from beats that are not kept any more: all that came until `received_until`."""

    metrics: Points
    received_until: datetime


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """Every gauge of a device in one bucket.

    `basis` is the part whose beats are gone. Of the rest every beat is kept until `raw_until`; its last came at `received_until`.
    An hour is made of its twelve parts and has none of the three.
    """

    tenant_id: str
    device_id: str
    resolution: Resolution
    start: datetime
    metrics: Points
    raw_until: datetime | None = None
    received_until: datetime | None = None
    basis: Basis | None = None

    @property
    def place(self) -> Place:
        return self.device_id, self.start


def start_of(at: datetime, resolution: Resolution) -> datetime:
    """When the bucket starts that a moment belongs to."""
    if resolution is Resolution.HOUR:
        return at.replace(minute=0, second=0, microsecond=0)
    return at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)


def floor_to(at: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since 1970 that is not after `at`."""
    return _EPOCH + (at - _EPOCH) // step * step


def point_of(values: Sequence[float], latest: Reading, start: datetime) -> RollupPoint:
    """What the values of a gauge add up to, of at least one."""
    at, _, last = latest
    return RollupPoint(
        start=start,
        count=len(values),
        min=min(values),
        max=max(values),
        sum=sum_of(values),
        last=last,
        last_at=at,
        sketch=sketch_of(values),
    )


def merge_points(points: Sequence[RollupPoint], start: datetime) -> RollupPoint:
    """One for several, of at least one."""
    latest = max(points, key=lambda point: (point.last_at, point.last))
    return RollupPoint(
        start=start,
        count=sum(point.count for point in points),
        min=min(point.min for point in points),
        max=max(point.max for point in points),
        sum=sum_of([point.sum for point in points]),
        last=latest.last,
        last_at=latest.last_at,
        sketch=merge_sketches(point.sketch for point in points),
    )


def merge_metrics(parts: Iterable[Points], start: datetime) -> Points:
    by_name: dict[str, list[RollupPoint]] = {}
    for part in parts:
        for name, point in part.items():
            by_name.setdefault(name, []).append(point)
    return most_told({name: merge_points(points, start) for name, points in by_name.items()})


def hours_of(parts: Iterable[Rollup]) -> list[Rollup]:
    """The hours that five-minute roll-ups of one tenant add up to."""
    by_hour: dict[Place, list[Rollup]] = {}
    for part in parts:
        by_hour.setdefault((part.device_id, start_of(part.start, Resolution.HOUR)), []).append(part)
    return [
        Rollup(
            tenant_id=mine[0].tenant_id,
            device_id=device_id,
            resolution=Resolution.HOUR,
            start=start,
            metrics=merge_metrics((part.metrics for part in mine), start),
        )
        for (device_id, start), mine in by_hour.items()
    ]


def basis_of(kept: Rollup, now: datetime) -> Basis | None:
    """What of a roll-up cannot be made again from beats: all of it, once the first of its beats is no longer kept for sure."""
    if kept.received_until is not None and kept.raw_until is not None and kept.raw_until - _NEARLY <= now:
        return Basis(metrics=kept.metrics, received_until=kept.received_until)
    return kept.basis


def spans_of(places: Iterable[Place], resolution: Resolution) -> Spans:
    """The stretches that cover these buckets and nothing else; devices with the same stretch are together."""
    starts: dict[str, list[datetime]] = {}
    for device_id, start in sorted(set(places)):
        starts.setdefault(device_id, []).append(start)
    spans: dict[tuple[datetime, datetime], list[str]] = {}
    for device_id, mine in starts.items():
        begin = end = mine[0]
        for start in mine:
            if start > end:
                spans.setdefault((begin, end), []).append(device_id)
                begin = start
            end = start + resolution.span
        spans.setdefault((begin, end), []).append(device_id)
    return spans


def most_told(points: dict[str, RollupPoint]) -> Points:
    """At most as many gauges as a roll-up holds."""
    custom = [name for name in points if name not in METRIC_FIELDS]
    if len(custom) <= MOST_METRICS:
        return points
    kept = set(sorted(custom, key=lambda name: (-points[name].count, name))[:MOST_METRICS])
    return {name: point for name, point in points.items() if name in METRIC_FIELDS or name in kept}


def sum_of(values: Sequence[float]) -> float:
    """Exact, and so the same in any order; what is beyond the largest float becomes that."""
    try:
        return math.fsum(values)
    except OverflowError:
        share = 2 * len(values)
        return max(-_LARGEST, min(_LARGEST, math.fsum(value / share for value in values) * share))
