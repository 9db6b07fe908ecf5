"""What people do with alerts, one or many at a time."""

from collections.abc import Sequence
from datetime import datetime

from app.acting import Action, ActionResult, act, act_on_many, by_lane
from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, Change, Resolution
from app.domain.tenant import EVERY_TENANT, Role
from app.errors import BadInputError, FieldError
from app.principal import Principal, read_scope
from app.store.mongo import Session
from app.transitions import Writes, transact

MOST_IN_BULK = 500
_LONGEST = {"note": 2_000, "reason": 2_000, "text": 4_000, "assignee": 200}


async def acknowledge_alert(
    context: Context, principal: Principal, alert_id: str, note: str | None, until: datetime | None, version: int | None
) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse([*_bad_text("note", note), *_bad_until(until, context.clock.now())])

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.acknowledge(alert, principal.id, _said(note), until, now)

    return await act(context, Action(principal, scope, "alert.acknowledge", decide), alert_id)


async def unacknowledge_alert(context: Context, principal: Principal, alert_id: str, version: int | None) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.unacknowledge(alert, principal.id, None, now)

    return await act(context, Action(principal, scope, "alert.unacknowledge", decide), alert_id)


async def resolve_alert(
    context: Context, principal: Principal, alert_id: str, reason: str, kind: Resolution, version: int | None
) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse([*_bad_text("reason", reason, needed=True), *_bad_kind(kind)])

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.resolve(alert, principal.id, reason, kind, now)

    return await act(context, Action(principal, scope, "alert.resolve", decide), alert_id)


async def reopen_alert(context: Context, principal: Principal, alert_id: str, reason: str, version: int | None) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse(_bad_text("reason", reason, needed=True))

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.reopen(alert, principal.id, reason, now)

    return await act(context, Action(principal, scope, "alert.reopen", decide), alert_id)


async def assign_alert(context: Context, principal: Principal, alert_id: str, assignee: str | None, version: int | None) -> Alert:
    """To somebody, or with None to nobody."""
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse(_bad_text("assignee", assignee, needed=assignee is not None))

    def decide(alert: Alert, now: datetime) -> Change:
        lifecycle.require_version(alert, version)
        return lifecycle.assign(alert, principal.id, assignee, now)

    return await act(context, Action(principal, scope, "alert.assign", decide), alert_id)


async def comment_alert(context: Context, principal: Principal, alert_id: str, text: str) -> Alert:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse(_bad_text("text", text, needed=True))

    def decide(alert: Alert, now: datetime) -> Change:
        return lifecycle.comment(alert, principal.id, text, now)

    return await act(context, Action(principal, scope, "alert.comment", decide), alert_id)


async def acknowledge_alerts(
    context: Context, principal: Principal, alert_ids: Sequence[str], note: str | None
) -> list[ActionResult]:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse([*_too_many(alert_ids), *_bad_text("note", note)])

    def decide(alert: Alert, now: datetime) -> Change:
        return lifecycle.acknowledge(alert, principal.id, _said(note), None, now)

    return await act_on_many(context, Action(principal, scope, "alert.acknowledge", decide), alert_ids)


async def resolve_alerts(
    context: Context, principal: Principal, alert_ids: Sequence[str], reason: str, kind: Resolution
) -> list[ActionResult]:
    scope = read_scope(principal, None, Role.OPERATOR)
    _refuse([*_too_many(alert_ids), *_bad_text("reason", reason, needed=True), *_bad_kind(kind)])

    def decide(alert: Alert, now: datetime) -> Change:
        return lifecycle.resolve(alert, principal.id, reason, kind, now)

    return await act_on_many(context, Action(principal, scope, "alert.resolve", decide), alert_ids)


async def expire_acknowledgements(context: Context, now: datetime) -> int:
    """Opens again what was acknowledged until a time that has come; how many."""
    due = await context.store.alert_lists.acknowledged_until(now)
    return sum([await _expire(context, lane, [alert.id for alert in alerts], now) for lane, alerts in by_lane(due)])


async def _expire(context: Context, lane: int, alert_ids: Sequence[str], now: datetime) -> int:
    async def work(session: Session) -> Writes:
        there = await context.store.alerts.get_many(EVERY_TENANT, alert_ids, session=session)
        # Looked at again inside: somebody may have acted on it since.
        due = [alert for alert in there.values() if alert.acknowledged_at and alert.live and _is_over(alert, now)]
        return Writes(changes=[lifecycle.unacknowledge(alert, None, "the acknowledgement has run out", now) for alert in due])

    return len(await transact(context, lane, work))


def _is_over(alert: Alert, now: datetime) -> bool:
    return alert.acknowledged_until is not None and alert.acknowledged_until <= now


def _said(note: str | None) -> str | None:
    """A form that was left empty says nothing."""
    return note if note and note.strip() else None


def _bad_text(name: str, text: str | None, *, needed: bool = False) -> list[FieldError]:
    if needed and not (text or "").strip():
        return [FieldError(name, "must not be blank")]
    if text is not None and len(text) > _LONGEST[name]:
        return [FieldError(name, f"has {len(text)} characters; at most {_LONGEST[name]}")]
    return []


def _bad_until(until: datetime | None, now: datetime) -> list[FieldError]:
    return [FieldError("until", "must be in the future")] if until is not None and until <= now else []


def _bad_kind(kind: Resolution) -> list[FieldError]:
    if kind in lifecycle.PERSON_RESOLUTIONS:
        return []
    return [FieldError("kind", f"is {kind.name}; a person may say MANUAL or FALSE_POSITIVE")]


def _too_many(alert_ids: Sequence[str]) -> list[FieldError]:
    count = len(set(alert_ids))
    return [FieldError("ids", f"has {count}; at most {MOST_IN_BULK}")] if count > MOST_IN_BULK else []


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        raise BadInputError(errors)
