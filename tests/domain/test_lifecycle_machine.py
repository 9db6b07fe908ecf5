"""Whatever people and rules do to an alert, in whatever order, what makes it an alert holds."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.domain import lifecycle
from app.domain.alert import Alert, AlertStatus, Change, Resolution
from app.domain.conditions.observation import Observation
from app.errors import ConflictError
from tests.domain.making import NOON, a_rule, a_subject, opened

OPEN, ACKNOWLEDGED, RESOLVED = AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED


def an_open_alert() -> Alert:
    breach = Observation(at=NOON, breach=True, good=False, reason="silent", since=NOON)
    return opened(a_rule(), a_subject(), breach).after


class AnAlertsLife(RuleBasedStateMachine):
    """Whatever people and rules do, in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.alert = an_open_alert()
        self.before = self.alert

    @initialize()
    def begin(self) -> None:
        assert self.alert.version == 1

    def apply(self, transition: Callable[[], Change | None], *, allowed: bool) -> None:
        self.before = self.alert
        if not allowed:
            with pytest.raises(ConflictError):
                transition()
            return
        change = transition()
        if change is not None:
            assert change.before == self.alert
            self.alert = change.after

    @rule(seconds=st.floats(0, 7_200))
    def time_passes(self, seconds: float) -> None:
        self.before = self.alert
        self.now += timedelta(seconds=seconds)

    @rule(lasting=st.none() | st.integers(1, 600), version=st.none() | st.integers(1, 5))
    def acknowledge(self, lasting: int | None, version: int | None) -> None:
        until = None if lasting is None else self.now + timedelta(seconds=lasting)
        stale = version is not None and version != self.alert.version

        def transition() -> Change:
            lifecycle.require_version(self.alert, version)
            return lifecycle.acknowledge(self.alert, "mats", None, until, self.now)

        self.apply(transition, allowed=self.alert.status is OPEN and not stale)

    @rule(actor=st.sampled_from([None, "mats"]))
    def unacknowledge(self, actor: str | None) -> None:
        allowed = self.alert.status is ACKNOWLEDGED
        self.apply(lambda: lifecycle.unacknowledge(self.alert, actor, None, self.now), allowed=allowed)

    @rule(kind=st.sampled_from(Resolution), actor=st.sampled_from([None, "mats"]))
    def resolve(self, kind: Resolution, actor: str | None) -> None:
        allowed = self.alert.status is not RESOLVED
        self.apply(lambda: lifecycle.resolve(self.alert, actor, "why", kind, self.now), allowed=allowed)

    @rule()
    def reopen(self) -> None:
        allowed = self.alert.status is RESOLVED
        self.apply(lambda: lifecycle.reopen(self.alert, "mats", "why", self.now), allowed=allowed)

    @rule(assignee=st.sampled_from([None, "mats", "vera"]))
    def assign(self, assignee: str | None) -> None:
        allowed = self.alert.status is not RESOLVED and assignee != self.alert.assignee
        self.apply(lambda: lifecycle.assign(self.alert, "mats", assignee, self.now), allowed=allowed)

    @rule()
    def comment(self) -> None:
        self.apply(lambda: lifecycle.comment(self.alert, "mats", "hm", self.now), allowed=True)
        assert self.alert == self.before

    @rule(value=st.floats(0, 100))
    def repeat(self, value: float) -> None:
        if self.alert.live:
            observed = Observation(at=self.now, breach=True, good=False, reason="still", since=self.now, value=value)
            self.apply(lambda: lifecycle.repeat(self.alert, observed, self.now), allowed=True)

    @invariant()
    def the_version_moves_with_status_severity_and_assignee_alone(self) -> None:
        def watched(alert: Alert) -> tuple[object, ...]:
            return alert.status, alert.severity, alert.assignee

        moved = watched(self.alert) != watched(self.before)
        assert self.alert.version == self.before.version + moved

    @invariant()
    def it_is_live_until_it_is_resolved(self) -> None:
        assert self.alert.live is (self.alert.status is not RESOLVED)

    @invariant()
    def what_is_resolved_stays_so_unless_it_is_reopened(self) -> None:
        if self.before.status is RESOLVED and self.alert.status is not RESOLVED:
            assert (self.alert.status, self.alert.live) == (OPEN, True)
        elif self.before.status is RESOLVED:
            assert self.alert == self.before

    @invariant()
    def who_and_when_stand_with_the_status_alone(self) -> None:
        alert = self.alert
        assert (alert.resolved_at is not None) is (alert.resolution is not None) is (alert.status is RESOLVED)
        if alert.status is not RESOLVED:
            assert (alert.acknowledged_at is not None) is (alert.status is ACKNOWLEDGED)

    @invariant()
    def what_it_is_of_never_changes(self) -> None:
        fields = ("id", "tenant_id", "rule_key", "dedup_key", "subject_id", "title", "first_seen", "severity_rank")
        now, then = msgspec.structs.asdict(self.alert), msgspec.structs.asdict(self.before)
        assert [now[field] for field in fields] == [then[field] for field in fields]
        assert self.alert.last_seen >= self.alert.first_seen


AnAlertsLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestAnAlertsLife = AnAlertsLife.TestCase
