"""Anomaly: a gauge far from what is usual at this hour of the week."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import msgspec

from app.domain.beat import METRIC_UNITS, metric_words
from app.domain.conditions.incidents import Incident, in_trouble
from app.domain.conditions.local_time import WEEKDAYS, hour_buckets
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.words import amount, duration
from app.domain.counts import BUCKET, bucket_start, next_boundary
from app.domain.rule import AnomalyCondition

LEAST_POINTS = 12
LEAST_WEEKS = 2
"""Below either a rule is still learning: an hour's worth of five minutes, and not all from one odd week."""

RECOVERED = 0.7
"""The share of `sensitivity` that the short window's score has to come back to."""

HORIZONS = 4
"""The longer horizon, in lengths of the short one: what is over at once is no reason to wake anybody."""

FLOOR = 0.005
"""The least spread, as a share of the median: a gauge that hardly ever moves does not alarm over a hair's breadth."""

GRACE = timedelta(seconds=10)
"""How long after five minutes have ended they are judged."""

_MAD_TO_SIGMA = 1 / 0.6745
_MEAN_DEVIATION_TO_SIGMA = 1.253314


class Point(msgspec.Struct, frozen=True):
    """The mean of a gauge over the five minutes that begin at `at`."""

    at: datetime
    value: float


class Sample(msgspec.Struct, frozen=True):
    """How many values a window holds, and their mean; of the longer horizon, the median of the means of its five minutes."""

    count: int = 0
    mean: float = 0.0


class Usual(msgspec.Struct, frozen=True):
    """What a gauge usually shows: the middle, how far one standard deviation reaches, and where most values lie."""

    middle: float
    sigma: float
    low: float
    high: float

    def score(self, value: float) -> float:
        """How many robust standard deviations a value is from the middle, with its side as the sign."""
        if self.sigma == 0:
            return 0.0 if value == self.middle else math.copysign(math.inf, value - self.middle)
        return (value - self.middle) / self.sigma


def sample_of(values: Sequence[float]) -> Sample:
    return Sample(len(values), math.fsum(values) / len(values)) if values else Sample()


def judged_until(now: datetime) -> datetime:
    """The end of the last five minutes that can be judged: GRACE after their end, since beats are stored a little later."""
    return bucket_start(now - GRACE)


def observe_buckets(
    condition: AnomalyCondition,
    buckets: Mapping[datetime, Sample],
    baseline: Sequence[Point],
    now: datetime,
    zone: ZoneInfo,
) -> Observation | Nothing:
    """`observe_anomaly` over whole five minutes, by their start: those up to `judged_until(now)`, at whose hour the baseline
    is (see `judged_hour`)."""
    end = judged_until(now)
    short = _together(buckets, end - timedelta(seconds=condition.window_sec), end)
    long = _mostly(buckets, end - timedelta(seconds=HORIZONS * condition.window_sec), end)
    return observe_anomaly(condition, short, long, baseline, now, zone)


def judged_hour(now: datetime) -> datetime:
    """A moment in the hour of what is judged at `now`: just after a full hour that is the hour before."""
    return judged_until(now) - BUCKET


def _together(buckets: Mapping[datetime, Sample], start: datetime, end: datetime) -> Sample:
    inside = [one for at, one in buckets.items() if start <= at < end]
    count = sum(one.count for one in inside)
    return Sample(count, math.fsum(one.count * one.mean for one in inside) / count) if count else Sample()


def _mostly(buckets: Mapping[datetime, Sample], start: datetime, end: datetime) -> Sample:
    """The median of the five minutes: one bad minute among sixty moves a mean as far as a bad hour does."""
    inside = [one for at, one in buckets.items() if start <= at < end and one.count]
    return Sample(sum(one.count for one in inside), median(one.mean for one in inside)) if inside else Sample()


def like_hours(now: datetime, zone: ZoneInfo, baseline_days: int) -> list[datetime]:
    """The buckets, in UTC, of the same local hour of the week in the last `baseline_days` days, latest week first.

    The latest is a week old, so that nothing of the last 24 hours is among them. The hours are whole: the answer is the same
    for as long as the hour lasts.
    """
    local = now.astimezone(zone)
    weeks = [local.date() - timedelta(days=days) for days in range(7, baseline_days + 1, 7)]
    return [start for day in weeks for start in hour_buckets(day, local.hour, zone)]


def without_incidents(points: Iterable[Point], incidents: Sequence[Incident]) -> list[Point]:
    return [point for point in points if not in_trouble(incidents, point.at, point.at + BUCKET)]


