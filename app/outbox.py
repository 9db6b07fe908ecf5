"""What is to be told of transitions, written in their transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from app.context import Context
from app.domain.alert import AlertEvent
from app.domain.delivery import Delivery, Line, let_out, standing
from app.domain.rule import Rule
from app.domain.telling import BEGINS, TOLD, tellings, why_nobody
from app.domain.tenant import Scope
from app.recipients import books_of
from app.store.mongo import Session


async def tell_of(context: Context, events: Sequence[AlertEvent], session: Session) -> tuple[list[AlertEvent], list[Delivery]]:
    """The deliveries that these events cause, and the events with the names of those who are told of a beginning."""
    told = [event for event in events if event.type in TOLD]
    if not told:
        return list(events), []
    books = await books_of(context, sorted({event.tenant_id for event in told}), session)
    some = [event for event in told if books[event.tenant_id].shared or books[event.tenant_id].people]
    known = await _known(context, some, session) if some else {}
    past: dict[Line, Delivery] = {}
    for one in (one for line in known.values() for one in line):
        past[one.line] = standing(past.get(one.line), one)
    rules = await _rules(context, some, session) if some else {}
    keep = timedelta(days=context.settings.event_retention_days)
    now, written, named = context.clock.now(), list[Delivery](), list[AlertEvent]()
    for event in events:
        mine: list[Delivery] = []
        if event.type in TOLD:
            book, rule = books[event.tenant_id], rules.get((event.tenant_id, event.alert.rule_key))
            # One after the other: an alert may open and end in one transaction.
            mine = list(tellings(event, book, rule, past, now, keep))
            past.update({one.line: standing(past.get(one.line), one) for one in mine})
            written += mine
        named.append(_named(event, mine) if event.type in BEGINS else event)
    await context.store.deliveries.write(_let_out(written, known, now), session)
    return named, written


def _named(event: AlertEvent, mine: Sequence[Delivery]) -> AlertEvent:
    nobody = why_nobody(event, mine)
    told = [one.recipient for one in mine if one.next_attempt_at is not None]
    more: dict[str, object] = {"told": told} if nobody is None else {"told": [], "nobody": nobody}
    return msgspec.structs.replace(event, detail={**(event.detail or {}), **more})


async def _known(context: Context, told: Sequence[AlertEvent], session: Session) -> dict[Line, list[Delivery]]:
    """What was told of these alerts, each line in its order."""
    tenants = Scope(frozenset(event.tenant_id for event in told))
    found = await context.store.deliveries.of_alerts(tenants, {event.alert_id for event in told}, session)
    lines: dict[Line, list[Delivery]] = {}
    for one in (one for many in found.values() for one in many):
        lines.setdefault(one.line, []).append(one)
    return lines


def _let_out(written: Sequence[Delivery], known: Mapping[Line, Sequence[Delivery]], now: datetime) -> list[Delivery]:
    """What was held before something that is not: an alert that got critical in the night does not wait for its beginning."""
    at_once = {
        one.line for one in written if not (one.is_finished or one.ends) and one.next_attempt_at is None and one.held is None
    }
    return [one for line in at_once for one in let_out(known.get(line, ()), now)]


async def _rules(context: Context, told: Sequence[AlertEvent], session: Session) -> dict[tuple[str, str], Rule]:
    """The rules of these events as they hold for each tenant."""
    tenant_ids: Collection[str] = {event.tenant_id for event in told}
    keys = {event.alert.rule_key for event in told}
    found = await context.store.rules.applying(tenant_ids, keys, session)
    platform = {rule.key: rule for rule in found if rule.tenant_id is None}
    own = {(rule.tenant_id, rule.key): rule for rule in found if rule.tenant_id is not None}
    asked = [(tenant_id, key) for tenant_id in tenant_ids for key in keys]
    return {pair: rule for pair in asked if (rule := own.get(pair) or platform.get(pair[1])) is not None}
