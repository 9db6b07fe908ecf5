"""Alerts: reading them, and what people do with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from app.audit import write_audit
from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, AlertEvent, Change, Resolution
from app.domain.alert_filter import AlertFilter
from app.domain.cursor import StreamCursor, write_cursor
from app.domain.ids import LANES, lane_of
from app.domain.page import Page, decode_keyset, encode_keyset, require_first
from app.domain.rule import Rule, RuleState, state_id
from app.domain.stages import end
from app.domain.tenant import EVERY_TENANT, Role, Scope, only
from app.errors import BadInputError, ConflictError, ErrorCode, FieldError, FleetbeatError, NotFoundError, bad_field
from app.principal import Principal, read_scope
from app.rules import rules_of
from app.store.alert_lists import AlertOrder, Place, place_of
from app.store.mongo import Session
from app.transitions import Writes, transact

MOST_IN_BULK = 500
_LONGEST = {"note": 2_000, "reason": 2_000, "text": 4_000, "assignee": 200}

Decide = Callable[[Alert, datetime], Change]
"""What a person wants of an alert as it now is; raises where it cannot be had."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one alert of many; `code` is None where it worked."""

    id: str
    alert: Alert | None
    code: ErrorCode | None = None
    message: str | None = None


async def get_alert(context: Context, principal: Principal, alert_id: str) -> Alert | None:
    return await context.store.alerts.get(read_scope(principal, None), alert_id)


async def list_alerts(
    context: Context, principal: Principal, chosen: AlertFilter, order: AlertOrder, first: int, after: str | None
) -> Page[Alert]:
    scope = read_scope(principal, chosen.tenant_id)
    require_first(first)
    found = await context.store.alert_lists.page(scope, chosen, order, _place(after, order), first + 1)
    shown = found[:first]
    return Page(shown, len(found) > first, [encode_keyset(*place_of(alert, order)) for alert in shown])


async def count_alerts(context: Context, principal: Principal, chosen: AlertFilter) -> int:
    return await context.store.alert_lists.count(read_scope(principal, chosen.tenant_id), chosen)


async def alert_facets(context: Context, principal: Principal, chosen: AlertFilter) -> dict[str, list[tuple[str, int]]]:
    return await context.store.alert_lists.facets(read_scope(principal, chosen.tenant_id), chosen)


async def stream_cursor(context: Context, principal: Principal) -> str:
    """Where the streams of the caller's lanes now are. Read before a list, nothing between is missed."""
    scope = read_scope(principal, None)
    positions = await context.store.events.positions()
    mine = {lane: seq for lane, seq in positions.items() if lane in lanes_of(scope)}
    issued = int(context.clock.now().timestamp() * 1000)
    return write_cursor(StreamCursor(await context.store.events.epoch(), issued, mine))


def lanes_of(scope: Scope) -> frozenset[int]:
    """The lanes in which a caller's tenants live."""
    if scope.tenant_ids is None:
        return frozenset(range(LANES))
    return frozenset(lane_of(tenant_id) for tenant_id in scope.tenant_ids)


async def timeline(context: Context, alert: Alert, first: int) -> list[AlertEvent]:
    """The events of an alert that the caller has already been given, newest first."""
    require_first(first, 1_000)
    return await context.store.events.timeline(only(alert.tenant_id), alert.id, first)


async def acknowledge_alert(
    context: Context, principal: Principal, alert_id: str, note: str | None, until: datetime | None, version: int | None
) -> Alert:
    _check(note=note)

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.acknowledge(alert, principal.id, note, until, now)

    return await _act(context, principal, alert_id, "alert.acknowledge", decide)


async def unacknowledge_alert(context: Context, principal: Principal, alert_id: str, version: int | None) -> Alert:
    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.unacknowledge(alert, principal.id, None, now)

    return await _act(context, principal, alert_id, "alert.unacknowledge", decide)


async def resolve_alert(
    context: Context, principal: Principal, alert_id: str, reason: str, kind: Resolution, version: int | None
) -> Alert:
    _check_resolution(reason, kind)

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.resolve(alert, principal.id, reason, kind, now)

    return await _act(context, principal, alert_id, "alert.resolve", decide)


