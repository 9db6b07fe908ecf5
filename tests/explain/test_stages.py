"""Every stage, with each thing that it can say: the figure, its bound and the time, not a sentence that fits everything."""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from app.domain.conditions.metric import observe_value
from app.domain.conditions.observation import Nothing, Seen
from app.domain.explanation import ExplanationStep, Look, explain_look, why_excluded, why_not_in_scope
from app.domain.judgement import blank_state
from app.domain.rule import NoDataPolicy, Rule, RuleScope
from app.domain.stages import Around, judge
from app.domain.subject import of_device
from tests.domain.making import a_device, a_rule, at, cpu_over, opened

HOT = cpu_over(90, recovery_threshold=80)
TURNS = tuple(at(seconds) for seconds in range(-1100, 0, 100))


@dataclass(frozen=True)
class Scene:
    """One look: the value seen, what is remembered, whether an alert is live; and what has to be said."""

    stage: str
    outcome: str
    says: tuple[str, ...]
    value: float | None = 95
    rule: dict[str, Any] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)
    live: bool = False

    def __str__(self) -> str:
        return f"{self.stage} {self.outcome} {self.says[0]}"


POS = RuleScope(kinds=("POS", "TPE"))
SCENES = [
    Scene("scope", "PASS", ("kind POS", "POS, TPE", "12:00:00"), rule={"scope": POS}, device={"kind": "POS"}),
    Scene("scope", "PASS", ("names no stores, devices, kinds or tags", "till-1", "12:00:00")),
    Scene("scope", "STOP", ("kind GATE", "POS, TPE", "12:00:00"), rule={"scope": POS}, device={"kind": "GATE"}),
    Scene("scope", "STOP", ("store (none)", "north, south"), rule={"scope": RuleScope(store_ids=("north", "south"))}),
    Scene("scope", "STOP", ("tag old, loud", "new"), rule={"scope": RuleScope(tags=("new",))}, device={"tags": ("old", "loud")}),
    Scene("scope", "STOP", ("switched off", "version 3", "11:59:00", "olga"), rule={"enabled": False, "version": 3}),
    Scene("scope", "STOP", ("retired", "11:50:00"), device={"retired_at": at(-600)}),
    Scene("breach", "PASS", ("CPU usage 95 %", "over 90 %", "12:00:00")),
    Scene("breach", "STOP", ("CPU usage 40 %", "not over 80 %", "12:00:00"), value=40),
    Scene(
        "breach",
        "STOP",
        ("CPU usage 85 %", "not over 90 %", "not recovered", "ends at 80", "12:00:00"),
        value=85,
        state={"firing": True},
        live=True,
    ),
    Scene(
        "breach",
        "WAIT",
        ("CPU usage 40 %", "good for 60 s", "until 2026-03-02 12:00:40"),
        value=40,
        rule={"keep_firing_sec": 60},
        state={"firing": True, "good_since": at(-20)},
        live=True,
    ),
    Scene(
        "breach",
        "WAIT",
        ("CPU usage 40 %", "flapping (65 %", "under 25 %", "until 2026-03-02 12:"),
        value=40,
        state={"firing": True, "bad": True, "flapping": True, "turns": TURNS},
        live=True,
    ),
    Scene(
        "breach",
        "STOP",
        ("CPU usage 40 %", "not over 80 %", "a person has to", "12:00:00"),
        value=40,
        rule={"auto_resolve": False},
        state={"firing": True},
        live=True,
    ),
    Scene("breach", "STOP", ("no CPU usage for 130 s", "12:00:00"), value=None),
    Scene("breach", "STOP", ("no CPU usage for 130 s", "live stays", "12:00:00"), value=None, state={"firing": True}, live=True),
    Scene(
        "breach",
        "STOP",
        ("no CPU usage for 130 s", "ends its alerts", "12:00:00"),
        value=None,
        rule={"no_data": NoDataPolicy.RESOLVE},
        state={"firing": True},
        live=True,
    ),
    Scene(
        "breach",
        "PASS",
        ("no CPU usage for 130 s", "alerts on that", "11:57:50"),
        value=None,
        rule={"no_data": NoDataPolicy.ALERT},
        state={"heard_at": at(-130)},
    ),
    Scene("pending", "PASS", ("forSec is 0", "0 s", "12:00:00")),
    Scene("pending", "PASS", ("fires already", "30 s", "12:00:00"), rule={"for_sec": 30}, state={"firing": True}, live=True),
    Scene(
        "pending", "PASS", ("bad for 70 s", "at least 30 s", "11:58:50"), rule={"for_sec": 30}, state={"pending_since": at(-70)}
    ),
    Scene(
        "pending",
        "WAIT",
        ("bad for 20 s", "of 30 s", "since 2026-03-02 11:59:40", "until 2026-03-02 12:00:10"),
        rule={"for_sec": 30},
        state={"pending_since": at(-20)},
    ),
    Scene("dedup", "PASS", ("no live alert of quiet on till-1", "12:00:00")),
    Scene("dedup", "STOP", ("alert-1", "OPEN", "since 2026-03-02 11:00:00"), state={"firing": True}, live=True),
    Scene("cooldown", "PASS", ("no cooldown of 900 s", "12:00:00"), rule={"cooldown_sec": 900}),
    Scene(
        "cooldown",
        "WAIT",
        ("500 s more of 900 s", "until 2026-03-02 12:08:20"),
        rule={"cooldown_sec": 900},
        state={"cooldown_until": at(500)},
    ),
    Scene(
        "rate", "PASS", ("alert 2 of 4", "since 2026-03-02 11:00:00"), state={"opened": (at(-90),)}, around={"most_per_hour": 4}
    ),
    Scene("rate", "PASS", ("no limit", "since 2026-03-02 11:00:00")),
    Scene(
        "rate",
        "MUTE",
        ("2 alerts", "of which 2 are told", "since 2026-03-02 11:00:00"),
        state={"opened": (at(-90), at(-50))},
        around={"most_per_hour": 2},
    ),
    Scene("suppress", "PASS", ("nothing suppresses it", "12:00:00")),
    Scene(
        "suppress", "MUTE", ("silence 7 of olga until 13:00", "12:00:00"), around={"suppressed": "silence 7 of olga until 13:00"}
    ),
    Scene("route", "PASS", ("opens as HIGH", "12:00:00")),
]


