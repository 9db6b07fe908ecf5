"""Carrying out what a person wants of alerts: decided and kept in the transaction of their lane, then audited."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from app.audit import write_audit
from app.context import Context
from app.domain.alert import Alert, AlertEventType, Change
from app.domain.ids import lane_of
from app.domain.memory import end
from app.domain.rule import Rule, RuleState, state_id
from app.domain.tenant import EVERY_TENANT, Scope
from app.errors import ConflictError, ErrorCode, FleetbeatError, NotFoundError
from app.principal import Principal
from app.rules import rules_of
from app.store.mongo import Session, classify
from app.transitions import Writes, transact


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one alert of many, and how it is now; `code` is None where it worked."""

    id: str
    alert: Alert | None
    code: ErrorCode | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Who wants what, of alerts within a scope. `decide` raises where an alert, as it now is, cannot have it."""

    principal: Principal
    scope: Scope
    name: str
    decide: Callable[[Alert, datetime], Change]


@dataclass(frozen=True, slots=True)
class Refusal:
    error: FleetbeatError
    alert: Alert | None


Outcome = Change | Refusal


async def act(context: Context, action: Action, alert_id: str) -> Alert:
    known = await context.store.alerts.get(action.scope, alert_id)
    if known is None:
        raise _unknown(alert_id)
    [outcome] = await _act_in_lane(context, action, [known])
    if isinstance(outcome, Refusal):
        raise outcome.error
    await _audit(context, action, outcome)
    return outcome.after


async def act_on_many(context: Context, action: Action, alert_ids: Sequence[str]) -> list[ActionResult]:
    """One answer for each different id, in the order in which they came."""
    known = await context.store.alerts.get_many(action.scope, list(dict.fromkeys(alert_ids)))
    outcomes: dict[str, Outcome] = {alert_id: Refusal(_unknown(alert_id), None) for alert_id in alert_ids}
    for _, alerts in by_lane(known.values()):
        done = await _try_in_lane(context, action, alerts)
        outcomes |= {alert.id: outcome for alert, outcome in zip(alerts, done, strict=True)}
        await asyncio.gather(*(_audit(context, action, outcome) for outcome in done if isinstance(outcome, Change)))
    return [_result(alert_id, outcome) for alert_id, outcome in outcomes.items()]


async def _try_in_lane(context: Context, action: Action, alerts: Sequence[Alert]) -> Sequence[Outcome]:
    """A lane that cannot be written now does not hurt the others, which may be written already."""
    try:
        return await _act_in_lane(context, action, alerts)
    except Exception as error:
        known = classify(error)
        if known is None:
            raise
        return [Refusal(known, alert) for alert in alerts]


async def _act_in_lane(context: Context, action: Action, alerts: Sequence[Alert]) -> list[Outcome]:
    """One transaction for alerts of one lane, of which each is answered for itself."""
    outcomes: list[Outcome] = []

    async def work(session: Session) -> Writes:
        now = context.clock.now()
        there = await context.store.alerts.get_many(action.scope, [alert.id for alert in alerts], session=session)
        decided = [_decided(action, alert.id, there.get(alert.id), now) for alert in alerts]
        outcomes[:] = [await _unless_taken(context, outcome, session) for outcome in decided]
        changes = [outcome for outcome in outcomes if isinstance(outcome, Change)]
        return Writes(changes=changes, states=await _states_after(context, changes, now, session))

    await transact(context, lane_of(alerts[0].tenant_id), work)
    return outcomes


def _decided(action: Action, alert_id: str, alert: Alert | None, now: datetime) -> Outcome:
    if alert is None:
        return Refusal(_unknown(alert_id), None)
    try:
        return action.decide(alert, now)
    except FleetbeatError as error:
        return Refusal(error, alert)


async def _unless_taken(context: Context, outcome: Outcome, session: Session) -> Outcome:
    """An alert cannot come back where another of the same rule and subject has opened since."""
    if isinstance(outcome, Refusal) or outcome.type is not AlertEventType.REOPENED:
        return outcome
    alert = outcome.after
    live = await context.store.alerts.live(EVERY_TENANT, [(alert.tenant_id, alert.dedup_key)], session=session)
    other = live.get((alert.tenant_id, alert.dedup_key))
    if other is None:
        return outcome
    current: dict[str, object] = {"liveAlertId": other.id, "status": other.status.name, "version": other.version}
    return Refusal(ConflictError(f"alert {other.id} of the same rule and subject is live", current), outcome.before)


async def _states_after(context: Context, changes: Sequence[Change], now: datetime, session: Session) -> list[RuleState]:
    """A person's end of an alert starts the rule's cooldown: what is still bad stays quiet for so long."""
    ended = {_state_id(change.after): change.after for change in changes if change.type is AlertEventType.RESOLVED}
    states = list((await context.store.rule_states.get_many(list(ended), session)).values())
    if not states:
        return []
    rules = await rules_of(context, [(state.tenant_id, state.rule_key) for state in states])
    return [_state_after(rule, state, now) for rule, state in zip(rules, states, strict=True)]


def _state_after(rule: Rule | None, state: RuleState, now: datetime) -> RuleState:
    if rule is not None:
        return end(rule, state, now)
    return RuleState(
        id=state.id,
        tenant_id=state.tenant_id,
        lane=state.lane,
        rule_key=state.rule_key,
        subject_id=state.subject_id,
        subject_kind=state.subject_kind,
        family=state.family,
    )


async def _audit(context: Context, action: Action, change: Change) -> None:
    alert = change.after
    target = f"alert:{alert.id}"
    if change.type is AlertEventType.COMMENTED:
        await write_audit(context, action.principal, alert.tenant_id, action.name, target, None, {"comment": change.reason})
    else:
        await write_audit(context, action.principal, alert.tenant_id, action.name, target, change.before, alert)


def by_lane(alerts: Iterable[Alert]) -> Iterator[tuple[int, list[Alert]]]:
    def lane(alert: Alert) -> int:
        return lane_of(alert.tenant_id)

    for one, group in groupby(sorted(alerts, key=lane), key=lane):
        yield one, list(group)


def _state_id(alert: Alert) -> str:
    return state_id(alert.tenant_id, alert.rule_key, alert.subject_kind, alert.subject_id)


def _result(alert_id: str, outcome: Outcome) -> ActionResult:
    if isinstance(outcome, Change):
        return ActionResult(alert_id, outcome.after)
    return ActionResult(alert_id, outcome.alert, outcome.error.code, outcome.error.message)


def _unknown(alert_id: str) -> NotFoundError:
    return NotFoundError(f"there is no alert {alert_id[:64]!r}")