async def reopen_alert(context: Context, principal: Principal, alert_id: str, reason: str, version: int | None) -> Alert:
    _check(reason=reason)

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.reopen(alert, principal.id, reason, now)

    return await _act(context, principal, alert_id, "alert.reopen", decide)


async def assign_alert(context: Context, principal: Principal, alert_id: str, assignee: str | None, version: int | None) -> Alert:
    _check(assignee=assignee)

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.assign(alert, principal.id, assignee, now)

    return await _act(context, principal, alert_id, "alert.assign", decide)


async def comment_alert(context: Context, principal: Principal, alert_id: str, text: str) -> Alert:
    _check(text=text)
    return await _act(context, principal, alert_id, "alert.comment", lambda alert, now: lifecycle.comment(alert, principal.id, text, now))


async def acknowledge_alerts(context: Context, principal: Principal, alert_ids: Sequence[str], note: str | None) -> list[ActionResult]:
    _check(note=note)
    return await _act_on_many(
        context,
        principal,
        alert_ids,
        "alert.acknowledge",
        lambda alert, now: lifecycle.acknowledge(alert, principal.id, note, None, now),
    )


async def resolve_alerts(
    context: Context, principal: Principal, alert_ids: Sequence[str], reason: str, kind: Resolution
) -> list[ActionResult]:
    _check_resolution(reason, kind)
    return await _act_on_many(
        context, principal, alert_ids, "alert.resolve", lambda alert, now: lifecycle.resolve(alert, principal.id, reason, kind, now)
    )


async def expire_acknowledgements(context: Context, now: datetime) -> int:
    """Opens again what was acknowledged until a time that has come; how many."""
    due = await context.store.alert_lists.acknowledged_until(now)
    for alert in due:

        async def work(session: Session, alert_id: str = alert.id) -> Writes:
            there = await context.store.alerts.get(EVERY_TENANT, alert_id, session=session)
            # Looked at again inside: somebody may have acted on it since.
            if there is None or there.acknowledged_until is None or there.acknowledged_until > now or not there.live:
                return Writes()
            return Writes(changes=[lifecycle.unacknowledge(there, None, "the acknowledgement has run out", now)])

        await transact(context, lane_of(alert.tenant_id), work)
    return len(due)


async def _act(context: Context, principal: Principal, alert_id: str, action: str, decide: Decide) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)
    known = await context.store.alerts.get(scope, alert_id)
    if known is None:
        raise _unknown(alert_id)
    [outcome] = await _act_in_lane(context, scope, [known], decide)
    if isinstance(outcome, FleetbeatError):
        raise outcome
    await write_audit(context, principal, outcome.after.tenant_id, action, alert_id, outcome.before, outcome.after)
    return outcome.after


async def _act_on_many(
    context: Context, principal: Principal, alert_ids: Sequence[str], action: str, decide: Decide
) -> list[ActionResult]:
    scope = read_scope(principal, None, Role.OPERATOR)
    wanted = list(dict.fromkeys(alert_ids))
    if len(wanted) > MOST_IN_BULK:
        raise bad_field("ids", f"has {len(wanted)}; at most {MOST_IN_BULK}")
    known = await context.store.alerts.get_many(scope, wanted)
    outcomes: dict[str, Change | FleetbeatError] = {alert_id: _unknown(alert_id) for alert_id in wanted if alert_id not in known}
    by_lane = sorted(known.values(), key=lambda alert: lane_of(alert.tenant_id))
    for _, grouped in groupby(by_lane, key=lambda alert: lane_of(alert.tenant_id)):
        group = list(grouped)
        done = await _act_in_lane(context, scope, group, decide)
        outcomes |= {alert.id: outcome for alert, outcome in zip(group, done, strict=True)}
    for outcome in outcomes.values():
        if isinstance(outcome, Change):
            await write_audit(context, principal, outcome.after.tenant_id, action, outcome.after.id, outcome.before, outcome.after)
    return [_result(alert_id, outcomes[alert_id], known.get(alert_id)) for alert_id in wanted]


