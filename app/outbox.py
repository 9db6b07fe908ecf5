"""What is to be told of transitions, written in their transaction."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from app.context import Context
from app.domain.alert import AlertEvent
from app.domain.delivery import Delivery, follow
from app.domain.rule import Rule
from app.domain.telling import TOLD, tellings
from app.domain.tenant import Scope
from app.store.mongo import Session


async def write_tellings(context: Context, events: Sequence[AlertEvent], session: Session) -> list[Delivery]:
    """Writes a delivery for each enabled channel, to be sent or with the reason why not."""
    told = [event for event in events if event.type in TOLD]
    if not told:
        return []
    tenants = Scope(frozenset(event.tenant_id for event in told))
    channels = await context.store.channels.enabled(tenants, session)
    mine = {channel.tenant_id for channel in channels}
    told = [event for event in told if event.tenant_id in mine]
    if not told:
        return []
    past = await _past(context, told, session)
    rules = await _rules(context, mine, {event.alert.rule_key for event in told}, session)
    keep = timedelta(days=context.settings.event_retention_days)
    now, written = context.clock.now(), list[Delivery]()
    for event in told:
        of_tenant = [channel for channel in channels if channel.tenant_id == event.tenant_id]
        rule = rules.get((event.tenant_id, event.alert.rule_key))
        # One after the other: an alert may open and end in one transaction.
        for delivery in list(tellings(event, of_tenant, rule, past, now, keep)):
            past[event.alert_id, delivery.channel_id] = delivery
            written.append(delivery)
    await context.store.deliveries.insert(written, session)
    return written


async def write_outcomes(context: Context, finished: Sequence[Delivery], session: Session) -> None:
    """Writes deliveries that have come to their end, and lets go what waited for them."""
    alerts = {one.alert_id for one in finished if one.alert_id is not None}
    tenants = Scope(frozenset(one.tenant_id for one in finished))
    known = await context.store.deliveries.of_alerts(tenants, alerts, session) if alerts else {}
    changed: list[Delivery] = list(finished)
    for one in finished:
        before = one
        for later in known.get(one.alert_id or "", []):
            if later.channel_id != one.channel_id or later.seq <= one.seq or later.is_finished:
                continue
            before = follow(before, later, context.clock.now())
            changed.append(before)
            if not before.is_finished:
                break
    await context.store.deliveries.write(changed, session)


async def _past(context: Context, told: Sequence[AlertEvent], session: Session) -> dict[tuple[str, str], Delivery]:
    tenants = Scope(frozenset(event.tenant_id for event in told))
    known = await context.store.deliveries.of_alerts(tenants, {event.alert_id for event in told}, session)
    return {(alert_id, one.channel_id): one for alert_id, many in known.items() for one in many}


async def _rules(
    context: Context, tenant_ids: Collection[str], keys: Collection[str], session: Session
) -> dict[tuple[str, str], Rule]:
    """The rules of these keys as they hold for each tenant."""
    found = await context.store.rules.applying(tenant_ids, keys, session)
    platform = {rule.key: rule for rule in found if rule.tenant_id is None}
    own = {(rule.tenant_id, rule.key): rule for rule in found if rule.tenant_id is not None}
    asked = [(tenant_id, key) for tenant_id in tenant_ids for key in keys]
    return {pair: rule for pair in asked if (rule := own.get(pair) or platform.get(pair[1])) is not None}
