"""Ratio: the share of events that failed, or succeeded, over a window."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.conditions.chance import chance_of_hits
from app.domain.conditions.incidents import Incident, in_trouble
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.words import counted, duration, ended, events, percent
from app.domain.counts import BUCKET, Buckets, Tally, bucket_start, in_window, next_boundary
from app.domain.operational_event import EventOutcome
from app.domain.rule import RatioCondition

USUAL = timedelta(days=7)
"""How far back the usual share is looked for."""

ENOUGH = 100
"""Events that make a usual share; with fewer, the share of the window alone decides."""


def observe_ratio(condition: RatioCondition, buckets: Buckets, now: datetime, past: Tally | None = None) -> Observation | Nothing:
    """The share (0..1) against the threshold; met exactly is not a breach. Nothing with fewer than the samples asked for.

    Good only once it is not over the recovery threshold either. `past` is what was counted before the window, for a condition
    with a `chance`: ten payments of which one failed are over 5 %, but where one of a hundred fails that is so every day.
    """
    tally = in_window(buckets, now, condition.window_sec)
    look_again = next_boundary(now) if tally.total else None
    if tally.total < max(condition.min_samples, 1):
        return Nothing(reason=_too_few(condition, tally), look_again=look_again)
    share = _hits(condition, tally) / tally.total
    recovery = condition.threshold if condition.recovery_threshold is None else condition.recovery_threshold
    breach = share > condition.threshold
    good = not breach and share <= recovery
    reason = _reason(condition, tally, share, recovery if good else condition.threshold)
    if breach and (usual := _usual(condition, past)) is not None:
        breach = chance_of_hits(_hits(condition, tally), tally.total, usual) < (condition.chance or 0)
        reason += f"; {percent(usual)} are usual" + ("" if breach else ", and it may be chance")
    return Observation(
        at=now,
        breach=breach,
        good=good,
        reason=reason,
        since=now,
        value=share,
        threshold=condition.threshold,
        look_again=look_again,
    )


def before_window(condition: RatioCondition, buckets: Buckets, now: datetime, incidents: Sequence[Incident] = ()) -> Tally:
    """What was counted in the last USUAL before the window, but for times of trouble."""
    end = bucket_start(now - timedelta(seconds=condition.window_sec))
    inside = [
        tally
        for start, tally in buckets.items()
        if now - USUAL <= start < end and not in_trouble(incidents, start, start + BUCKET)
    ]
    return Tally(sum(one.success for one in inside), sum(one.failure for one in inside))


def _usual(condition: RatioCondition, past: Tally | None) -> float | None:
    """The usual share, by Laplace's rule of succession: never quite none and never quite all."""
    if condition.chance is None or past is None or past.total < ENOUGH:
        return None
    return (_hits(condition, past) + 1) / (past.total + 2)


def _hits(condition: RatioCondition, tally: Tally) -> int:
    return tally.failure if condition.outcome is EventOutcome.FAILURE else tally.success


def _reason(condition: RatioCondition, tally: Tally, share: float, bound: float) -> str:
    of_all = f"{_hits(condition, tally):,} of {counted(condition.event, tally.total)} {ended(condition.outcome)}"
    words = "over" if share > bound else "not over"
    shown, limit = percent(share, beside=bound), percent(bound, beside=share)
    return f"{of_all} ({shown}) in {duration(condition.window_sec)}, {words} {limit}"


def _too_few(condition: RatioCondition, tally: Tally) -> str:
    if tally.total == 0:
        return f"no {events(condition.event, 0)} in {duration(condition.window_sec)}"
    found = f"{counted(condition.event, tally.total)} in {duration(condition.window_sec)}"
    return f"{found}, fewer than the {condition.min_samples:,} that a share needs"
