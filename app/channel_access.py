"""Who sees a channel, what of it, and who may change it. A personal channel is its owner's alone, whatever others may do."""

from collections.abc import Collection, Sequence
from typing import Any

from app.context import Context
from app.domain.channel import Channel, ChannelConfig, ChannelKind
from app.domain.channel_shown import shown_config
from app.domain.faults import Faults
from app.domain.rule_check import check_channel_ids
from app.domain.tenant import Role, Scope
from app.errors import NotFoundError
from app.principal import Principal, PrincipalKind, read_scope
from app.sealing import UnreadableError, unseal


async def list_channels(context: Context, principal: Principal, tenant_id: str | None) -> list[Channel]:
    """Shared ones, and the caller's own, which are used in every tenant that the caller is in."""
    shared = await context.store.channels.shared(read_scope(principal, tenant_id))
    return [*shared, *(await own_channels(context, principal)).values()]


async def own_channels(context: Context, principal: Principal) -> dict[str, Channel]:
    """By id, in the order in which they were made. Programs have none."""
    if principal.kind is not PrincipalKind.PERSON:
        return {}
    return {channel.id: channel for channel in await context.store.channels.personal([principal.id])}


async def channels_of(context: Context, principal: Principal, asked: Sequence[tuple[str, str]]) -> list[Channel | None]:
    """(tenant, id) of what the caller has been given; None where a channel was deleted, or is somebody else's own."""
    scope, wanted = Scope(frozenset(tenant_id for tenant_id, _ in asked)), {channel_id for _, channel_id in asked}
    found = await context.store.channels.get_many(scope, wanted)
    if wanted - set(found):
        # A person's own is used in other tenants than the one that it was made in.
        found |= await own_channels(context, principal)
    return [channel if (channel := found.get(one)) is not None and _is_seen(principal, channel) else None for _, one in asked]


async def shared_channels(context: Context, tenant_ids: Collection[str]) -> list[list[Channel]]:
    """Of each tenant that the caller has been given."""
    found = await context.store.channels.shared(Scope(frozenset(tenant_ids)))
    return [[channel for channel in found if channel.tenant_id == tenant_id] for tenant_id in tenant_ids]


async def check_shared(context: Context, tenant_id: str, channel_ids: Collection[str] | None, path: str, faults: Faults) -> None:
    """Adds every id that is no shared channel of the tenant."""
    if channel_ids:
        [shared] = await shared_channels(context, [tenant_id])
        check_channel_ids(channel_ids, {channel.id for channel in shared}, path, faults)


async def channel_to_change(context: Context, principal: Principal, channel_id: str) -> Channel:
    """A shared one needs ADMIN; one's own needs nothing more. Raises NotFoundError also for what is somebody else's own."""
    scope = read_scope(principal, None)
    if (own := (await own_channels(context, principal)).get(channel_id)) is not None:
        return own
    read_scope(principal, None, Role.ADMIN)
    channel = await context.store.channels.get(scope, channel_id)
    if channel is None or channel.owner_id is not None:
        raise unknown_channel(channel_id)
    return channel


def config_shown(context: Context, principal: Principal, channel: Channel) -> dict[str, Any]:
    """Without secrets; whole addresses only to those who may change them."""
    whole = _may_change(principal, channel)
    config = _config(context, channel) if whole and channel.kind is ChannelKind.TELEGRAM else None
    return shown_config(channel, config, whole)


def unknown_channel(channel_id: str) -> NotFoundError:
    return NotFoundError(f"there is no channel {channel_id[:64]!r}")


def _is_seen(principal: Principal, channel: Channel) -> bool:
    return channel.owner_id is None or _owns(principal, channel)


def _may_change(principal: Principal, channel: Channel) -> bool:
    if channel.owner_id is not None:
        return _owns(principal, channel)
    is_admin = principal.role is not None and principal.role.covers(Role.ADMIN)
    return is_admin and principal.scope.covers(channel.tenant_id)


def _owns(principal: Principal, channel: Channel) -> bool:
    return principal.kind is PrincipalKind.PERSON and channel.owner_id == principal.id


def _config(context: Context, channel: Channel) -> ChannelConfig | None:
    try:
        return unseal(context.settings, channel.sealed)
    except UnreadableError:
        return None
