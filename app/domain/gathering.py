"""Gathering beats into five-minute roll-ups, by the time of each beat. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime

from app.domain.beat import METRIC_FIELDS, Beat, metric_value
from app.domain.rollup import (
    Basis,
    Place,
    Points,
    Reading,
    Resolution,
    Rollup,
    merge_metrics,
    most_told,
    point_of,
    start_of,
)

_STANDARD = list(METRIC_FIELDS.items())


class Gathering:
    """Takes the beats of one tenant, in any order, and makes the five-minute roll-ups of them.

    `bases` are what these beats come on top of: beats that a basis knows already are passed over.
    """

    def __init__(self, bases: Mapping[Place, Basis] | None = None) -> None:
        self._bases = bases or {}
        self._buckets: dict[Place, _Bucket] = {}

    def add(self, beat: Beat) -> None:
        place = beat.device_id, start_of(beat.timestamp, Resolution.FIVE_MINUTES)
        basis = self._bases.get(place)
        if basis is not None and beat.received_at <= basis.received_until:
            return
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket(beat)
        bucket.add(beat)

    def rollups(self, tenant_id: str) -> list[Rollup]:
        """Those that have any value, and any beat beside their basis."""
        made = []
        for (device_id, start), bucket in self._buckets.items():
            metrics = bucket.points(start)
            if not metrics:
                continue
            basis = self._bases.get((device_id, start))
            made.append(
                Rollup(
                    tenant_id=tenant_id,
                    device_id=device_id,
                    resolution=Resolution.FIVE_MINUTES,
                    start=start,
                    metrics=metrics if basis is None else merge_metrics([basis.metrics, metrics], start),
                    raw_until=bucket.raw_until,
                    received_until=bucket.received_until,
                    basis=basis,
                )
            )
        return made


class _Bucket:
    """The values of a bucket while they are gathered."""

    # Values stand by themselves: with an object for each, Python's collector would take longer than all else.
    __slots__ = ("last", "raw_until", "received_until", "values")

    def __init__(self, beat: Beat) -> None:
        self.values: dict[str, list[float]] = {}
        self.last: dict[str, Reading] = {}
        self.raw_until = beat.expire_at
        self.received_until = beat.received_at

    def add(self, beat: Beat) -> None:
        self.raw_until = min(self.raw_until, beat.expire_at)
        self.received_until = max(self.received_until, beat.received_at)
        at, came = beat.timestamp, beat.received_at
        for name, value in _gauges(beat):
            if not -math.inf < value < math.inf:
                continue
            values = self.values.get(name)
            if values is None:
                self.values[name] = [value]
                self.last[name] = (at, came, value)
                continue
            values.append(value)
            if at >= self.last[name][0]:
                self.last[name] = max(self.last[name], (at, came, value))

    def points(self, start: datetime) -> Points:
        return most_told({name: point_of(values, self.last[name], start) for name, values in self.values.items()})


def _gauges(beat: Beat) -> list[tuple[str, float]]:
    gauges = [(name, value) for name, field in _STANDARD if (value := getattr(beat, field)) is not None]
    gauges += [(metric.name, metric.value) for metric in beat.metrics if metric.name not in METRIC_FIELDS]
    return gauges


def reading_of(beat: Beat, metric: str) -> Reading | None:
    """One gauge of a beat; None where the beat does not carry it."""
    value = metric_value(beat, metric)
    return None if value is None or not math.isfinite(value) else (beat.timestamp, beat.received_at, value)
