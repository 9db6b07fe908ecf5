"""What each family of condition has to be like."""

import re
from collections.abc import Callable, Collection
from enum import Enum

from app.domain.faults import WEEK, Faults
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    Comparison,
    Condition,
    CountCondition,
    MetricCondition,
    OutsideHoursCondition,
    RatioCondition,
    ServiceCondition,
    SpikeCondition,
)
from app.domain.subject import SubjectKind

BUCKET_SEC = 300
"""Events are counted by five minutes."""

COUNTED_FOR = (SubjectKind.DEVICE, SubjectKind.STORE, SubjectKind.TENANT)
MOST_EVENTS = 1_000_000
MOST_TIMES = 1_000.0
_RISING = (Comparison.GT, Comparison.GTE)
_FALLING = (Comparison.LT, Comparison.LTE)
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][05]")


def check_condition(condition: Condition, prefix: str, faults: Faults) -> None:
    """Adds everything that is wrong with it, below `prefix` and the name of its family on the wire."""
    match condition:
        case AbsenceCondition():
            _check_absence(condition, f"{prefix}.absence", faults)
        case MetricCondition():
            _check_metric(condition, f"{prefix}.metric", faults)
        case RatioCondition():
            _check_ratio(condition, f"{prefix}.ratio", faults)
        case SpikeCondition():
            _check_spike(condition, f"{prefix}.spike", faults)
        case OutsideHoursCondition():
            _check_outside_hours(condition, f"{prefix}.outsideHours", faults)
        case ServiceCondition():
            _check_service(condition, f"{prefix}.service", faults)
        case AnomalyCondition():
            _check_anomaly(condition, f"{prefix}.anomaly", faults)


def _check_absence(condition: AbsenceCondition, path: str, faults: Faults) -> None:
    if condition.after_sec is not None:
        faults.between(f"{path}.afterSec", condition.after_sec, 1, WEEK)


def _check_metric(condition: MetricCondition, path: str, faults: Faults) -> None:
    faults.title(f"{path}.metric", condition.metric, 100)
    faults.finite(f"{path}.threshold", condition.threshold)
    faults.between(f"{path}.windowSec", condition.window_sec, 0, WEEK)
    if condition.aggregation is Aggregation.LAST:
        faults.require(condition.window_sec <= 0, f"{path}.windowSec", "LAST looks at the newest beat alone: leave it out")
    elif condition.window_sec == 0:
        faults.add(f"{path}.windowSec", f"{condition.aggregation.name} needs a window of at least 1 s")
    if condition.recovery_threshold is not None:
        _check_recovery(condition, condition.recovery_threshold, f"{path}.recoveryThreshold", faults)


def _check_recovery(condition: MetricCondition, recovery: float, path: str, faults: Faults) -> None:
    sides: list[tuple[tuple[Comparison, ...], Callable[[float, float], bool], str]] = [
        (_RISING, lambda value, bound: value > bound, "should not be over the threshold"),
        (_FALLING, lambda value, bound: value < bound, "should not be under the threshold"),
    ]
    faults.finite(path, recovery)
    for comparisons, is_wrong, message in sides:
        if condition.comparison in comparisons:
            faults.require(not is_wrong(recovery, condition.threshold), path, message)
            return
    faults.add(path, f"{condition.comparison.name} has no way back of its own: leave it out")


def _check_ratio(condition: RatioCondition, path: str, faults: Faults) -> None:
    faults.between(f"{path}.threshold", condition.threshold, 0, 1)
    recovery = condition.recovery_threshold
    if recovery is not None:
        faults.between(f"{path}.recoveryThreshold", recovery, 0, 1)
        faults.require(not recovery > condition.threshold, f"{path}.recoveryThreshold", "should not be over the threshold")
    _check_window(condition.window_sec, f"{path}.windowSec", faults)
    faults.between(f"{path}.minSamples", condition.min_samples, 1, MOST_EVENTS)
    _check_chance(condition.chance, path, faults)
    _check_subject(condition, path, faults)


