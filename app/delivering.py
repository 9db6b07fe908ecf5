"""Sending one delivery: taken by one, checked again, sent, and its outcome kept with the alert's record."""

import random
from uuid import uuid4

import structlog

from app.channels.ways import Ways
from app.context import Context
from app.delivery_counts import count_outcome
from app.domain.alert import AlertEvent, AlertEventType, Change
from app.domain.channel import Channel
from app.domain.delivery import Delivery, DeliveryStatus, Outcome, TryAgain, after
from app.domain.ids import device_key
from app.domain.message import Message, Note
from app.domain.subject import SubjectKind
from app.domain.telling import before_sending
from app.domain.tenant import only
from app.sealing import UnreadableError, unseal
from app.store.mongo import Session
from app.transitions import Writes, transact

_TOLD_ON_TIMELINE = {DeliveryStatus.SENT: AlertEventType.NOTIFIED, DeliveryStatus.DEAD: AlertEventType.DELIVERY_DEAD}
_log = structlog.get_logger(__name__)


async def deliver_one(context: Context, ways: Ways, delivery: Delivery) -> bool:
    """Tries a delivery that is due; False where another was faster."""
    lease = uuid4().hex
    claimed = await context.store.deliveries.claim(delivery, lease, context.clock.now())
    if claimed is None:
        return False
    scope = only(claimed.tenant_id)
    channel = await context.store.channels.get(scope, claimed.channel_id)
    alert = None if claimed.alert_id is None else await context.store.alerts.get(scope, claimed.alert_id)
    outcome: Outcome | None = before_sending(claimed, alert, channel, context.clock.now())
    if outcome is None and channel is not None:
        outcome = await _send(context, ways, channel, claimed)
    if outcome is None:
        raise RuntimeError("a delivery without a channel is skipped")
    done = after(claimed, outcome, random.random(), context.clock.now())  # noqa: S311 - it spreads load, it hides nothing
    kept = await _keep(context, done, lease)
    await _note(context, done)
    count_outcome(channel, done)
    _log.info(
        "delivery.tried",
        tenant=done.tenant_id,
        delivery=done.id,
        channel=done.channel_id,
        status=done.status.name,
        attempts=done.attempts,
        error=done.error,
        reason=done.skipped_because,
        kept=kept,
    )
    return True


async def _send(context: Context, ways: Ways, channel: Channel, delivery: Delivery) -> Outcome:
    try:
        config = unseal(context.settings, channel.sealed)
    except UnreadableError:
        return TryAgain("the channel's secret was sealed with another SECRETS_KEY")
    return await ways[channel.kind].send(config, await _message(context, channel, delivery))


async def _message(context: Context, channel: Channel, delivery: Delivery) -> Message:
    event = None if delivery.alert_id is None else await context.store.events.at(delivery.lane, delivery.seq)
    return Message(
        id=delivery.id,
        tenant_id=delivery.tenant_id,
        tenant_name=delivery.tenant_id,
        timezone="UTC",
        now=context.clock.now(),
        channel_name=channel.name,
        notes=() if event is None else (await _note_of(context, delivery, event),),
    )


async def _note_of(context: Context, delivery: Delivery, event: AlertEvent) -> Note:
    alert, device = event.alert, None
    if alert.subject_kind is SubjectKind.DEVICE:
        key = device_key(alert.tenant_id, alert.subject_id)
        device = (await context.store.devices.get_many(only(alert.tenant_id), [key])).get(key)
    url = f"{context.settings.public_url}/alerts/{alert.id}"
    return Note(event=delivery.event, type=event.type, at=event.at, alert=alert, url=url, device=device)


async def _keep(context: Context, done: Delivery, lease: str) -> bool:
    """Whether the outcome was ours to keep. An end is written with the alert's record, and lets go what waited for it."""
    if done.alert_id is None or not done.is_finished:
        return await context.store.deliveries.settle(done, lease)
    alert_id, written = done.alert_id, list[bool]()

    async def work(session: Session) -> Writes:
        scope = only(done.tenant_id)
        there = await context.store.deliveries.get(scope, done.id, session)
        written[:] = [there is not None and there.lease == lease]
        if written == [False]:
            return Writes()
        alert = await context.store.alerts.get(scope, alert_id, session=session)
        kind = _TOLD_ON_TIMELINE.get(done.status)
        if alert is None or kind is None:
            return Writes(outcomes=[done])
        reason = f"{done.event} to {done.recipient}" + (f": {done.error}" if done.error else "")
        detail: dict[str, object] = {"deliveryId": done.id, "channelId": done.channel_id, "attempts": done.attempts}
        change = Change(type=kind, at=context.clock.now(), before=alert, after=alert, reason=reason, detail=detail)
        return Writes(changes=[change], outcomes=[done])

    await transact(context, done.lane, work)
    return written == [True]


async def _note(context: Context, done: Delivery) -> None:
    if done.status is DeliveryStatus.SENT:
        await context.store.channels.note(done.channel_id, sent_at=done.sent_at)
    elif done.error is not None and done.status is not DeliveryStatus.SKIPPED:
        await context.store.channels.note(done.channel_id, error=done.error)
