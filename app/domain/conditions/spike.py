"""Spike: many more events than in like windows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from statistics import median
from zoneinfo import ZoneInfo

from app.domain.conditions.chance import chance_of_count
from app.domain.conditions.incidents import Incident, in_trouble
from app.domain.conditions.local_time import days_before
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.words import amount, counted, duration
from app.domain.counts import BUCKET, Buckets, bucket_start, next_boundary
from app.domain.rule import SpikeCondition

ENOUGH = 3
"""Like windows that make a history; with fewer (or than `baseline_days`) those of the last 24 hours join them."""

Span = tuple[datetime, datetime]
"""A window (start, end], in UTC; its events are in the buckets from that of its start to that of its end."""


def baseline_spans(condition: SpikeCondition, now: datetime, zone: ZoneInfo) -> list[Span]:
    """All like windows that may be needed, latest first: those of the last 24 hours, then one for each day."""
    return [*_of_last_day(condition, now), *_of_days(condition, now, zone)]


def observe_spike(
    condition: SpikeCondition,
    buckets: Buckets,
    now: datetime,
    zone: ZoneInfo,
    incidents: Sequence[Incident] = (),
    known_from: datetime | None = None,
) -> Observation | Nothing:
    """All events of the window against `factor` times the median of like windows; both outcomes count.

    `known_from` is the start of the first bucket that is known: a like window from before it is none, where a later one
    without events is an empty one. None: nothing is known but the present. A like window that overlaps an incident is left
    out. Without any, only fewer events than `min_count` can be judged. A like window holds its last bucket whole, and the
    present one as far as it has come: that errs towards quiet, by less than a bucket.
    """
    count = _total(buckets, now - timedelta(seconds=condition.window_sec), now)
    look_again = next_boundary(now) if count else None
    like = _like(condition, buckets, now, zone, incidents, known_from)
    usual = median(like) if like else None
    found = f"{counted(condition.event, count)} in {duration(condition.window_sec)}"
    if usual is None and count >= condition.min_count:
        return Nothing(reason=f"{found}, and no like window to compare with", look_again=look_again)
    bound = None if usual is None else _exactly(condition.factor) * Fraction(usual)
    over = bound is not None and count >= condition.min_count and count > bound
    breach = over and (condition.chance is None or chance_of_count(count, like) < condition.chance)
    return Observation(
        at=now,
        breach=breach,
        good=not breach,
        reason=f"{found}, {_against(condition, count, usual, bound)}" + ("; it may be chance" if over and not breach else ""),
        since=now,
        value=count,
        threshold=None if bound is None else float(bound),
        look_again=look_again,
    )


def _like(
    condition: SpikeCondition,
    buckets: Buckets,
    now: datetime,
    zone: ZoneInfo,
    incidents: Sequence[Incident],
    known_from: datetime | None,
) -> list[int]:
    """What the like windows that count hold."""

    def counts(spans: Sequence[Span]) -> list[int]:
        return [
            _total(buckets, start, end)
            for start, end in spans
            if known_from is not None
            and start >= known_from
            and not in_trouble(incidents, bucket_start(start), bucket_start(end) + BUCKET)
        ]

    like = counts(_of_days(condition, now, zone))
    if len(like) < min(ENOUGH, condition.baseline_days):
        like += counts(_of_last_day(condition, now))
    return like


def _of_days(condition: SpikeCondition, now: datetime, zone: ZoneInfo) -> list[Span]:
    """The same window up to the same wall time of each earlier day, as far as the present one does not reach into it."""
    window = timedelta(seconds=condition.window_sec)
    ends = [days_before(now, days, zone) for days in range(1, condition.baseline_days + 1)]
    return [(end - window, end) for end in ends if end <= now - window]


def _of_last_day(condition: SpikeCondition, now: datetime) -> list[Span]:
    """The windows before this one, back to 24 hours ago. They are whole buckets apart, so that none counts in two."""
    window = timedelta(seconds=condition.window_sec)
    apart = bucket_start(now) - bucket_start(now - window) + BUCKET
    most = (timedelta(days=1) - window) // apart
    return [(now - step * apart - window, now - step * apart) for step in range(1, most + 1)]


def _total(buckets: Buckets, start: datetime, end: datetime) -> int:
    """What `in_window` counts, without a look at every bucket of the history."""
    first = bucket_start(start)
    places = range((bucket_start(end) - first) // BUCKET + 1)
    return sum(tally.total for place in places if (tally := buckets.get(first + place * BUCKET)) is not None)


def _exactly(factor: float) -> Fraction:
    """The factor as it was written: 115 events are not over 1.15 times 100."""
    return Fraction(str(factor))


def _against(condition: SpikeCondition, count: int, usual: float | None, bound: Fraction | None) -> str:
    if count < condition.min_count or usual is None or bound is None:
        return f"fewer than the {condition.min_count:,} that a spike needs"
    if usual == 0:
        return f"where none are usual: over 0, and at least {condition.min_count:,} decide"
    words = "over" if count > bound else "not over"
    times = f"{amount(condition.factor)} times the usual {amount(usual)}"
    return f"{words} {amount(float(bound), beside=count)} ({times})"