def usual_of(values: Sequence[float]) -> Usual:
    """The median and the spread of values: the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle
    Outliers" (1993).

    The spread is the median absolute deviation; where that is 0, as most values are equal, the mean absolute deviation; and
    never less than FLOOR of the median. Raises ValueError (`statistics.StatisticsError`) for no values.
    """
    middle = median(values)
    deviations = [abs(value - middle) for value in values]
    spread = _MAD_TO_SIGMA * median(deviations) or _MEAN_DEVIATION_TO_SIGMA * math.fsum(deviations) / len(deviations)
    ranked = sorted(values)
    # By the nearest rank, in whole numbers: eight of ten values lie between.
    low, high = (ranked[max(0, -(-tenths * len(ranked) // 10) - 1)] for tenths in (1, 9))
    return Usual(middle, max(spread, FLOOR * abs(middle)), low, high)


def observe_anomaly(
    condition: AnomalyCondition,
    short: Sample,
    long: Sample,
    baseline: Sequence[Point],
    now: datetime,
    zone: ZoneInfo,
) -> Observation | Nothing:
    """The means of the last `window_sec` and of HORIZONS times as long against the baseline (see `like_hours`).

    A breach when both scores are over `sensitivity` on the same side; good once the short one is back within RECOVERED of it.
    Nothing without values, while the rule is learning, and where a gauge that was always 0 has moved: nothing says how much
    is much. The threshold is the bound on the side on which the value lies.
    """
    look_again = next_boundary(now) if short.count else None
    missing = _missing(condition, short, long, baseline, zone)
    if missing is not None:
        return Nothing(reason=missing, look_again=look_again)
    usual = usual_at(baseline, zone)
    score, longer = usual.score(short.mean), usual.score(long.mean)
    if usual.sigma == 0 and score != 0:
        return Nothing(
            reason=f"{metric_words(condition.metric)} was always 0 at this hour: no measure of a change", look_again=look_again
        )
    side = 1 if score >= 0 else -1
    breach = min(side * score, side * longer) > condition.sensitivity
    return Observation(
        at=now,
        breach=breach,
        good=abs(score) <= RECOVERED * condition.sensitivity,
        reason=_reason(condition, usual, short.mean, (score, longer), now.astimezone(zone)),
        since=now,
        value=short.mean,
        threshold=usual.middle + side * condition.sensitivity * usual.sigma,
        unit=METRIC_UNITS.get(condition.metric) or None,
        look_again=look_again,
    )


def usual_at(baseline: Sequence[Point], zone: ZoneInfo) -> Usual:
    """What is usual by these five minutes, with the spread from week to week, of which those of one hour know little."""
    usual = usual_of([point.value for point in baseline])
    weeks: dict[tuple[int, int], list[float]] = {}
    for point in baseline:
        weeks.setdefault(point.at.astimezone(zone).isocalendar()[:2], []).append(point.value)
    middles = [median(values) for values in weeks.values()]
    middle = median(middles)
    between = _MAD_TO_SIGMA * median(abs(one - middle) for one in middles)
    return msgspec.structs.replace(usual, sigma=math.hypot(usual.sigma, between))


def _missing(condition: AnomalyCondition, short: Sample, long: Sample, baseline: Sequence[Point], zone: ZoneInfo) -> str | None:
    """Why nothing can be judged; None where it can."""
    if short.count == 0 or long.count == 0:
        return f"no {metric_words(condition.metric)} in {duration(condition.window_sec)}"
    weeks = {point.at.astimezone(zone).isocalendar()[:2] for point in baseline}
    if len(baseline) >= LEAST_POINTS and len(weeks) >= LEAST_WEEKS:
        return None
    has = f"{len(baseline)} of {LEAST_POINTS} five minutes at this hour, of {len(weeks)} of {LEAST_WEEKS} weeks"
    return f"still learning what {metric_words(condition.metric)} usually is: {has}"


def _reason(condition: AnomalyCondition, usual: Usual, value: float, scores: tuple[float, float], local: datetime) -> str:
    unit = METRIC_UNITS.get(condition.metric, "")
    score, longer = scores
    side = 1 if score >= 0 else -1
    bound = side * condition.sensitivity
    words = "over" if side > 0 else "under"
    if side * score <= condition.sensitivity:
        verdict = f"score {_score(score, bound)}, not {words} {amount(bound)}"
    else:
        but = "" if side * longer > condition.sensitivity else "but "
        over = duration(HORIZONS * condition.window_sec)
        verdict = f"score {_score(score, bound)}, {words} {amount(bound)}; {but}over {over} {_score(longer, bound)}"
    between = amount(usual.high, unit) if usual.low == usual.high else f"{amount(usual.low)} to {amount(usual.high, unit)}"
    when = f"on {WEEKDAYS[local.weekday()]}s at {local.hour} h"
    return f"{metric_words(condition.metric)} {amount(value, unit)}, usually {between} {when} ({verdict})"


def _score(score: float, bound: float) -> str:
    return amount(score, beside=bound, digits=2)
