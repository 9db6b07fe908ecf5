"""What comes next, and when."""

from typing import Any

import msgspec
import pytest

from app.domain.alert import AlertStatus
from app.domain.conditions.metric import observe_value
from app.domain.explanation import planned
from app.domain.judgement import blank_state
from app.domain.rule import NoDataPolicy
from tests.domain.making import a_rule, a_subject, at, cpu_over, opened

HOT = cpu_over(90, recovery_threshold=80)


@pytest.mark.parametrize(
    ("rule", "state", "seconds", "says"),
    [
        ({"for_sec": 30}, {"pending_since": at(-20)}, 10, ("bad for 30 s", "11:59:40", "fires if it is still bad")),
        ({"keep_firing_sec": 60}, {"firing": True, "good_since": at(-20)}, 40, ("good for 60 s", "11:59:40", "ends")),
        ({"cooldown_sec": 900}, {"cooldown_until": at(500)}, 500, ("cooldown of 900 s", "may fire again")),
        ({"no_data": NoDataPolicy.RESOLVE}, {"firing": True, "heard_at": at(-20)}, 100, ("120 s after", "11:59:40", "ends")),
        ({"no_data": NoDataPolicy.ALERT}, {"heard_at": at(-20)}, 100, ("120 s after", "11:59:40", "counts as bad")),
        ({}, {"firing": True, "watch_until": at(60)}, 60, ("window has moved on",)),
        ({}, {"firing": True, "flapping": True, "next_due": at(1200)}, 1200, ("calm again", "25 %")),
    ],
)
def test_what_time_alone_brings(rule: dict[str, Any], state: dict[str, Any], seconds: int, says: tuple[str, ...]) -> None:
    of = a_rule(HOT, **rule)
    [step] = planned(of, msgspec.structs.replace(blank_state(of, a_subject()), **state), None, at(0), 120)
    assert step.at == at(seconds)
    assert [part for part in says if part not in step.what] == []


def test_what_has_passed_is_not_planned() -> None:
    rule = a_rule(HOT, for_sec=30, cooldown_sec=9)
    state = msgspec.structs.replace(blank_state(rule, a_subject()), pending_since=at(-40), cooldown_until=at(0))
    assert planned(rule, state, None, at(0)) == []
    assert planned(rule, None, None, at(0)) == []


def test_a_live_alert_is_told_again_and_its_acknowledgement_ends() -> None:
    rule = a_rule(HOT)
    alert = opened(rule, a_subject(), observe_value(HOT, 95, at(0))).after
    held = msgspec.structs.replace(alert, status=AlertStatus.ACKNOWLEDGED, acknowledged_by="mats", acknowledged_until=at(600))
    assert [(step.at, step.what.split(":")[0]) for step in planned(rule, None, held, at(1))] == [
        (at(600), "the acknowledgement by mats runs out"),
        (at(3600), "if it is still bad then, it is told again"),
    ]
    assert planned(rule, None, msgspec.structs.replace(held, live=False), at(1)) == []