async def _act_in_lane(
    context: Context, scope: Scope, alerts: Sequence[Alert], decide: Decide
) -> list[Change | FleetbeatError]:
    """One transaction for alerts of one lane; what fails for one does not hurt the others."""
    rules = dict(zip([alert.id for alert in alerts], await rules_of(context, [(a.tenant_id, a.rule_key) for a in alerts]), strict=True))
    outcomes: list[Change | FleetbeatError] = []

    async def work(session: Session) -> Writes:
        outcomes.clear()
        now = context.clock.now()
        there = await context.store.alerts.get_many(scope, [alert.id for alert in alerts], session=session)
        states = await context.store.rule_states.get_many([_state_id(alert) for alert in alerts], session)
        live = await context.store.alerts.live(scope, [(alert.tenant_id, alert.dedup_key) for alert in alerts], session=session)
        writes = Writes()
        for alert in alerts:
            outcome = _decided(there.get(alert.id), alert.id, live, decide, now)
            outcomes.append(outcome)
            if isinstance(outcome, Change):
                live |= {(alert.tenant_id, alert.dedup_key): outcome.after} if outcome.after.live else {}
                writes.changes.append(outcome)
                writes.states.extend(_ended(outcome, rules[alert.id], states.get(_state_id(alert)), now))
        return writes

    await transact(context, lane_of(alerts[0].tenant_id), work)
    return outcomes


def _decided(
    alert: Alert | None, alert_id: str, live: dict[tuple[str, str], Alert], decide: Decide, now: datetime
) -> Change | FleetbeatError:
    if alert is None:
        return _unknown(alert_id)
    try:
        change = decide(alert, now)
    except FleetbeatError as error:
        return error
    other = live.get((alert.tenant_id, alert.dedup_key))
    if change.after.live and other is not None and other.id != alert.id:
        return ConflictError(f"alert {other.id} of the same rule and subject is live", {"liveAlertId": other.id})
    return change


def _ended(change: Change, rule: Rule | None, state: RuleState | None, now: datetime) -> list[RuleState]:
    """A person's end of an alert starts the rule's cooldown: what is still bad stays quiet for so long."""
    if state is None or rule is None or change.after.live or change.before is None or not change.before.live:
        return []
    return [end(rule, state, now)]


def _state_id(alert: Alert) -> str:
    return state_id(alert.tenant_id, alert.rule_key, alert.subject_id)


def _result(alert_id: str, outcome: Change | FleetbeatError, known: Alert | None) -> ActionResult:
    if isinstance(outcome, Change):
        return ActionResult(alert_id, outcome.after)
    return ActionResult(alert_id, known, outcome.code, outcome.message)


def _unknown(alert_id: str) -> NotFoundError:
    return NotFoundError(f"there is no alert {alert_id[:64]!r}")


def _check_resolution(reason: str, kind: Resolution) -> None:
    _check(reason=reason)
    if kind not in lifecycle.PERSON_RESOLUTIONS:
        raise bad_field("kind", f"is {kind.name}; a person may say MANUAL or FALSE_POSITIVE")


def _check(**texts: str | None) -> None:
    errors = []
    for name, text in texts.items():
        if text is not None and not text.strip():
            errors.append(FieldError(name, "must not be blank"))
        if text is not None and len(text) > _LONGEST[name]:
            errors.append(FieldError(name, f"has {len(text)} characters; at most {_LONGEST[name]}"))
    if errors:
        raise BadInputError(errors)


def _place(after: str | None, order: AlertOrder) -> Place | None:
    if after is None:
        return None
    match order, decode_keyset(after):
        case AlertOrder.SEVERITY, [int(rank), int(at), str(alert_id)] if _is_time(at):
            return [rank, at, alert_id]
        case (AlertOrder.NEWEST | AlertOrder.OLDEST), [int(at), str(alert_id)] if _is_time(at):
            return [at, alert_id]
    raise bad_field("after", "is not a cursor of this list in this order")


def _is_time(milliseconds: int) -> bool:
    return 0 <= milliseconds < 253_402_300_800_000
