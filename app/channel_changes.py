"""Making, changing and deleting channels."""

import msgspec

from app.audit import write_audit
from app.channel_access import channel_to_change, own_channels, unknown_channel
from app.context import Context
from app.domain.alert import Severity
from app.domain.channel import MOST_CHANNELS, Channel, ChannelConfig, WebhookConfig, leads_back, recipients_of
from app.domain.channel_input import (
    KIND_OF_INPUT,
    ChannelInput,
    ChannelPatch,
    ConfigInput,
    InAppInput,
    Terms,
    config_of,
    config_path,
)
from app.domain.channel_shown import target_of
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.tenant import Role, only
from app.errors import ConflictError, ForbiddenError
from app.principal import Principal, PrincipalKind, write_tenant
from app.sealing import UnreadableError, seal, unseal
from app.tenants import known_tenant

LONGEST_NAME = 100
TRIES = 5
"""How often a change of a config is tried again while others are faster."""

_SEALED_OTHERWISE = "is needed: the one that is kept was sealed with another SECRETS_KEY"


async def create_channel(context: Context, principal: Principal, wanted: ChannelInput) -> Channel:
    """A shared channel of the tenant, or one of the caller's own."""
    tenant_id = write_tenant(principal, wanted.tenant_id, Role.VIEWER if wanted.personal else Role.ADMIN, "input.tenantId")
    if wanted.personal and principal.kind is not PrincipalKind.PERSON:
        raise ForbiddenError("only people have channels of their own")
    await known_tenant(context, tenant_id)
    now = context.clock.now()
    channel = Channel(
        id=new_id(now),
        tenant_id=tenant_id,
        name=wanted.name,
        kind=KIND_OF_INPUT[type(wanted.config)],
        target="",
        sealed="",
        created_at=now,
        severities=tuple(dict.fromkeys(wanted.severities or ())),
        enabled=wanted.enabled,
        fallback_id=wanted.fallback_channel_id,
        owner_id=principal.id if wanted.personal else None,
    )
    faults = Faults()
    faults.title("input.name", wanted.name, LONGEST_NAME)
    faults.require(wanted.severities != (), "input.severities", "should name one at least, or be left out for all")
    terms = await _terms(context, channel, wanted.config)
    config = config_of(wanted.config, None, terms, config_path("input", wanted.config), faults)
    peers = await _peers(context, principal, channel)
    _check_fallback(channel, wanted.fallback_channel_id, peers, "input.fallbackChannelId", faults)
    faults.refuse()
    if len(peers) >= MOST_CHANNELS:
        whose = "the tenant has" if channel.owner_id is None else "you have"
        raise ConflictError(f"{whose} {MOST_CHANNELS} channels, which is as many as there may be")
    channel = msgspec.structs.replace(channel, **_led_to(context, config))
    await context.store.channels.insert(channel)
    await _audit(context, principal, "channel.create", None, channel)
    return channel


async def update_channel(context: Context, principal: Principal, channel_id: str, patch: ChannelPatch) -> Channel:
    """Changes what the patch names; of a config, what that leaves out is kept. Enabling forgets why it was off."""
    for _ in range(TRIES):
        channel = await channel_to_change(context, principal, channel_id)
        values = await _values(context, principal, channel, patch)
        if not values:
            return channel
        # A config that was made of what was kept must not undo another's change of it.
        base = channel.sealed if "sealed" in values else None
        changed = await context.store.channels.change(only(channel.tenant_id), channel.id, values, base)
        if changed is not None:
            await _audit(context, principal, "channel.update", channel, changed)
            return changed
    raise ConflictError("the channel was changed meanwhile: try again")


async def delete_channel(context: Context, principal: Principal, channel_id: str) -> bool:
    """What is still on its way to it is skipped. Whatever named it goes on without it."""
    channel = await channel_to_change(context, principal, channel_id)
    if not await context.store.channels.delete(only(channel.tenant_id), channel.id):
        raise unknown_channel(channel_id)
    await _audit(context, principal, "channel.delete", channel, None)
    return True


