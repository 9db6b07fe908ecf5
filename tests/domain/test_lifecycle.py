"""The life of an alert: what may follow what, what it leaves behind, and what never moves."""

from collections.abc import Callable
from typing import Any

import pytest

from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType, AlertStatus, Change, Resolution, Severity
from app.domain.conditions.observation import Observation
from app.errors import BadInputError, ConflictError
from tests.domain.making import NOON, a_rule, a_subject, at, opened

OPEN, ACKNOWLEDGED, RESOLVED = AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED
Transition = Callable[[Alert], Change]


def seen(seconds: float, **fields: Any) -> Observation:
    given = {"at": at(seconds), "breach": True, "good": False, "reason": "silent", "since": at(seconds), **fields}
    return Observation(**given)


def an_open_alert() -> Alert:
    return opened(a_rule(), a_subject(name="Till 1", store_id="north"), seen(0)).after


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
        return opened(a_rule(), a_subject(), seen(0, since=at(seconds))).after.first_seen

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
