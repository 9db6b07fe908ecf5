"""Replaying a rule over the history of one subject: the alerts that it would have made, tick by tick as it runs live.

Pure. The history says when there is something to look at and what could be seen then; the stages decide as they do live.
Ticks at which nothing new could be seen are passed over, so weeks in which nothing happens cost nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from app.domain.alert import Alert, AlertEventType, Change
from app.domain.conditions.incidents import Incident
from app.domain.conditions.observation import Observation, Seen, is_breach, is_worth_watching
from app.domain.judgement import Sighting, decide
from app.domain.rule import AbsenceCondition, Comparison, MetricCondition, NoDataPolicy, Rule, RuleState
from app.domain.stages import NOBODY, Around
from app.domain.subject import Subject


@dataclass(frozen=True, slots=True)
class Grid:
    """The times of a tick: `origin`, and every `every` before and after it."""

    origin: datetime
    every: timedelta

    def at_or_after(self, at: datetime) -> datetime:
        return self.origin - (self.origin - at) // self.every * self.every


class History(Protocol):
    """What one rule could see of one subject, and when."""

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        """When, after `now`, something may be seen that could not be seen before; the first tick from then on looks."""
        ...

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        """What a tick at `now` saw after the one at `since`, oldest first. Only what had come by `now` may be in it.

        `troubles` is from when until when it was bad so far, by the alerts of this rule and subject.
        """
        ...


class ReplayedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as the rule would have made it. `fired_at` and `resolved_at` are ticks; `first_seen` is since when it was bad.

    `peak` is the worst value while it was live. `muted` says why nobody would have been told.
    """

    subject: Subject
    first_seen: datetime
    fired_at: datetime
    reason: str
    resolved_at: datetime | None = None
    peak: float | None = None
    muted: str | None = None

    @property
    def tellings(self) -> list[datetime]:
        """When somebody would have been told of it: when it fired, and when it ended."""
        times = [self.fired_at, self.resolved_at]
        return [] if self.muted is not None else [at for at in times if at is not None]


class Replay:
    """One rule over one subject, until `until`. `looks` counts how often it was looked at; `alerts` are oldest first."""

    def __init__(
        self, rule: Rule, subject: Subject, history: History, grid: Grid, until: datetime, around: Around = NOBODY
    ) -> None:
        self.looks = 0
        self.alerts: list[ReplayedAlert] = []
        self._rule = rule
        self._subject = subject
        self._history = history
        self._grid = grid
        self._until = until
        self._around = around
        self._now = datetime.min.replace(tzinfo=until.tzinfo)
        self._state: RuleState | None = None
        self._live: Alert | None = None
        self._ended: list[Incident] = []

    def run(self, most_looks: int | None = None) -> bool:
        """Goes on for so many looks; whether there is more to come."""
        enough = None if most_looks is None else self.looks + most_looks
        while enough is None or self.looks < enough:
            due = self._next_due()
            if due is None:
                return False
            now = self._grid.at_or_after(due)
            if now > self._until:
                return False
            self._look(now)
        return True

    def _next_due(self) -> datetime | None:
        wakes = [self._history.wake(self._now, self._state)]
        # A wake-up that has passed and found nothing to see waits for news.
        if self._state is not None and self._state.next_due is not None and self._state.next_due > self._now:
            wakes.append(self._state.next_due)
        return min((at for at in wakes if at is not None), default=None)

    def _look(self, now: datetime) -> None:
        self._now = now
        self.looks += 1
        seen = self._history.look(now - self._grid.every, now, self._state, self._troubles())
        if not seen or not self._matters(seen):
            return
        was_live = self._live is not None
        changes, state = decide(Sighting(self._rule, self._subject, seen, self._around), self._state, self._live, now)
        if state is not None:
            self._state = None if state.is_blank() else state
        for change in changes:
            self._follow(change, seen, now)
        if was_live and self._live is not None:
            self._note_peak(seen)

    def _troubles(self) -> Sequence[Incident]:
        live = self._live
        return self._ended if live is None else [*self._ended, (live.first_seen, live.last_seen)]

    def _matters(self, seen: Sequence[Seen]) -> bool:
        """A subject that is well and always was is nothing to remember."""
        if self._state is not None or self._rule.no_data is NoDataPolicy.ALERT:
            return True
        return any(is_breach(one) or is_worth_watching(one) for one in seen)

    def _follow(self, change: Change, seen: Sequence[Seen], now: datetime) -> None:
        self._live = change.after if change.after.live else None
        if change.type is AlertEventType.OPENED:
            alert = ReplayedAlert(
                subject=self._subject,
                first_seen=change.after.first_seen,
                fired_at=change.at,
                reason=change.reason or "",
                muted=change.after.muted_because,
            )
            self.alerts.append(alert)
            self._note_peak(seen)
        elif change.type is AlertEventType.RESOLVED:
            self._ended.append((change.after.first_seen, change.after.last_seen))
            self._note_peak(seen)
            self.alerts[-1] = msgspec.structs.replace(self.alerts[-1], resolved_at=now)

    def _note_peak(self, seen: Sequence[Seen]) -> None:
        values = [one.value for one in seen if isinstance(one, Observation) and one.breach and one.value is not None]
        alert = self.alerts[-1]
        if isinstance(self._rule.condition, AbsenceCondition):
            values += [_silence(alert, one) for one in seen if isinstance(one, Observation) and one.good]
        if alert.peak is not None:
            values.append(alert.peak)
        if values:
            self.alerts[-1] = msgspec.structs.replace(alert, peak=_worst(self._rule, values))


def _silence(alert: ReplayedAlert, back: Observation) -> float:
    """How long a device said nothing: it is only looked at when it is missed, and when it is back."""
    return (back.threshold or 0.0) + (back.since - alert.first_seen).total_seconds()


def _worst(rule: Rule, values: Sequence[float]) -> float:
    condition = rule.condition
    if isinstance(condition, MetricCondition):
        if condition.comparison in (Comparison.LT, Comparison.LTE):
            return min(values)
        if condition.comparison is Comparison.NEQ:
            return max(values, key=lambda value: abs(value - condition.threshold))
    return max(values)
