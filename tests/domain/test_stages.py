"""From an observation to a verdict: patience, recovery, cooldown, and their very edges."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from app.domain import lifecycle
from app.domain.alert import Alert, Resolution
from app.domain.conditions.observation import Observation
from app.domain.ids import lane_of
from app.domain.memory import REMEMBER, end
from app.domain.rule import Rule, RuleState, state_id
from app.domain.stages import STAGES, Action, Outcome, Verdict, judge
from app.domain.subject import SubjectKind
from tests.domain.making import a_rule, a_subject, at, opened

BLANK = RuleState(
    id=state_id("acme", "quiet", SubjectKind.DEVICE, "till-1"),
    tenant_id="acme",
    lane=lane_of("acme"),
    rule_key="quiet",
    subject_id="till-1",
    family="absence",
)
LIVE = opened(a_rule(), a_subject(), Observation(at=at(0), breach=True, good=False, reason="bad", since=at(0))).after
FIRING = msgspec.structs.replace(BLANK, firing=True, pending_since=at(0))


def state(**fields: Any) -> RuleState:
    return msgspec.structs.replace(BLANK, **fields)


def bad(seconds: float, since: float | None = None) -> Observation:
    return Observation(at=at(seconds), breach=True, good=False, reason="bad", since=at(seconds if since is None else since))


def good(seconds: float, since: float | None = None) -> Observation:
    return Observation(at=at(seconds), breach=False, good=True, reason="good", since=at(seconds if since is None else since))


def between(seconds: float) -> Observation:
    return Observation(at=at(seconds), breach=False, good=False, reason="in between", since=at(seconds))


def verdict(rule: Rule, state: RuleState, seen: Observation, live: Alert | None = None) -> Verdict:
    return judge(rule, state, seen, live, seen.at)


def last_stage(said: Verdict) -> tuple[str, Outcome]:
    return said.steps[-1].stage, said.steps[-1].outcome


def test_the_way_is_one_list_in_the_order_of_its_names() -> None:
    said = verdict(a_rule(), BLANK, bad(0))
    assert [step.stage for step in said.steps] == [stage.__name__ for stage in STAGES]
    assert all(step.reason for step in said.steps)


def test_what_is_good_and_was_good_leaves_nothing_behind() -> None:
    said = verdict(a_rule(), BLANK, good(0))
    assert (said.action, said.state.is_blank(), last_stage(said)) == (Action.NONE, True, ("breach", Outcome.STOP))


def test_without_a_wait_it_opens_at_once() -> None:
    said = verdict(a_rule(), BLANK, bad(10, since=4))
    assert (said.action, said.state.firing, said.first_seen) == (Action.OPEN, True, at(4))


@pytest.mark.parametrize(
    ("seconds", "action"),
    [
        (0, Action.NONE),
        (59.999, Action.NONE),
        (60, Action.OPEN),  # to the very millisecond
        (61, Action.OPEN),
    ],
)
def test_it_opens_once_it_has_been_bad_for_long_enough(seconds: float, action: Action) -> None:
    rule = a_rule(for_sec=60)
    waiting = verdict(rule, BLANK, bad(0)).state
    assert (waiting.pending_since, waiting.next_due) == (at(0), at(60))
    said = verdict(rule, waiting, bad(seconds))
    assert said.action is action
    if action is Action.OPEN:
        assert (said.first_seen, said.state.next_due) == (at(0), None)
    else:
        assert last_stage(said) == ("pending", Outcome.WAIT)


def test_what_was_bad_long_before_it_was_looked_at_does_not_wait_again() -> None:
    said = verdict(a_rule(for_sec=60), BLANK, bad(100, since=40))
    assert (said.action, said.first_seen) == (Action.OPEN, at(40))


@pytest.mark.parametrize("pause", [good, between])
def test_the_wait_starts_over_when_it_was_not_bad_for_a_moment(pause: Any) -> None:
    rule = a_rule(for_sec=60)
    state = verdict(rule, BLANK, bad(0)).state
    state = verdict(rule, state, pause(59)).state
    assert state.is_blank()
    assert verdict(rule, state, bad(60)).action is Action.NONE
    assert verdict(rule, verdict(rule, state, bad(60)).state, bad(120)).action is Action.OPEN


def test_what_is_live_is_repeated_and_never_opened_twice() -> None:
    said = verdict(a_rule(), FIRING, bad(10), LIVE)
    assert (said.action, said.state.firing, last_stage(said)) == (Action.REPEAT, True, ("dedup", Outcome.STOP))


def test_an_alert_of_somebody_elses_making_is_taken_over() -> None:
    said = verdict(a_rule(), BLANK, bad(10), LIVE)
    assert (said.action, said.state.firing) == (Action.REPEAT, True)


def test_an_alert_that_a_person_reopened_is_not_ended_by_a_good_look() -> None:
    said = verdict(a_rule(), BLANK, good(10), LIVE)
    assert said.action is Action.NONE
    taken_over = verdict(a_rule(), said.state, bad(20), LIVE).state
    assert verdict(a_rule(), taken_over, good(30), LIVE).action is Action.RESOLVE


def test_what_is_good_again_is_resolved() -> None:
    said = verdict(a_rule(cooldown_sec=900), FIRING, good(10), LIVE)
    assert said.action is Action.RESOLVE
    assert (said.state.firing, said.state.cooldown_until, said.state.next_due) == (False, at(910), at(910))


def test_between_threshold_and_recovery_an_alert_stays_as_it_is() -> None:
    said = verdict(a_rule(), FIRING, between(10), LIVE)
    assert (said.action, said.state.firing) == (Action.NONE, True)


def test_between_threshold_and_recovery_nothing_opens() -> None:
    assert verdict(a_rule(), BLANK, between(10)).action is Action.NONE


@pytest.mark.parametrize(("seconds", "action"), [(39.999, Action.NONE), (40, Action.RESOLVE)])
def test_it_keeps_firing_until_it_was_good_for_long_enough(seconds: float, action: Action) -> None:
    rule = a_rule(keep_firing_sec=30)
    held = verdict(rule, FIRING, good(10), LIVE)
    assert (held.action, held.state.good_since, held.state.next_due) == (Action.NONE, at(10), at(40))
    assert last_stage(held) == ("breach", Outcome.WAIT)
    assert verdict(rule, held.state, good(seconds), LIVE).action is action


@pytest.mark.parametrize("relapse", [bad, between])
def test_a_relapse_starts_the_time_of_being_good_over(relapse: Any) -> None:
    rule = a_rule(keep_firing_sec=30)
    state = verdict(rule, FIRING, good(10), LIVE).state
    state = verdict(rule, state, relapse(39), LIVE).state
    assert (state.good_since, state.next_due, state.firing) == (None, None, True)
    assert verdict(rule, state, good(41), LIVE).action is Action.NONE


def test_without_auto_resolve_a_person_has_to() -> None:
    rule = a_rule(auto_resolve=False)
    said = verdict(rule, FIRING, good(10), LIVE)
    assert (said.action, said.state.firing) == (Action.NONE, True)
    assert "a person has to resolve it" in said.steps[-1].reason


@pytest.mark.parametrize(
    ("seconds", "action"),
    [
        (10.001, Action.NONE),
        (909.999, Action.NONE),
        (910, Action.OPEN),  # to the very millisecond
    ],
)
def test_after_an_alert_nothing_opens_while_it_cools_down(seconds: float, action: Action) -> None:
    rule = a_rule(cooldown_sec=900)
    ended = end(rule, FIRING, at(10))
    said = verdict(rule, ended, bad(seconds))
    assert said.action is action
    if action is Action.NONE:
        assert (last_stage(said), said.state.next_due) == (("cooldown", Outcome.WAIT), at(910))


def test_what_was_bad_through_the_cooldown_says_so_when_it_opens() -> None:
    rule = a_rule(cooldown_sec=900)
    state = verdict(rule, end(rule, FIRING, at(10)), bad(20)).state
    assert verdict(rule, state, bad(910)).first_seen == at(20)


def test_the_wait_runs_during_the_cooldown() -> None:
    rule = a_rule(cooldown_sec=900, for_sec=60)
    state = verdict(rule, end(rule, FIRING, at(10)), bad(880)).state
    state = verdict(rule, state, bad(939.999)).state
    assert not state.firing
    assert verdict(rule, state, bad(940)).action is Action.OPEN


def test_a_cooldown_that_is_over_is_forgotten() -> None:
    rule = a_rule(cooldown_sec=900)
    ended = end(rule, FIRING, at(10))
    assert not verdict(rule, ended, good(909)).state.is_blank()
    assert verdict(rule, ended, good(910)).state.is_blank()


def test_what_ended_is_remembered_longer_than_reads_overlap_even_without_a_cooldown() -> None:
    rule = a_rule(cooldown_sec=0)
    ended = end(rule, FIRING, at(10))
    forgotten_at = at(10) + REMEMBER
    assert (ended.cooldown_until, ended.remember_until, ended.next_due) == (None, forgotten_at, forgotten_at)
    assert not ended.is_blank()
    assert verdict(rule, ended, good(40)).state.is_blank()


def test_without_a_cooldown_it_may_open_again_at_once() -> None:
    rule = a_rule(cooldown_sec=0)
    assert verdict(rule, end(rule, FIRING, at(10)), bad(10.001)).action is Action.OPEN


def test_an_alert_that_a_person_ended_is_not_firing_any_more() -> None:
    rule = a_rule(for_sec=60)
    said = verdict(rule, FIRING, bad(100))
    assert said.action is Action.NONE
    assert (said.state.firing, said.state.pending_since) == (False, at(100))


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    seconds, seen = 0.0, []
    for kind, step in draw(st.lists(st.tuples(st.sampled_from([bad, good, between]), st.integers(0, 120)), max_size=30)):
        seconds += step
        seen.append(kind(seconds))
    return seen


@given(
    history=histories(),
    waits=st.tuples(*[st.sampled_from([0, 30, 100])] * 3),
    auto_resolve=st.booleans(),
)
def test_whatever_is_seen_alerts_open_and_end_in_turn(
    history: list[Observation], waits: tuple[int, int, int], auto_resolve: bool
) -> None:
    for_sec, keep_firing_sec, cooldown_sec = waits
    rule = a_rule(for_sec=for_sec, keep_firing_sec=keep_firing_sec, cooldown_sec=cooldown_sec, auto_resolve=auto_resolve)
    remembered, live, ended_at = BLANK, None, None
    for seen in history:
        said = verdict(rule, remembered, seen, live)
        remembered = said.state
        assert said.first_seen <= seen.at
        if said.action is Action.OPEN:
            assert seen.breach
            assert live is None
            assert (seen.at - said.first_seen).total_seconds() >= for_sec
            assert ended_at is None or (seen.at - ended_at).total_seconds() >= cooldown_sec
            live = LIVE
        elif said.action is Action.RESOLVE:
            assert seen.good
            assert live is not None
            assert auto_resolve
            live, ended_at = None, lifecycle.resolve(LIVE, None, "good", Resolution.RECOVERED, seen.at).at
        assert remembered.firing is (live is not None)
        assert remembered.next_due is None or remembered.next_due > seen.at
