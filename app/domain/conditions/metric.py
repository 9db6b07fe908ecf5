"""Metric: a gauge of a device against a threshold, now or over a window."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.beat import METRIC_UNITS, Beat, metric_value, metric_words
from app.domain.conditions.observation import Nothing, Observation, Seen
from app.domain.conditions.words import amount, duration
from app.domain.rule import Aggregation, Comparison, MetricCondition

_COMPARE: dict[Comparison, tuple[Callable[[float, float], bool], str, str]] = {
    Comparison.GT: (lambda value, bound: value > bound, "over", "not over"),
    Comparison.GTE: (lambda value, bound: value >= bound, "at or over", "under"),
    Comparison.LT: (lambda value, bound: value < bound, "under", "not under"),
    Comparison.LTE: (lambda value, bound: value <= bound, "at or under", "over"),
    Comparison.EQ: (lambda value, bound: value == bound, "equal to", "not equal to"),
    Comparison.NEQ: (lambda value, bound: value != bound, "not equal to", "equal to"),
}


def observe_value(condition: MetricCondition, value: float, at: datetime) -> Observation:
    """A value against the threshold; good only once it is past the recovery threshold as well."""
    compare, holds, fails = _COMPARE[condition.comparison]
    breach = compare(value, condition.threshold)
    recovery = condition.threshold if condition.recovery_threshold is None else condition.recovery_threshold
    good = not breach and not compare(value, recovery)
    unit = "" if condition.aggregation is Aggregation.COUNT else METRIC_UNITS.get(condition.metric, "")
    bound = recovery if good else condition.threshold
    what = metric_words(condition.metric) if condition.aggregation is Aggregation.LAST else _named(condition)
    words = holds if breach else fails
    reason = f"{what} {amount(value, unit, beside=bound)}, {words} {amount(bound, unit, beside=value)}"
    return Observation(
        at=at, breach=breach, good=good, reason=reason, since=at, value=value, threshold=condition.threshold, unit=unit or None
    )


def observe_beat(condition: MetricCondition, beat: Beat) -> Observation | None:
    """The gauge in one beat; None where the beat does not carry it."""
    value = metric_value(beat, condition.metric)
    return None if value is None else observe_value(condition, value, beat.received_at)


def observe_beats(condition: MetricCondition, beats: Sequence[Beat], now: datetime) -> list[Observation]:
    """What the beats since the last look say, oldest first, and what holds at `now`.

    Of a backlog only its end speaks of now; the rest is history. The last value holds until another one comes: time alone
    may ripen it.
    """
    present = [beat for place, beat in enumerate(beats) if not beat.late or place == len(beats) - 1]
    seen = [one for beat in present if (one := observe_beat(condition, beat)) is not None]
    if seen and seen[-1].at < now:
        seen.append(msgspec.structs.replace(seen[-1], at=now, still=True))
    return seen


def observe_gauge(
    condition: MetricCondition, beats: Sequence[Beat], now: datetime, holds_for: timedelta, heard_at: datetime | None = None
) -> list[Seen]:
    """What a look sees of a device: of its beats since the last look or, without any, of its newest.

    Each beat speaks at its own time. The last value holds for as long as the device may be silent, `holds_for`; after that
    nothing is known. `heard_at` is when a rule that minds silence last heard a value; beats that lack it are silence too.
    """
    if not beats:
        return [Nothing(reason=f"no {metric_words(condition.metric)}: no heartbeat is kept")]
    silence = now - beats[-1].received_at
    seen: list[Seen] = [one for one in observe_beats(condition, beats, now) if silence < holds_for or not one.still]
    if silence >= holds_for:
        return [*seen, Nothing(reason=_silent(condition, silence, holds_for))]
    if not seen and heard_at is not None and now - heard_at >= holds_for:
        return [Nothing(reason=_silent(condition, now - heard_at, holds_for))]
    return seen


def _silent(condition: MetricCondition, silence: timedelta, holds_for: timedelta) -> str:
    name = metric_words(condition.metric)
    return f"no {name} for {silence.total_seconds():.0f} s, at least {holds_for.total_seconds():.0f} s"


def observe_window(condition: MetricCondition, values: Sequence[float], at: datetime) -> Observation | None:
    """The aggregated values of a window; None for an empty one, but a count of nothing is 0.

    It is to be looked at again while one of its values alone would be a breach: as others leave, the figure may become one.
    """
    if not values and condition.aggregation is not Aggregation.COUNT:
        return None
    seen = observe_value(condition, aggregate(condition.aggregation, values), at)
    if not any(_COMPARE[condition.comparison][0](value, condition.threshold) for value in values):
        return seen
    return msgspec.structs.replace(seen, look_again=at + timedelta(seconds=condition.window_sec))


def aggregate(aggregation: Aggregation, values: Sequence[float]) -> float:
    """One figure for many. Percentiles are the nearest rank: the smallest value that at least p % of all do not exceed.

    Raises ValueError for no values, but for COUNT and SUM.
    """
    if aggregation is Aggregation.COUNT:
        return float(len(values))
    if aggregation is Aggregation.SUM:
        return math.fsum(values)
    if not values:
        raise ValueError(f"{aggregation.value} of no values")
    if aggregation is Aggregation.LAST:
        return values[-1]
    if aggregation is Aggregation.AVG:
        # Rounding must not put the mean of equal values over them: a threshold met exactly is not exceeded.
        return min(max(math.fsum(values) / len(values), min(values)), max(values))
    if aggregation is Aggregation.MIN:
        return min(values)
    if aggregation is Aggregation.MAX:
        return max(values)
    percent = {Aggregation.P50: 50, Aggregation.P95: 95, Aggregation.P99: 99}[aggregation]
    return sorted(values)[max(0, -(-percent * len(values) // 100) - 1)]


def _named(condition: MetricCondition) -> str:
    return f"{condition.aggregation.value} of {metric_words(condition.metric)} over {duration(condition.window_sec)}"
