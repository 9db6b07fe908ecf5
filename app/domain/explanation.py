"""Why a rule does what it does, stage by stage, and what comes next. Pure.

Every reason names the figure, its bound and the time. What a stage says of itself is the beginning; what it looked at is added.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from app.domain.alert import Alert
from app.domain.audience import Audience, words_for
from app.domain.conditions.observation import Observation, Seen
from app.domain.device import Device
from app.domain.memory import HOUR
from app.domain.rule import MetricCondition, RatioCondition, Rule, RuleState
from app.domain.stages import Around, Outcome, Step, Verdict
from app.domain.subject import Subject

Detail = dict[str, object]


class ExplanationStep(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: when, by which stage, what it was and why; `detail` has its figures for programs."""

    at: datetime
    stage: str
    outcome: str
    reason: str
    detail: Detail | None = None


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What happens at `at`, if nothing else does before."""

    at: datetime
    what: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    summary: str
    steps: tuple[ExplanationStep, ...]
    next: tuple[PlannedStep, ...]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look of a rule at a subject: what it remembered, what it saw, and what the stages made of it; where that is an alert, who
    would hear of it."""

    rule: Rule
    subject: Subject
    device: Device | None
    state: RuleState
    seen: Seen
    live: Alert | None
    now: datetime
    around: Around
    verdict: Verdict
    audience: Audience | None = None


def why_not_in_scope(rule: Rule, device: Device) -> str | None:
    """Which of the rule's lists a device is not on; None where the rule is for it."""
    missing = [f"{found} is not among {', '.join(listed)}" for found, listed, fits in _scope_of(rule, device) if not fits]
    return "; ".join(missing) or None


def why_in_scope(rule: Rule, device: Device) -> str:
    there = [f"{found} is among {', '.join(listed)}" for found, listed, _ in _scope_of(rule, device)]
    return (
        "; ".join(there) or f"the rule names no stores, devices, kinds or tags: it is for {device.device_id} as for every device"
    )


def why_excluded(rule: Rule, device: Device) -> str | None:
    """Why a rule does not look at a device at all; None where it does."""
    if not rule.enabled:
        by = f" by {rule.updated_by}" if rule.updated_by else ""
        return f"the rule is switched off: version {rule.version}, changed on {clock(rule.updated_at)}{by}"
    if device.retired_at is not None:
        return f"device {device.device_id} was retired on {clock(device.retired_at)}"
    return why_not_in_scope(rule, device)


def explain_look(look: Look) -> Explanation:
    """Every stage that was asked, the last of which decided, and what comes next."""
    steps = tuple(_explained(look, step) for step in look.verdict.steps)
    return Explanation(
        summary=_summary(look, steps[-1]),
        steps=steps,
        next=tuple(planned(look.rule, look.verdict.state, look.live, look.now, look.around.silent_after)),
    )


def planned(
    rule: Rule, state: RuleState | None, live: Alert | None, now: datetime, silent_after: int | None = None
) -> list[PlannedStep]:
    """What time alone will bring, soonest first."""
    steps = [] if state is None else _of_state(rule, state, silent_after)
    if live is not None and live.live:
        if live.acknowledged_until is not None:
            who = live.acknowledged_by or "somebody"
            steps.append((live.acknowledged_until, f"the acknowledgement by {who} runs out: the alert is OPEN again"))
        repeat = (live.repeated_at or live.first_seen) + HOUR
        steps.append((repeat, "if it is still bad then, it is told again: once in 3600 s"))
    return [PlannedStep(at=at, what=what) for at, what in sorted(steps) if at > now]


def _of_state(rule: Rule, state: RuleState, silent_after: int | None) -> list[tuple[datetime, str]]:
    steps: list[tuple[datetime, str]] = []
    if state.pending_since is not None and not state.firing:
        ripe = state.pending_since + timedelta(seconds=rule.for_sec)
        steps.append((ripe, f"bad for {rule.for_sec} s then, since {clock(state.pending_since)}: it fires if it is still bad"))
    if state.good_since is not None and state.firing and rule.auto_resolve:
        ripe = state.good_since + timedelta(seconds=rule.keep_firing_sec)
        steps.append(
            (ripe, f"good for {rule.keep_firing_sec} s then, since {clock(state.good_since)}: the alert ends if it still is")
        )
    if state.cooldown_until is not None:
        steps.append((state.cooldown_until, f"the cooldown of {rule.cooldown_sec} s is over: it may fire again"))
    if state.heard_at is not None and silent_after is not None:
        at = state.heard_at + timedelta(seconds=silent_after)
        what = {"resolve": "an alert ends", "alert": "it counts as bad"}.get(rule.no_data.value, "all stays")
        steps.append((at, f"if no value comes by then, {silent_after} s after {clock(state.heard_at)}: {what}"))
    if state.watch_until is not None:
        steps.append((state.watch_until, "its window has moved on: it is looked at again"))
    known = {at for at, _ in steps}
    if state.flapping and state.next_due is not None and state.next_due not in known:
        steps.append((state.next_due, "it is calm again, under 25 % of changes, if nothing changes until then"))
    return steps


def clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _summary(look: Look, last: ExplanationStep) -> str:
    name = f"{look.rule.name} on {look.subject.name}"
    if look.live is not None and look.verdict.state.firing:
        return f"{name} fires since {clock(look.live.first_seen)}: {look.verdict.steps[1].reason}"
    if last.stage == "route":
        return f"{name} fires at its next look: {look.verdict.steps[1].reason}"
    verb = "waits" if last.outcome == Outcome.WAIT.name else "does not fire"
    return f"{name} {verb} at {last.stage}: {last.reason}"


def _explained(look: Look, step: Step) -> ExplanationStep:
    more, detail = _MORE[step.stage](look, step)
    until = "" if step.until is None else f", until {clock(step.until)}"
    figures = {name: value for name, value in (*detail.items(), ("until", step.until)) if value is not None}
    plain: Detail = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in figures.items()}
    return ExplanationStep(
        at=look.now, stage=step.stage, outcome=step.outcome.name, reason=f"{more}{until}", detail=plain or None
    )


More = Callable[[Look, Step], tuple[str, Detail]]


def _scope(look: Look, step: Step) -> tuple[str, Detail]:
    found = step.reason
    if step.outcome is Outcome.PASS:
        found = why_in_scope(look.rule, look.device) if look.device is not None else f"the rule is for {look.subject.name}"
    return f"{found}, at {clock(look.now)}", {"subject": look.subject.id}


def _breach(look: Look, step: Step) -> tuple[str, Detail]:
    seen = look.seen
    detail: Detail = {}
    heard = "" if look.state.heard_at is None else f", last heard of on {clock(look.state.heard_at)}"
    reason = f"{step.reason}{heard}, as of {clock(look.now)}"
    if isinstance(seen, Observation):
        detail = {"value": seen.value, "threshold": seen.threshold, "unit": seen.unit, "since": seen.since}
        reason = f"{step.reason}, since {clock(seen.since)}"
        condition = look.rule.condition
        recovers = condition.recovery_threshold if isinstance(condition, MetricCondition | RatioCondition) else None
        if recovers is not None and _fires(look) and not seen.breach and not seen.good:
            detail["recoveryThreshold"] = recovers
            reason += f"; it ends at {recovers:g}"
    return reason, detail


def _pending(look: Look, step: Step) -> tuple[str, Detail]:
    since = look.verdict.first_seen
    detail: Detail = {"forSec": look.rule.for_sec, "since": since}
    if _fires(look):
        return f"it fires already, and waited for {look.rule.for_sec} s, at {clock(look.now)}", detail
    if look.rule.for_sec == 0:
        return f"forSec is 0: it has to be bad for 0 s, at {clock(look.now)}", detail
    return f"{step.reason}, since {clock(since)}", detail


def _dedup(look: Look, step: Step) -> tuple[str, Detail]:
    if look.live is None:
        return f"no live alert of {look.rule.key} on {look.subject.id}, at {clock(look.now)}", {"liveAlertId": None}
    return f"{step.reason}, and is {look.live.status.name}", {"liveAlertId": look.live.id, "since": look.live.first_seen}


def _cooldown(look: Look, step: Step) -> tuple[str, Detail]:
    detail: Detail = {"cooldownSec": look.rule.cooldown_sec}
    if step.outcome is Outcome.PASS:
        return f"no cooldown of {look.rule.cooldown_sec} s is running, at {clock(look.now)}", detail
    return step.reason, detail


def _rate(look: Look, step: Step) -> tuple[str, Detail]:
    opened = [at for at in look.state.opened if look.now - at < HOUR]
    detail: Detail = {"maxAlertsPerHour": look.around.most_per_hour, "opened": len(opened)}
    return f"{step.reason}, counted since {clock(look.now - HOUR)}", detail


def _suppress(look: Look, step: Step) -> tuple[str, Detail]:
    return f"{step.reason}, at {clock(look.now)}", {"muted": step.outcome is Outcome.MUTE}


def _route(look: Look, step: Step) -> tuple[str, Detail]:
    detail: Detail = {"severity": look.rule.severity.name}
    told = look.audience
    if told is None:
        return f"{step.reason}, at {clock(look.now)}", detail
    if look.verdict.muted is not None:
        return f"{step.reason}, at {clock(look.now)}, and nobody is told: {look.verdict.muted}", detail
    detail |= {"channels": list(told.channels), "people": told.people, "later": told.later}
    return f"{step.reason}, at {clock(look.now)}, and tells {words_for(told)}", detail


_MORE: dict[str, More] = {
    "scope": _scope,
    "breach": _breach,
    "pending": _pending,
    "dedup": _dedup,
    "cooldown": _cooldown,
    "rate": _rate,
    "suppress": _suppress,
    "route": _route,
}


def _scope_of(rule: Rule, device: Device) -> list[tuple[str, tuple[str, ...], bool]]:
    """What the device has, the list of the rule that it has to be on, and whether it is; for each list that is not empty."""
    scope = rule.scope
    single = [
        ("device", device.device_id, scope.device_ids),
        ("store", device.store_id, scope.store_ids),
        ("kind", device.kind, scope.kinds),
    ]
    found = [(f"{name} {value or '(none)'}", listed, value in listed) for name, value, listed in single if listed]
    if scope.tags:
        tags = ", ".join(device.tags) or "(none)"
        found.append((f"tag {tags}", scope.tags, any(tag in scope.tags for tag in device.tags)))
    return found


def _fires(look: Look) -> bool:
    return look.state.firing and look.live is not None
