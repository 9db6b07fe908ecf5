"""A recipient's turn: the first message of a burst by itself, what comes after it together, at most three in a minute."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import msgspec

from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import LEASE, Delivery, DeliveryStatus, NotYet, Outcome, Skip, after
from app.domain.message import Bundling
from app.domain.pace import MOST_IN_BUNDLE, not_before, recent_of
from app.domain.telling import before_sending
from app.domain.tenant import EVERY_TENANT
from app.messages import Parcel
from app.outcomes import Ended, Outcomes


async def take_turn(context: Context, outcomes: Outcomes, channel: Channel, first: Delivery) -> Parcel | None:
    """What goes out to the recipient of `first` now: one delivery, a bundle, or nothing yet."""
    now = context.clock.now()
    found = await context.store.deliveries.of_recipient(first, now, MOST_IN_BUNDLE)
    due = [one for one in found if one.next_attempt_at is not None]
    if not due:
        return None
    recipient = f"{first.tenant_id}:{first.channel_id}:{hashlib.sha256(first.address.encode()).hexdigest()[:16]}"
    sent = await context.store.paces.sent(first.tenant_id, recipient)
    at = not_before(sent, now)
    if at > now:
        await context.store.deliveries.put_off([one.id for one in due], now, at)
        return None
    recent = recent_of(sent, now)
    alone = len(due) == 1 or (not recent and all(one.held is None for one in due))
    lease = uuid4().hex
    claimed = await _wanted(context, outcomes, channel, due[:1] if alone else due, lease)
    # Only now: what turned out to be nobody's to hear costs no turn.
    if not claimed or not await context.store.paces.take(first.tenant_id, recipient, sent, (*recent, now)):
        await _give_back(context, claimed, lease)
        return None
    if alone and claimed[0].held is None:
        return Parcel(claimed[0], lease)
    return await _bundled(context, claimed, found, lease)


async def _wanted(context: Context, outcomes: Outcomes, channel: Channel, due: Sequence[Delivery], lease: str) -> list[Delivery]:
    """Takes deliveries; what nobody is to hear of any more, or not yet, is written so and left out."""
    claimed = await context.store.deliveries.claim([one.id for one in due], lease, context.clock.now())
    alerts = await context.store.alerts.get_many(EVERY_TENANT, sorted({one.alert_id or "" for one in claimed}))
    now, wanted = context.clock.now(), list[Delivery]()
    for one in sorted(claimed, key=lambda one: (one.seq, one.id)):
        outcome: Outcome | None = before_sending(one, alerts.get(one.alert_id or ""), channel, now)
        if isinstance(outcome, Skip):
            await outcomes.keep([Ended(after(one, outcome, 0, now), lease)])
        elif isinstance(outcome, NotYet):
            await context.store.deliveries.settle([after(one, outcome, 0, now)], [lease])
        else:
            wanted.append(one)
    return wanted


async def _give_back(context: Context, claimed: Sequence[Delivery], lease: str) -> None:
    now = context.clock.now()
    await context.store.deliveries.settle([after(one, NotYet(now), 0, now) for one in claimed], [lease] * len(claimed))


async def _bundled(context: Context, claimed: Sequence[Delivery], found: Sequence[Delivery], lease: str) -> Parcel:
    """Makes a bundle of what was claimed and of what waits right behind it. It is written before its members are in it: an empty one
    is found by the next look, and its members are as free as before."""
    now = context.clock.now()
    bundle = _bundle_of(claimed, now, lease)
    behind = _behind(claimed, found)
    await context.store.deliveries.insert([bundle])
    await context.store.deliveries.settle([_frozen(one, bundle) for one in claimed], [lease] * len(claimed))
    await context.store.deliveries.freeze(bundle, [one.id for one in behind])
    return Parcel(bundle, lease, await context.store.deliveries.members(bundle))


def _bundle_of(claimed: Sequence[Delivery], now: datetime, lease: str) -> Delivery:
    first = claimed[0]
    return Delivery(
        id=f"bundle-{uuid4().hex}",
        tenant_id=first.tenant_id,
        lane=first.lane,
        seq=0,
        event="bundle",
        channel_id=first.channel_id,
        recipient=first.recipient,
        reason=f"{len(claimed)} in one message",
        status=DeliveryStatus.SENDING,
        created_at=now,
        expire_at=max(one.expire_at for one in claimed),
        address=first.address,
        user_id=first.user_id,
        bundling=next((one.held for one in claimed if one.held is not None), Bundling.STORM),
        alert_ids=tuple(dict.fromkeys(one.alert_id for one in claimed if one.alert_id is not None)),
        attempts=1,
        next_attempt_at=now + LEASE,
        lease=lease,
    )


def _frozen(one: Delivery, bundle: Delivery) -> Delivery:
    return msgspec.structs.replace(
        one, status=DeliveryStatus.PENDING, bundle_id=bundle.id, lease=None, next_attempt_at=None, attempts=one.attempts - 1
    )


def _behind(claimed: Sequence[Delivery], found: Sequence[Delivery]) -> list[Delivery]:
    """What waits for one of the claimed, each line only as far as it waits without a gap."""
    taken, lines = {one.id for one in claimed}, {one.line: one for one in claimed}
    behind: list[Delivery] = []
    for one in found:
        if one.id not in taken and one.next_attempt_at is None and one.line in lines and one.seq > lines[one.line].seq:
            behind.append(one)
            lines[one.line] = one
    return behind
