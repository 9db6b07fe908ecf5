"""Ratio: the share of events that failed, or succeeded, over a window."""

from datetime import datetime

from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.words import counted, duration, ended, events, percent
from app.domain.counts import Buckets, Tally, in_window, next_boundary
from app.domain.operational_event import EventOutcome
from app.domain.rule import RatioCondition


def observe_ratio(condition: RatioCondition, buckets: Buckets, now: datetime) -> Observation | Nothing:
    """The share (0..1) against the threshold; met exactly is not a breach. Nothing with fewer than the samples asked for.

    Good only once it is not over the recovery threshold either.
    """
    tally = in_window(buckets, now, condition.window_sec)
    look_again = next_boundary(now) if tally.total else None
    if tally.total < max(condition.min_samples, 1):
        return Nothing(reason=_too_few(condition, tally), look_again=look_again)
    share = _hits(condition, tally) / tally.total
    recovery = condition.threshold if condition.recovery_threshold is None else condition.recovery_threshold
    breach = share > condition.threshold
    good = not breach and share <= recovery
    return Observation(
        at=now,
        breach=breach,
        good=good,
        reason=_reason(condition, tally, share, recovery if good else condition.threshold),
        since=now,
        value=share,
        threshold=condition.threshold,
        look_again=look_again,
    )


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
