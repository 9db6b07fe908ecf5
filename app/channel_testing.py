"""Testing a channel: a message of its own, which goes the way of every other."""

from datetime import timedelta

from app.audit import write_audit
from app.channel_access import channel_to_change
from app.context import Context
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.ids import lane_of, new_id
from app.domain.message import TEST_EVENT
from app.principal import Principal


async def try_channel(context: Context, principal: Principal, channel_id: str) -> Delivery:
    """A delivery of its own that tells of no alert; how it goes is read from `deliveries`."""
    channel = await channel_to_change(context, principal, channel_id)
    now = context.clock.now()
    delivery = Delivery(
        id=f"test-{new_id(now)}",
        tenant_id=channel.tenant_id,
        lane=lane_of(channel.tenant_id),
        seq=0,
        event=TEST_EVENT,
        channel_id=channel.id,
        recipient=channel.target,
        reason="somebody tests the channel",
        status=DeliveryStatus.PENDING,
        created_at=now,
        expire_at=now + timedelta(days=context.settings.event_retention_days),
        next_attempt_at=now,
    )
    await context.store.deliveries.insert([delivery])
    await write_audit(context, principal, channel.tenant_id, "channel.test", f"channel:{channel.id}", None, None)
    await context.errands.deliver(f"deliver:{delivery.id}", delivery.lane)
    return delivery