async def _values(context: Context, principal: Principal, channel: Channel, patch: ChannelPatch) -> dict[str, object]:
    """What the patch sets. Raises BadInputError with everything that is wrong."""
    faults, values = Faults(), dict[str, object]()
    for name, value in (("name", patch.name), ("config", patch.config), ("enabled", patch.enabled)):
        faults.require(value is not None, f"patch.{name}", "cannot be null: leave it out to keep what is there")
    if isinstance(patch.name, str):
        faults.title("patch.name", patch.name, LONGEST_NAME)
        values["name"] = patch.name
    if isinstance(patch.enabled, bool):
        values["enabled"] = patch.enabled
        if patch.enabled:
            values |= {"disabled_because": None, "refusals": 0, "failing_since": None}
    if not isinstance(patch.severities, msgspec.UnsetType):
        faults.require(patch.severities != (), "patch.severities", "should name one at least, or be null for all")
        values["severities"] = _names(patch.severities)
    if not isinstance(patch.fallback_channel_id, msgspec.UnsetType):
        peers = await _peers(context, principal, channel)
        _check_fallback(channel, patch.fallback_channel_id, peers, "patch.fallbackChannelId", faults)
        values["fallback_id"] = patch.fallback_channel_id
    if isinstance(patch.config, ConfigInput):
        config = await _patched_config(context, channel, patch.config, faults)
        if config is not None and not faults.found:
            values |= msgspec.to_builtins(_led_to(context, config))
    faults.refuse()
    return values


async def _patched_config(context: Context, channel: Channel, written: ConfigInput, faults: Faults) -> ChannelConfig | None:
    path, terms = config_path("patch", written), await _terms(context, channel, written)
    if KIND_OF_INPUT[type(written)] is not channel.kind:
        faults.add(path, f"is of another kind: the channel stays {channel.kind.name}; make a new one instead")
        return None
    try:
        kept: ChannelConfig | None = unseal(context.settings, channel.sealed)
    except UnreadableError:
        kept, terms = None, msgspec.structs.replace(terms, missing=_SEALED_OTHERWISE, has_telegram_bot=False)
    return config_of(written, kept, terms, path, faults)


async def _terms(context: Context, channel: Channel, written: ConfigInput) -> Terms:
    people = frozenset[str]()
    if isinstance(written, InAppInput) and written.user_ids is not None:
        people = frozenset(member.id for member in await context.store.members.list(only(channel.tenant_id)))
    return Terms(
        now=context.clock.now(),
        allow_inside=context.settings.allow_private_webhooks,
        has_telegram_bot=context.settings.telegram_bot_token is not None,
        people=people,
        owner_id=channel.owner_id,
    )


async def _peers(context: Context, principal: Principal, channel: Channel) -> dict[str, Channel]:
    """The owner's own, or the shared ones of the tenant."""
    if channel.owner_id is not None:
        return await own_channels(context, principal)
    return {one.id: one for one in await context.store.channels.shared(only(channel.tenant_id))}


def _check_fallback(channel: Channel, fallback_id: str | None, peers: dict[str, Channel], path: str, faults: Faults) -> None:
    if fallback_id is None:
        return
    fallback = peers.get(fallback_id)
    if fallback is None or fallback.tenant_id != channel.tenant_id:
        whose = "a shared channel" if channel.owner_id is None else "a personal channel of yours"
        faults.add(path, f"should be {whose} in the same tenant")
    else:
        faults.require(not leads_back(peers, fallback_id, channel.id), path, "leads back to this channel")


def _led_to(context: Context, config: ChannelConfig) -> dict[str, object]:
    """What a channel keeps of its config."""
    return {
        "sealed": seal(context.settings, config),
        "target": target_of(config),
        "to": recipients_of(config),
        "format": config.format if isinstance(config, WebhookConfig) else None,
    }


async def _audit(context: Context, principal: Principal, action: str, before: Channel | None, after: Channel | None) -> None:
    """Of a personal channel it says no more than that: others read the log."""
    [channel, *_] = [one for one in (after, before) if one is not None]
    was, now = (_shown(one) if one is not None and one.owner_id is None else None for one in (before, after))
    if was is not None and now is not None and before is not None and after is not None and before.sealed != after.sealed:
        now["configSetAt"] = context.clock.now()
    await write_audit(context, principal, channel.tenant_id, action, f"channel:{channel.id}", was, now)


def _shown(channel: Channel) -> dict[str, object]:
    return {
        "name": channel.name,
        "kind": channel.kind.name,
        "target": channel.target,
        "severities": [severity.name for severity in channel.severities],
        "enabled": channel.enabled,
        "fallbackChannelId": channel.fallback_id,
    }


def _names(severities: tuple[Severity, ...] | None) -> list[str]:
    return [severity.value for severity in dict.fromkeys(severities or ())]
