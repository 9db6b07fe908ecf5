"""The life of an alert: what may follow what, what it leaves behind, and what never moves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType, AlertStatus, Change, Resolution, Severity
from app.domain.conditions.observation import Observation
from app.errors import BadInputError, ConflictError
from tests.domain.making import NOON, a_device, a_rule, at

OPEN, ACKNOWLEDGED, RESOLVED = AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED
Transition = Callable[[Alert], Change]


def seen(seconds: float, **fields: Any) -> Observation:
    given = {"at": at(seconds), "breach": True, "good": False, "reason": "silent", "since": at(seconds), **fields}
    return Observation(**given)


def an_open_alert() -> Alert:
    return lifecycle.open_for_device(
        "alert-1", a_rule(), a_device(name="Till 1", store_id="north"), seen(0), first_seen=NOON, now=NOON
    ).after


def an_alert_that_is(status: AlertStatus) -> Alert:
    alert = an_open_alert()
    if status is ACKNOWLEDGED:
        return lifecycle.acknowledge(alert, "olga", None, at(100), at(10)).after
    if status is RESOLVED:
        return lifecycle.resolve(alert, "olga", "fixed", Resolution.MANUAL, at(10)).after
    return alert


TRANSITIONS: dict[str, Transition] = {
    "acknowledge": lambda alert: lifecycle.acknowledge(alert, "mats", "on it", None, at(20)),
    "unacknowledge": lambda alert: lifecycle.unacknowledge(alert, "mats", None, at(20)),
    "resolve": lambda alert: lifecycle.resolve(alert, "mats", "fixed", Resolution.MANUAL, at(20)),
    "reopen": lambda alert: lifecycle.reopen(alert, "mats", "not fixed", at(20)),
    "assign": lambda alert: lifecycle.assign(alert, "mats", "vera", at(20)),
    "comment": lambda alert: lifecycle.comment(alert, "mats", "hm", at(20)),
}


@pytest.mark.parametrize(
    ("status", "name", "to", "told"),
    [
        (OPEN, "acknowledge", ACKNOWLEDGED, AlertEventType.ACKNOWLEDGED),
        (OPEN, "resolve", RESOLVED, AlertEventType.RESOLVED),
        (OPEN, "assign", OPEN, AlertEventType.ASSIGNED),
        (OPEN, "comment", OPEN, AlertEventType.COMMENTED),
        (ACKNOWLEDGED, "unacknowledge", OPEN, AlertEventType.UNACKNOWLEDGED),
        (ACKNOWLEDGED, "resolve", RESOLVED, AlertEventType.RESOLVED),
        (ACKNOWLEDGED, "assign", ACKNOWLEDGED, AlertEventType.ASSIGNED),
        (ACKNOWLEDGED, "comment", ACKNOWLEDGED, AlertEventType.COMMENTED),
        (RESOLVED, "reopen", OPEN, AlertEventType.REOPENED),
        (RESOLVED, "comment", RESOLVED, AlertEventType.COMMENTED),
    ],
)
def test_what_may_follow_what(status: AlertStatus, name: str, to: AlertStatus, told: AlertEventType) -> None:
    alert = an_alert_that_is(status)
    change = TRANSITIONS[name](alert)
    assert (change.type, change.before, change.after.status, change.after.live) == (told, alert, to, to is not RESOLVED)
    assert (change.at, change.actor) == (at(20), "mats")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (OPEN, "unacknowledge"),
        (OPEN, "reopen"),
        (ACKNOWLEDGED, "acknowledge"),
        (ACKNOWLEDGED, "reopen"),
        (RESOLVED, "acknowledge"),
        (RESOLVED, "unacknowledge"),
        (RESOLVED, "resolve"),
        (RESOLVED, "assign"),
    ],
)
def test_what_may_not_says_what_is_there_now(status: AlertStatus, name: str) -> None:
    alert = an_alert_that_is(status)
    with pytest.raises(ConflictError) as refused:
        TRANSITIONS[name](alert)
    assert refused.value.current is not None
    assert (refused.value.current["status"], refused.value.current["version"]) == (status.name, alert.version)
    assert status is OPEN or "by olga" in refused.value.message


def test_a_new_alert_says_what_it_is_of() -> None:
    alert = an_open_alert()
    assert (alert.title, alert.message, alert.dedup_key) == ("Quiet: Till 1", "silent", "rule:1:quiet:device:till-1")
    assert (alert.severity, alert.severity_rank, alert.store_id, alert.version) == (Severity.HIGH, 1, "north", 1)


def test_an_alert_is_first_seen_when_it_began_but_never_in_the_future() -> None:
    def first_seen(seconds: float) -> object:
        return lifecycle.open_for_device("a", a_rule(), a_device(), seen(0), first_seen=at(seconds), now=NOON).after.first_seen

    assert first_seen(-30) == at(-30)
    assert first_seen(30) == NOON


def test_an_acknowledgement_ends_in_the_future() -> None:
    alert = an_open_alert()
    for until in (at(19.999), at(20)):
        with pytest.raises(BadInputError):
            lifecycle.acknowledge(alert, "mats", None, until, at(20))
    assert lifecycle.acknowledge(alert, "mats", None, at(20.001), at(20)).after.acknowledged_until == at(20.001)


@pytest.mark.parametrize("way", ["unacknowledge", "reopen"])
def test_what_is_open_again_has_forgotten_who_had_it(way: str) -> None:
    alert = an_alert_that_is(ACKNOWLEDGED)
    if way == "reopen":
        alert = lifecycle.resolve(alert, "olga", "fixed", Resolution.MANUAL, at(15)).after
    after = TRANSITIONS[way](alert).after
    gone = (after.acknowledged_at, after.acknowledged_by, after.acknowledged_until)
    assert {*gone, after.resolved_at, after.resolved_by, after.resolution, after.resolution_note} == {None}


def test_a_resolved_alert_still_says_who_had_acknowledged_it() -> None:
    after = TRANSITIONS["resolve"](an_alert_that_is(ACKNOWLEDGED)).after
    assert (after.acknowledged_by, after.resolved_by, after.resolution, after.resolution_note) == (
        "olga",
        "mats",
        Resolution.MANUAL,
        "fixed",
    )


def test_an_assignment_to_whom_it_is_assigned_is_a_conflict() -> None:
    assigned = TRANSITIONS["assign"](an_open_alert()).after
    with pytest.raises(ConflictError, match="already assigned to vera"):
        TRANSITIONS["assign"](assigned)
    freed = lifecycle.assign(assigned, "mats", None, at(30)).after
    with pytest.raises(ConflictError, match="has no assignee"):
        lifecycle.assign(freed, "mats", None, at(40))


def test_a_change_on_a_stale_view_is_refused() -> None:
    alert = an_alert_that_is(ACKNOWLEDGED)
    lifecycle.require_version(alert, None)
    lifecycle.require_version(alert, 2)
    for version in (1, 3):
        with pytest.raises(ConflictError, match=f"moved on from version {version}"):
            lifecycle.require_version(alert, version)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (59.999, "nothing"),
        (60, "a touch"),
        (3_599.999, "a touch"),
        (3_600, "repeated"),
    ],
)
def test_a_repeat_is_noted_each_minute_and_told_each_hour(seconds: float, told: str) -> None:
    alert = an_open_alert()
    change = lifecycle.repeat(alert, seen(seconds, value=7.0, reason="still silent"), at(seconds))
    if told == "nothing":
        assert change is None
        return
    assert change is not None
    assert change.type is (AlertEventType.REPEATED if told == "repeated" else None)
    after = change.after
    assert (after.occurrences, after.last_seen, after.value, after.message) == (2, at(seconds), 7.0, "still silent")
    assert after.version == alert.version


def test_the_hour_counts_from_the_last_time_it_was_told() -> None:
    alert = an_open_alert()
    for seconds in (3_600, 3_600 + 3_540):
        change = lifecycle.repeat(alert, seen(seconds), at(seconds))
        assert change is not None
        alert = change.after
    assert alert.repeated_at == at(3_600)


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
        try:
            change = transition()
        except ConflictError as refused:
            assert not allowed
            assert refused.current is not None
            return
        assert allowed
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


AnAlertsLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnAlertsLife = AnAlertsLife.TestCase