def look_of(scene: Scene) -> Look:
    rule = a_rule(HOT, **{"updated_at": at(-60), "updated_by": "olga", **scene.rule})
    device = a_device(**scene.device)
    seen: Seen = Nothing(reason="no CPU usage for 130 s") if scene.value is None else observe_value(HOT, scene.value, at(0))
    state = msgspec.structs.replace(blank_state(rule, of_device(device)), **scene.state)
    live = opened(rule, of_device(device), observe_value(HOT, 99, at(-3600)), at(-3600)).after if scene.live else None
    around = Around(excluded=why_excluded(rule, device), silent_after=120, **scene.around)
    verdict = judge(rule, state, seen, live, at(0), around)
    return Look(
        rule=rule,
        subject=of_device(device),
        device=device,
        state=state,
        seen=seen,
        live=live,
        now=at(0),
        around=around,
        verdict=verdict,
    )


def step_of(scene: Scene) -> ExplanationStep:
    [step] = [step for step in explain_look(look_of(scene)).steps if step.stage == scene.stage]
    return step


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_stage_names_the_figure_the_bound_and_the_time(scene: Scene) -> None:
    step = step_of(scene)
    assert (step.outcome, step.at) == (scene.outcome, at(0))
    assert [part for part in scene.says if part not in step.reason] == [], step.reason


def test_every_outcome_of_every_stage_is_in_the_table() -> None:
    assert {(scene.stage, scene.outcome) for scene in SCENES} == {
        ("scope", "PASS"),
        ("scope", "STOP"),
        ("breach", "PASS"),
        ("breach", "STOP"),
        ("breach", "WAIT"),
        ("pending", "PASS"),
        ("pending", "WAIT"),
        ("dedup", "PASS"),
        ("dedup", "STOP"),
        ("cooldown", "PASS"),
        ("cooldown", "WAIT"),
        ("rate", "PASS"),
        ("rate", "MUTE"),
        ("suppress", "PASS"),
        ("suppress", "MUTE"),
        ("route", "PASS"),
    }


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_no_step_is_without_its_time(scene: Scene) -> None:
    explained = explain_look(look_of(scene))
    assert all(re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", step.reason) for step in explained.steps)
    assert "Quiet on till-1" in explained.summary


def test_the_figures_are_there_for_programs_too() -> None:
    assert step_of(Scene("breach", "PASS", ())).detail == {
        "value": 95,
        "threshold": 90,
        "unit": "%",
        "since": "2026-03-02T12:00:00+00:00",
    }
    held = step_of(Scene("cooldown", "WAIT", (), rule={"cooldown_sec": 900}, state={"cooldown_until": at(500)}))
    assert held.detail == {"cooldownSec": 900, "until": "2026-03-02T12:08:20+00:00"}


@pytest.mark.parametrize(
    ("scope", "device", "missing"),
    [
        (RuleScope(), {}, None),
        (RuleScope(device_ids=("till-1",)), {}, None),
        (RuleScope(device_ids=("till-2", "till-3")), {}, "device till-1 is not among till-2, till-3"),
        (RuleScope(store_ids=("north",)), {"store_id": "south"}, "store south is not among north"),
        (RuleScope(kinds=("POS",)), {}, "kind (none) is not among POS"),
        (RuleScope(tags=("new", "loud")), {"tags": ("old", "loud")}, None),
        (
            RuleScope(store_ids=("north",), tags=("new",)),
            {"store_id": "south"},
            "store south is not among north; tag (none) is not among new",
        ),
    ],
)
def test_every_list_that_does_not_match_is_named(scope: RuleScope, device: dict[str, Any], missing: str | None) -> None:
    rule: Rule = a_rule(HOT, scope=scope)
    assert why_not_in_scope(rule, a_device(**device)) == missing
