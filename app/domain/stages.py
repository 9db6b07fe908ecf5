"""The way from an observation to an alert: one visible list of stages, each with a decision and its reason.

Pure: a rule, what it remembers, what was seen, the live alert and the time go in; a verdict comes out. The same stages
judge live beats, tests of a rule and replays of history.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from app.domain.alert import Alert
from app.domain.conditions.observation import Observation
from app.domain.rule import Rule, RuleState

REMEMBER = timedelta(seconds=30)
"""How long an ended state is kept at least: longer than the overlap of two reads of the same beats."""


class Outcome(Enum):
    """What a stage says."""

    PASS = "pass"
    STOP = "stop"
    WAIT = "wait"


class Action(Enum):
    """What a verdict asks for."""

    NONE = "none"
    OPEN = "open"
    REPEAT = "repeat"
    RESOLVE = "resolve"


class Step(msgspec.Struct, frozen=True):
    """A stage's decision, in words."""

    stage: str
    outcome: Outcome
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, what to remember, and how it came about."""

    action: Action
    state: RuleState
    steps: tuple[Step, ...]
    first_seen: datetime


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that a stage may look at."""

    rule: Rule
    state: RuleState
    seen: Observation
    live: Alert | None
    now: datetime


StageResult = tuple[Step, RuleState, Action]
Stage = Callable[[Case], StageResult]


def breach(case: Case) -> StageResult:
    """Is it bad? If it is good, an alert of this rule may end; between threshold and recovery all stays as it is."""
    if case.seen.breach:
        return _said("breach", Outcome.PASS, case.seen.reason), _replace(case.state, good_since=None), Action.NONE
    if not case.state.firing:
        state = _replace(case.state, pending_since=None, next_due=_last_end(case.state))
        return _said("breach", Outcome.STOP, case.seen.reason), state, Action.NONE
    if not case.seen.good:
        state = _replace(case.state, good_since=None, next_due=None)
        return _said("breach", Outcome.STOP, f"{case.seen.reason}, but not recovered"), state, Action.NONE
    return _recover(case)


def pending(case: Case) -> StageResult:
    """Has it been bad for long enough?"""
    if case.state.firing or case.rule.for_sec == 0:
        state = _replace(case.state, pending_since=case.state.pending_since or case.seen.since)
        return _said("pending", Outcome.PASS, "no wait asked for"), state, Action.NONE
    since = case.state.pending_since or case.seen.since
    ripe = since + timedelta(seconds=case.rule.for_sec)
    held = (case.now - since).total_seconds()
    if case.now < ripe:
        reason = f"bad for {held:.0f} s of {case.rule.for_sec} s"
        return _said("pending", Outcome.WAIT, reason), _replace(case.state, pending_since=since, next_due=ripe), Action.NONE
    reason = f"bad for {held:.0f} s, at least {case.rule.for_sec} s"
    return _said("pending", Outcome.PASS, reason), _replace(case.state, pending_since=since, next_due=None), Action.NONE


def dedup(case: Case) -> StageResult:
    """Is there a live alert of this rule and subject already?"""
    if case.live is None:
        return _said("dedup", Outcome.PASS, "no live alert of this rule and subject"), case.state, Action.NONE
    state = _replace(case.state, firing=True, next_due=None)
    return _said("dedup", Outcome.STOP, f"alert {case.live.id} is live already"), state, Action.REPEAT


def cooldown(case: Case) -> StageResult:
    """Did the last one end too short a while ago?"""
    until = case.state.cooldown_until
    if until is None or case.now >= until:
        return _said("cooldown", Outcome.PASS, "no cooldown is running"), _replace(case.state, cooldown_until=None), Action.NONE
    left = (until - case.now).total_seconds()
    reason = f"cooling down for {left:.0f} s more after the last alert"
    return _said("cooldown", Outcome.WAIT, reason), _replace(case.state, next_due=until), Action.NONE


def route(case: Case) -> StageResult:
    """All agree: it opens."""
    state = _replace(case.state, firing=True, next_due=None, good_since=None)
    return _said("route", Outcome.PASS, f"opens as {case.rule.severity.name}"), state, Action.OPEN


STAGES: tuple[Stage, ...] = (breach, pending, dedup, cooldown, route)


def judge(rule: Rule, state: RuleState, seen: Observation, live: Alert | None, now: datetime) -> Verdict:
    """Runs an observation through the stages until one does not pass it on."""
    case = Case(rule=rule, state=_follow(state, live, now), seen=seen, live=live, now=now)
    steps: list[Step] = []
    action = Action.NONE
    for stage in STAGES:
        step, remembered, action = stage(case)
        steps.append(step)
        case = msgspec.structs.replace(case, state=remembered)
        if step.outcome is not Outcome.PASS:
            break
    final = _replace(case.state, value=seen.value, reason=steps[-1].reason)
    return Verdict(action=action, state=final, steps=tuple(steps), first_seen=case.state.pending_since or seen.since)


def end(rule: Rule, state: RuleState, now: datetime) -> RuleState:
    """What a rule remembers once its alert has ended, by whatever hand: a cooldown, and a look when that is over."""
    until = now + timedelta(seconds=rule.cooldown_sec) if rule.cooldown_sec else None
    remember = now + REMEMBER
    return _replace(
        state,
        firing=False,
        pending_since=None,
        good_since=None,
        cooldown_until=until,
        remember_until=remember,
        next_due=remember if until is None else max(until, remember),
    )


def _recover(case: Case) -> StageResult:
    since = case.state.good_since or case.seen.since
    if not case.rule.auto_resolve:
        reason = f"{case.seen.reason}; a person has to resolve it"
        return _said("breach", Outcome.STOP, reason), _replace(case.state, good_since=since, next_due=None), Action.NONE
    ripe = since + timedelta(seconds=case.rule.keep_firing_sec)
    if case.now < ripe:
        reason = f"{case.seen.reason}; kept firing until it is good for {case.rule.keep_firing_sec} s"
        return _said("breach", Outcome.WAIT, reason), _replace(case.state, good_since=since, next_due=ripe), Action.NONE
    action = Action.RESOLVE if case.live is not None else Action.NONE
    return _said("breach", Outcome.STOP, case.seen.reason), end(case.rule, case.state, case.now), action


def _follow(state: RuleState, live: Alert | None, now: datetime) -> RuleState:
    """Drops what the world has overtaken: an alert that is gone is not firing, a cooldown that is over is forgotten."""
    if state.firing and live is None:
        state = _replace(state, firing=False, pending_since=None, good_since=None)
    if state.cooldown_until is not None and state.cooldown_until <= now:
        state = _replace(state, cooldown_until=None)
    if state.remember_until is not None and state.remember_until <= now:
        state = _replace(state, remember_until=None)
    return state


def _last_end(state: RuleState) -> datetime | None:
    """When a state without an alert is to be looked at again, to be forgotten."""
    return max((at for at in (state.cooldown_until, state.remember_until) if at is not None), default=None)


def _said(stage: str, outcome: Outcome, reason: str) -> Step:
    return Step(stage, outcome, reason)


def _replace(state: RuleState, **changes: object) -> RuleState:
    return msgspec.structs.replace(state, **changes)
