"""Who tells it when a channel cannot: the next of a person's own, or the channel that a shared one falls back to."""

from datetime import timedelta

from app.context import Context
from app.domain.channel import Channel
from app.domain.delivery import Delivery
from app.domain.preferences import Preferences, chosen_channels

FAILS_FOR = timedelta(minutes=5)
"""A channel that has failed for so long hands over to its fallback what it would try again."""


async def fallback_of(context: Context, channel: Channel, delivery: Delivery) -> Channel | None:
    """The channel that stands in, if there is one that is on."""
    if delivery.user_id is not None:
        return await _next_own(context, channel, delivery.user_id)
    seen, wanted = {channel.id}, channel.fallback_id
    while wanted is not None and wanted not in seen:
        seen.add(wanted)
        found = (await context.store.channels.to_tell_by_id([wanted])).get(wanted)
        if found is None or found.tenant_id != channel.tenant_id:
            return None
        if found.enabled:
            return found
        wanted = found.fallback_id
    return None


async def _next_own(context: Context, channel: Channel, user_id: str) -> Channel | None:
    own = await context.store.channels.to_tell((), [user_id], None)
    wanted = (await context.store.preferences.get_many([user_id])).get(user_id) or Preferences(id=user_id)
    order = chosen_channels(wanted, own)
    ids = [one.id for one in order]
    behind = order[ids.index(channel.id) + 1 :] if channel.id in ids else order
    return next((one for one in behind if one.enabled), None)