def _check_spike(condition: SpikeCondition, path: str, faults: Faults) -> None:
    faults.between(f"{path}.factor", condition.factor, 1, MOST_TIMES)
    _check_chance(condition.chance, path, faults)
    _check_window(condition.window_sec, f"{path}.windowSec", faults)
    faults.between(f"{path}.baselineDays", condition.baseline_days, 1, 28)
    faults.between(f"{path}.minCount", condition.min_count, 1, MOST_EVENTS)
    _check_subject(condition, path, faults)


def _check_outside_hours(condition: OutsideHoursCondition, path: str, faults: Faults) -> None:
    for name, value in (("opens", condition.opens), ("closes", condition.closes)):
        fits = _CLOCK.fullmatch(value) is not None
        faults.require(fits, f"{path}.{name}", 'should be a local time on five minutes, "00:00" to "23:55"')
    if condition.opens == condition.closes:
        faults.add(f"{path}.closes", "should not be when it opens: nothing would be outside the hours, or everything")
    if condition.timezone is not None:
        faults.zone(f"{path}.timezone", condition.timezone)
    if condition.days is not None:
        _check_days(condition.days, f"{path}.days", faults)
    faults.between(f"{path}.minCount", condition.min_count, 1, MOST_EVENTS)
    _check_subject(condition, path, faults)


def _check_days(days: tuple[int, ...], path: str, faults: Faults) -> None:
    fits = len(set(days)) == len(days) and all(1 <= day <= 7 for day in days)
    faults.require(fits, path, "should be days of the week, 1 (Monday) to 7 (Sunday), each once")


def _check_service(condition: ServiceCondition, path: str, faults: Faults) -> None:
    if condition.service is not None:
        faults.title(f"{path}.service", condition.service, 100)
    _check_each_once(condition.status, f"{path}.status", faults)
    if condition.latency_ms is not None:
        faults.finite(f"{path}.latencyMs", condition.latency_ms)
        faults.require(not condition.latency_ms <= 0, f"{path}.latencyMs", "should be over 0 milliseconds")


def _check_anomaly(condition: AnomalyCondition, path: str, faults: Faults) -> None:
    faults.title(f"{path}.metric", condition.metric, 100)
    faults.finite(f"{path}.sensitivity", condition.sensitivity)
    faults.require(not condition.sensitivity <= 0, f"{path}.sensitivity", "should be over 0 standard deviations")
    faults.between(f"{path}.windowSec", condition.window_sec, 300, 21_600)
    faults.between(f"{path}.baselineDays", condition.baseline_days, 7, 28)


def _check_chance(chance: float | None, path: str, faults: Faults) -> None:
    if chance is not None:
        faults.require(0 < chance < 1, f"{path}.chance", "should be a probability, over 0 and under 1")


def _check_window(window_sec: int, path: str, faults: Faults) -> None:
    fits = BUCKET_SEC <= window_sec <= WEEK and window_sec % BUCKET_SEC == 0
    hint = f"should be a multiple of {BUCKET_SEC} s, {BUCKET_SEC} to {WEEK}, not {window_sec}: events are counted by five minutes"
    faults.require(fits, path, hint)


def _check_subject(condition: CountCondition, path: str, faults: Faults) -> None:
    fits = condition.subject is None or condition.subject in COUNTED_FOR
    faults.require(fits, f"{path}.subject", f"should be {_one_of(COUNTED_FOR)}: for these events are counted")


def _check_each_once(values: tuple[Enum, ...], path: str, faults: Faults) -> None:
    faults.require(bool(values), path, "should have at least one")
    faults.require(len(set(values)) == len(values), path, "should have each once")


def _one_of(values: Collection[Enum]) -> str:
    *others, last = (value.name for value in values)
    return f"{', '.join(others)} or {last}"
