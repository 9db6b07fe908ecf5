"""Testing channels: messages that tell of no alert, and go the way of every other."""

from collections.abc import Sequence
from datetime import timedelta

from app.audit import write_audit
from app.channel_access import channel_to_change
from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.ids import lane_of, new_id
from app.domain.message import TEST_EVENT
from app.domain.preferences import Preferences, channel_order
from app.domain.telling import addresses_of, recipient_shown
from app.errors import ConflictError
from app.principal import Principal, require_person


async def try_channel(context: Context, principal: Principal, channel_id: str) -> Delivery:
    """A test for everybody whom the channel is for; the first of them."""
    channel = await channel_to_change(context, principal, channel_id)
    tests = await write_tests(context, principal, [channel], "somebody tests the channel")
    if not tests:
        raise ConflictError("the channel is for nobody: the tenant has no people yet")
    return tests[0]


async def try_own_channels(context: Context, principal: Principal) -> list[Delivery]:
    """A test for each of the caller's own channels, the first choice first. Quiet hours do not hold what one asks for."""
    user_id = require_person(principal)
    known = await context.store.preferences.get(user_id) or Preferences(id=user_id)
    own = channel_order(known, await context.store.channels.personal([user_id]))
    if not own:
        raise ConflictError("you have no channel of your own that is enabled: make one with `personal: true`")
    return await write_tests(context, principal, own, f"{user_id} tests their own channels")


async def write_tests(context: Context, principal: Principal, channels: Sequence[Channel], reason: str) -> list[Delivery]:
    """Deliveries of their own, in this order; how they go is read from `deliveries`."""
    now = context.clock.now()
    keep = timedelta(days=context.settings.event_retention_days)
    members = await context.store.members.of_tenants({channel.tenant_id for channel in channels})
    tests = [
        Delivery(
            id=f"test-{new_id(now)}",
            tenant_id=channel.tenant_id,
            lane=lane_of(channel.tenant_id),
            seq=0,
            event=TEST_EVENT,
            channel_id=channel.id,
            recipient=recipient_shown(channel, address),
            address=address,
            reason=reason,
            status=DeliveryStatus.PENDING,
            created_at=now,
            expire_at=now + keep,
            next_attempt_at=now,
        )
        for channel in channels
        for address in addresses_of(channel, [member.id for member in members if channel.tenant_id in member.tenant_ids])
    ]
    await context.store.deliveries.insert(tests)
    for channel in channels:
        await write_audit(context, principal, channel.tenant_id, "channel.test", f"channel:{channel.id}", None, None)
    for lane in dict.fromkeys(test.lane for test in tests):
        [first, *_] = [test for test in tests if test.lane == lane]
        await context.errands.deliver(f"deliver:{first.id}", lane)
    return tests
