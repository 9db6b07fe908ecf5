"""Alerts against labels, by cases made by hand."""

from typing import Any

import pytest

from bench.accuracy.__main__ import bounds_broken
from bench.accuracy.calendar import DAYS, HOUR, START
from bench.accuracy.detect import Alarm
from bench.accuracy.incidents import Incident, Level
from bench.accuracy.score import GRACE, Rule, Score, score

NOON = START + 12 * HOUR
RULES = [Rule(key="cpu_high", window_sec=0, subjects=3), Rule(key="refund_spike", window_sec=3600, subjects=2)]


def an_incident(**fields: Any) -> Incident:
    given = {
        "number": 1,
        "what": "hot",
        "rule": "cpu_high",
        "subjects": frozenset({"device/till-1"}),
        "start": NOON,
        "end": NOON + HOUR,
        "effect": Level("till-1", "cpu", 95),
        **fields,
    }
    return Incident(**given)


def an_alarm(after: float = 300, **fields: Any) -> Alarm:
    given = {"rule": "cpu_high", "severity": "medium", "subject": "device/till-1", "resolved_at": None, "reason": "", **fields}
    return Alarm(fired_at=NOON + after, **given)


def scored(incidents: list[Incident], *alarms: Alarm) -> Score:
    return score(RULES, incidents, alarms)


def counts(found: Score) -> tuple[int, int, int, int]:
    return found.all.caught, found.all.missed, found.all.right, found.all.wrong


@pytest.mark.parametrize(("after", "right"), [(-1, 0), (0, 1), (HOUR, 1), (HOUR + GRACE, 1), (HOUR + GRACE + 1, 0)])
def test_an_alert_is_right_from_the_start_of_its_incident_to_a_little_after_its_end(after: float, right: int) -> None:
    assert counts(scored([an_incident()], an_alarm(after))) == (right, 1 - right, right, 1 - right)


def test_what_looks_at_a_window_may_alarm_for_as_long_as_the_incident_is_in_it() -> None:
    incident = an_incident(rule="refund_spike", subjects=frozenset({"store/s"}))
    late = an_alarm(2 * HOUR, rule="refund_spike", subject="store/s")
    assert counts(scored([incident], late)) == (1, 0, 1, 0)


def test_an_alert_of_another_subject_or_rule_is_wrong() -> None:
    found = scored([an_incident()], an_alarm(subject="device/till-2"), an_alarm(rule="refund_spike"))
    assert counts(found) == (0, 1, 0, 2)
    assert [one.number for one in found.missed] == [1]


def test_a_rule_that_may_alarm_as_well_is_right_but_catches_nothing() -> None:
    incident = an_incident(also=("refund_spike",))
    assert counts(scored([incident], an_alarm(rule="refund_spike"))) == (0, 1, 1, 0)


def test_one_of_many_subjects_is_enough_and_all_are_right() -> None:
    incident = an_incident(subjects=frozenset({"device/till-1", "device/till-2"}))
    assert counts(scored([incident], an_alarm(), an_alarm(subject="device/till-2"))) == (1, 0, 2, 0)


def test_a_share_is_of_alerts_and_the_strict_one_of_incidents() -> None:
    incident = an_incident(subjects=frozenset({"device/till-1", "device/till-2"}))
    found = scored([incident], an_alarm(), an_alarm(900), an_alarm(subject="device/till-2"), an_alarm(subject="device/till-3"))
    assert (found.all.share, found.all.strict_share) == (1 / 4, 1 / 2)


def test_the_delay_is_to_the_first_alert() -> None:
    assert scored([an_incident()], an_alarm(300), an_alarm(900)).all.delay_sec == 300


def test_days_without_incident_and_without_alert_are_quiet() -> None:
    found = scored([an_incident()], an_alarm(), an_alarm(subject="device/till-2"))
    assert [row.quiet_days for row in found.rules] == [3 * DAYS - 2, 2 * DAYS]
    assert found.all.quiet_days == 5 * DAYS - 2


def test_critical_alerts_are_counted_by_their_own_severity() -> None:
    found = scored([an_incident()], an_alarm(severity="critical"), an_alarm(1e6, severity="critical"), an_alarm(1e6))
    assert (found.critical.right, found.critical.wrong, found.critical.caught) == (1, 1, 1)


def test_bounds_are_said_in_words_and_kept_in_silence() -> None:
    assert bounds_broken(scored([an_incident()], an_alarm())) == []
    assert bounds_broken(scored([an_incident()], an_alarm(1e6, severity="critical"))) == [
        "100.0% of critical alerts are false, not under 2%",
        "100.0% of all alerts are false, not under 5%",
        "0.0% of incidents caught, not at least 95%",
    ]
