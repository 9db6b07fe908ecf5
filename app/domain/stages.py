"""The way from an observation to an alert: one visible list of stages, each with a decision and its reason.

Pure: a rule, what it remembers, what was seen, the live alert, what holds around it and the time go in; a verdict comes
out. The same stages judge live beats, tests of a rule and replays of history.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from app.domain import flapping
from app.domain.alert import Alert
from app.domain.conditions.observation import Nothing, Observation, Seen
from app.domain.memory import end, follow, remember, turned
from app.domain.rule import NoDataPolicy, Rule, RuleState


class Outcome(Enum):
    """What a stage says. MUTE goes on, but nobody is told."""

    PASS = "pass"
    STOP = "stop"
    WAIT = "wait"
    MUTE = "mute"


class Action(Enum):
    """What a verdict asks for."""

    NONE = "none"
    OPEN = "open"
    REPEAT = "repeat"
    RESOLVE = "resolve"


class Step(msgspec.Struct, frozen=True):
    """A stage's decision, in words; `until` is when a wait is over."""

    stage: str
    outcome: Outcome
    reason: str
    until: datetime | None = None


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What holds around a subject: why the rule is not for it, why nobody is to be told, how many alerts an hour are told,
    and after how many seconds without a value it has said nothing."""

    excluded: str | None = None
    suppressed: str | None = None
    most_per_hour: int | None = None
    silent_after: int | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, what to remember, and how it came about. `muted` says why nobody is told of an opening."""

    action: Action
    state: RuleState
    steps: tuple[Step, ...]
    first_seen: datetime
    muted: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that a stage may look at."""

    rule: Rule
    state: RuleState
    seen: Seen
    live: Alert | None
    now: datetime
    around: Around


StageResult = tuple[Step, RuleState, Action]
Stage = Callable[[Case], StageResult]


def scope(case: Case) -> StageResult:
    """Is the rule for this subject at all?"""
    if case.around.excluded is not None:
        return _said("scope", Outcome.STOP, case.around.excluded), case.state, Action.NONE
    return _said("scope", Outcome.PASS, "the rule is for it"), case.state, Action.NONE


def breach(case: Case) -> StageResult:
    """Is it bad? If it is good, an alert of this rule may end; between threshold and recovery all stays as it is."""
    if isinstance(case.seen, Nothing):
        return _nothing_seen(case, case.seen)
    if case.seen.breach:
        return _said("breach", Outcome.PASS, case.seen.reason), _replace(case.state, good_since=None), Action.NONE
    state = turned(case.state, False, case.now) if case.seen.good else case.state
    if not state.firing:
        return _said("breach", Outcome.STOP, case.seen.reason), _replace(state, pending_since=None), Action.NONE
    if not case.seen.good:
        state = _replace(state, good_since=None)
        return _said("breach", Outcome.STOP, f"{case.seen.reason}, but not recovered"), state, Action.NONE
    return _recover(msgspec.structs.replace(case, state=state), case.seen)


def pending(case: Case) -> StageResult:
    """Has it been bad for long enough?"""
    since = case.state.pending_since or _since(case)
    state = _replace(case.state, pending_since=since)
    bad = turned(state, True, case.now)
    if case.state.firing or case.rule.for_sec == 0:
        return _said("pending", Outcome.PASS, "no wait asked for"), bad, Action.NONE
    ripe = since + timedelta(seconds=case.rule.for_sec)
    held = (case.now - since).total_seconds()
    if case.now < ripe:
        return _said("pending", Outcome.WAIT, f"bad for {held:.0f} s of {case.rule.for_sec} s", ripe), state, Action.NONE
    return _said("pending", Outcome.PASS, f"bad for {held:.0f} s, at least {case.rule.for_sec} s"), bad, Action.NONE


def dedup(case: Case) -> StageResult:
    """Is there a live alert of this rule and subject already?"""
    if case.live is None:
        return _said("dedup", Outcome.PASS, "no live alert of this rule and subject"), case.state, Action.NONE
    reason = f"alert {case.live.id} is live already, since {_clock(case.live.first_seen)}"
    return _said("dedup", Outcome.STOP, reason), _replace(case.state, firing=True), Action.REPEAT


def cooldown(case: Case) -> StageResult:
    """Did the last one end too short a while ago?"""
    until = case.state.cooldown_until
    if until is None:
        return _said("cooldown", Outcome.PASS, "no cooldown is running"), case.state, Action.NONE
    left = (until - case.now).total_seconds()
    reason = f"cooling down for {left:.0f} s more of {case.rule.cooldown_sec} s after the last alert"
    return _said("cooldown", Outcome.WAIT, reason, until), case.state, Action.NONE


def rate(case: Case) -> StageResult:
    """Were people told of it often enough in the last hour?"""
    most, opened = case.around.most_per_hour, case.state.opened
    state = _replace(case.state, opened=(*opened, case.now)[-50:])
    if most is None:
        return _said("rate", Outcome.PASS, "no limit an hour"), state, Action.NONE
    if len(opened) < most:
        return _said("rate", Outcome.PASS, f"alert {len(opened) + 1} of {most} in an hour"), state, Action.NONE
    reason = f"{len(opened)} alerts in the last hour, of which {most} are told: it opens, and nobody is told"
    return _said("rate", Outcome.MUTE, reason), state, Action.NONE


def suppress(case: Case) -> StageResult:
    """Is there a reason to tell nobody?"""
    if case.around.suppressed is not None:
        return _said("suppress", Outcome.MUTE, case.around.suppressed), case.state, Action.NONE
    return _said("suppress", Outcome.PASS, "nothing suppresses it"), case.state, Action.NONE


def route(case: Case) -> StageResult:
    """All agree: it opens."""
    state = _replace(case.state, firing=True, good_since=None)
    return _said("route", Outcome.PASS, f"opens as {case.rule.severity.name}"), state, Action.OPEN


STAGES: tuple[Stage, ...] = (scope, breach, pending, dedup, cooldown, rate, suppress, route)

NOBODY = Around()


def judge(rule: Rule, state: RuleState, seen: Seen, live: Alert | None, now: datetime, around: Around = NOBODY) -> Verdict:
    """Runs what was seen through the stages until one does not pass it on."""
    # What never said anything is not missed.
    if isinstance(seen, Nothing) and rule.no_data is NoDataPolicy.ALERT and state.heard_at is not None:
        seen = _as_breach(seen, state, now)
    case = Case(rule=rule, state=follow(state, live, now), seen=seen, live=live, now=now, around=around)
    steps: list[Step] = []
    action = Action.NONE
    for stage in STAGES:
        step, remembered, action = stage(case)
        steps.append(step)
        case = msgspec.structs.replace(case, state=remembered)
        if step.outcome in (Outcome.STOP, Outcome.WAIT):
            break
    kept = remember(rule, case.state, seen, now, around.silent_after, steps[-1].until)
    return Verdict(
        action=action,
        state=_replace(kept, reason=steps[-1].reason),
        steps=tuple(steps),
        first_seen=case.state.pending_since or _since(case),
        muted=next((step.reason for step in steps if step.outcome is Outcome.MUTE), None),
    )


def _recover(case: Case, seen: Observation) -> StageResult:
    since = case.state.good_since or seen.since
    state = _replace(case.state, good_since=since)
    if not case.rule.auto_resolve:
        return _said("breach", Outcome.STOP, f"{seen.reason}; a person has to resolve it"), state, Action.NONE
    ripe = since + timedelta(seconds=case.rule.keep_firing_sec)
    if case.now < ripe:
        reason = f"{seen.reason}; kept firing until it is good for {case.rule.keep_firing_sec} s"
        return _said("breach", Outcome.WAIT, reason, ripe), state, Action.NONE
    if case.state.flapping:
        percent = 100 * flapping.share(case.state.turns, case.now)
        reason = f"{seen.reason}; flapping ({percent:.0f} % of the last states are changes), kept until under 25 %"
        return _said("breach", Outcome.WAIT, reason, flapping.calm_at(case.state.turns, case.now)), state, Action.NONE
    action = Action.RESOLVE if case.live is not None else Action.NONE
    return _said("breach", Outcome.STOP, seen.reason), end(case.rule, case.state, case.now), action


def _nothing_seen(case: Case, seen: Nothing) -> StageResult:
    if not case.state.firing:
        # A wait needs to see that it is bad all the while.
        return _said("breach", Outcome.STOP, seen.reason), _replace(case.state, pending_since=None), Action.NONE
    if case.rule.no_data is NoDataPolicy.RESOLVE and case.live is not None:
        reason = f"{seen.reason}: the rule ends its alerts then"
        return _said("breach", Outcome.STOP, reason), end(case.rule, case.state, case.now), Action.RESOLVE
    return _said("breach", Outcome.STOP, f"{seen.reason}: what is live stays"), case.state, Action.NONE


def _as_breach(seen: Nothing, state: RuleState, now: datetime) -> Observation:
    since = state.heard_at or now
    reason = f"{seen.reason}: the rule alerts on that"
    return Observation(at=now, breach=True, good=False, reason=reason, since=since, still=True, look_again=seen.look_again)


def _since(case: Case) -> datetime:
    return case.now if isinstance(case.seen, Nothing) else case.seen.since


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _said(stage: str, outcome: Outcome, reason: str, until: datetime | None = None) -> Step:
    return Step(stage, outcome, reason, until)


def _replace(state: RuleState, **changes: object) -> RuleState:
    return msgspec.structs.replace(state, **changes)
