"""What is to be told of transitions, written in their transaction."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import msgspec

from app.context import Context
from app.domain.alert import AlertEvent
from app.domain.delivery import Delivery, Line, standing
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
    past = await _past(context, some, session) if some else {}
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
    return named, written


def _named(event: AlertEvent, mine: Sequence[Delivery]) -> AlertEvent:
    nobody = why_nobody(event, mine)
    told = [one.recipient for one in mine if one.next_attempt_at is not None]
    more: dict[str, object] = {"told": told} if nobody is None else {"told": [], "nobody": nobody}
    return msgspec.structs.replace(event, detail={**(event.detail or {}), **more})


async def _past(context: Context, told: Sequence[AlertEvent], session: Session) -> dict[Line, Delivery]:
    tenants = Scope(frozenset(event.tenant_id for event in told))
    known = await context.store.deliveries.of_alerts(tenants, {event.alert_id for event in told}, session)
    past: dict[Line, Delivery] = {}
    for one in (one for many in known.values() for one in many):
        past[one.line] = standing(past.get(one.line), one)
    return past


async def _rules(context: Context, told: Sequence[AlertEvent], session: Session) -> dict[tuple[str, str], Rule]:
    """The rules of these events as they hold for each tenant."""
    tenant_ids: Collection[str] = {event.tenant_id for event in told}
    keys = {event.alert.rule_key for event in told}
    found = await context.store.rules.applying(tenant_ids, keys, session)
    platform = {rule.key: rule for rule in found if rule.tenant_id is None}
    own = {(rule.tenant_id, rule.key): rule for rule in found if rule.tenant_id is not None}
    asked = [(tenant_id, key) for tenant_id in tenant_ids for key in keys]
    return {pair: rule for pair in asked if (rule := own.get(pair) or platform.get(pair[1])) is not None}
