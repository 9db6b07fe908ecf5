"""Beats that are not kept any more, as what was rolled up of them tells: an approximation. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from app.domain.beat import METRIC_FIELDS, Beat, Metric
from app.domain.counts import BUCKET
from app.domain.device import Device
from app.domain.rollup import RollupPoint
from app.domain.rule import Aggregation, Comparison, MetricCondition

_RANKS = {Aggregation.P50: 0.5, Aggregation.P95: 0.95, Aggregation.P99: 0.99}


def coarse_beats(condition: MetricCondition, device: Device, points: Iterable[RollupPoint]) -> Iterator[Beat]:
    """One reading for each five minutes, at their end: the one that is closest to a breach.

    For a window it is what the window asks for; a sum and a count need as many readings as there were.
    """
    for point in points:
        if condition.aggregation in (Aggregation.SUM, Aggregation.COUNT):
            for at in evenly(point.start, point.count):
                yield _beat(condition.metric, device, at, point.average)
        else:
            yield _beat(condition.metric, device, point.start + BUCKET, _value(condition, point))


def evenly(start: datetime, count: int) -> list[datetime]:
    """So many moments in five minutes, as far apart as can be; the last one is their end."""
    return [start + (place + 1) * BUCKET / count for place in range(count)]


def _value(condition: MetricCondition, point: RollupPoint) -> float:
    if condition.aggregation is Aggregation.LAST:
        if condition.comparison in (Comparison.GT, Comparison.GTE):
            return point.max
        return point.min if condition.comparison in (Comparison.LT, Comparison.LTE) else point.last
    if condition.aggregation in _RANKS:
        return point.quantile(_RANKS[condition.aggregation])
    return {Aggregation.MIN: point.min, Aggregation.MAX: point.max}.get(condition.aggregation, point.average)


def _beat(metric: str, device: Device, at: datetime, value: float) -> Beat:
    own: dict[str, float] = {METRIC_FIELDS[metric]: value} if metric in METRIC_FIELDS else {}
    return Beat(
        id=f"{device.id}:{at.isoformat()}",
        tenant_id=device.tenant_id,
        device_id=device.device_id,
        lane=device.lane,
        timestamp=at,
        received_at=at,
        expire_at=at + timedelta(0),
        metrics=() if own else (Metric(metric, value),),
        **own,  # type: ignore[arg-type]
    )
