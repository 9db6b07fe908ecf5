"""Channels of a tenant: making, changing, testing and deleting them."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from app.audit import write_audit
from app.channel_testing import write_tests
from app.context import Context
from app.domain.addresses import is_address, is_public
from app.domain.alert import Severity
from app.domain.channel import MOST_CHANNELS, Channel, ChannelKind, WebhookConfig
from app.domain.channel_check import check_webhook, masked
from app.domain.delivery import Delivery
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.tenant import Role, only
from app.errors import ConflictError, NotFoundError, bad_field
from app.principal import Principal, read_scope, write_tenant
from app.sealing import UnreadableError, seal, unseal
from app.tenants import known_tenant

LONGEST_NAME = 100
_URL, _SECRET = "config.webhook.url", "config.webhook.secret"


class WebhookInput(msgspec.Struct, frozen=True, kw_only=True):
    """Where a webhook goes; `secret` None keeps the one that is there."""

    url: str
    secret: str | None = None


class ChannelInput(msgspec.Struct, frozen=True, kw_only=True):
    """A channel to make; without severities it hears of all."""

    name: str
    webhook: WebhookInput
    tenant_id: str | None = None
    enabled: bool = True
    severities: tuple[Severity, ...] | None = None


class ChannelPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is. Severities None are all of them."""

    name: str | UnsetType | None = UNSET
    webhook: WebhookInput | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    severities: tuple[Severity, ...] | UnsetType | None = UNSET


async def list_channels(context: Context, principal: Principal, tenant_id: str | None) -> list[Channel]:
    return await context.store.channels.within(read_scope(principal, tenant_id))


async def create_channel(context: Context, principal: Principal, wanted: ChannelInput) -> Channel:
    tenant_id = write_tenant(principal, wanted.tenant_id, Role.ADMIN, "input.tenantId")
    faults = Faults()
    faults.title("input.name", wanted.name, LONGEST_NAME)
    _check(context, wanted.webhook, "input", faults)
    faults.require(wanted.webhook.secret is not None, f"input.{_SECRET}", "is needed to sign with")
    faults.require(wanted.severities != (), "input.severities", "should name one at least, or be left out for all")
    faults.refuse()
    await known_tenant(context, tenant_id)
    if len(await context.store.channels.within(only(tenant_id))) >= MOST_CHANNELS:
        raise ConflictError(f"the tenant has {MOST_CHANNELS} channels, which is as many as it may have")
    now = context.clock.now()
    channel = Channel(
        id=new_id(now),
        tenant_id=tenant_id,
        name=wanted.name,
        kind=ChannelKind.WEBHOOK,
        target=masked(wanted.webhook.url),
        sealed=seal(context.settings, WebhookConfig(url=wanted.webhook.url, secret=wanted.webhook.secret or "")),
        created_at=now,
        severities=tuple(dict.fromkeys(wanted.severities or ())),
        enabled=wanted.enabled,
    )
    await context.store.channels.insert(channel)
    await write_audit(context, principal, tenant_id, "channel.create", f"channel:{channel.id}", None, _shown(channel))
    return channel


async def update_channel(context: Context, principal: Principal, channel_id: str, patch: ChannelPatch) -> Channel:
    channel = await _own(context, principal, channel_id)
    faults = Faults()
    for name, value in (("name", patch.name), ("config", patch.webhook), ("enabled", patch.enabled)):
        faults.require(value is not None, f"patch.{name}", "cannot be null: leave it out to keep what is there")
    if isinstance(patch.name, str):
        faults.title("patch.name", patch.name, LONGEST_NAME)
    if isinstance(patch.webhook, WebhookInput):
        _check(context, patch.webhook, "patch", faults)
    faults.require(patch.severities != (), "patch.severities", "should name one at least, or be null for all")
    faults.refuse()
    values = _values(context, channel, patch)
    changed = await context.store.channels.change(only(channel.tenant_id), channel.id, values) if values else channel
    if changed is None:
        raise _unknown(channel_id)
    shown = {**_shown(changed), "configSetAt": context.clock.now()} if "sealed" in values else _shown(changed)
    await write_audit(context, principal, channel.tenant_id, "channel.update", f"channel:{channel.id}", _shown(channel), shown)
    return changed


async def delete_channel(context: Context, principal: Principal, channel_id: str) -> bool:
    """What is still on its way to it is skipped."""
    channel = await _own(context, principal, channel_id)
    if not await context.store.channels.delete(only(channel.tenant_id), channel.id):
        raise _unknown(channel_id)
    await write_audit(context, principal, channel.tenant_id, "channel.delete", f"channel:{channel.id}", _shown(channel), None)
    return True


async def try_channel(context: Context, principal: Principal, channel_id: str) -> Delivery:
    """A delivery of its own that tells of no alert; how it goes is read from `deliveries`."""
    channel = await _own(context, principal, channel_id)
    [delivery] = await write_tests(context, principal, [channel], "somebody tests the channel")
    return delivery


def _values(context: Context, channel: Channel, patch: ChannelPatch) -> dict[str, object]:
    values: dict[str, object] = {}
    if isinstance(patch.name, str):
        values["name"] = patch.name
    if isinstance(patch.enabled, bool):
        values["enabled"] = patch.enabled
    if patch.severities is not UNSET:
        values["severities"] = _names(patch.severities)
    if isinstance(patch.webhook, WebhookInput):
        secret = patch.webhook.secret or _kept_secret(context, channel)
        values["sealed"] = seal(context.settings, WebhookConfig(url=patch.webhook.url, secret=secret))
        values["target"] = masked(patch.webhook.url)
    return values


def _kept_secret(context: Context, channel: Channel) -> str:
    try:
        kept = unseal(context.settings, channel.sealed)
        return kept.secret if isinstance(kept, WebhookConfig) else ""
    except UnreadableError:
        raise bad_field(f"patch.{_SECRET}", "is needed: the one that is kept was sealed with another SECRETS_KEY") from None


def _check(context: Context, webhook: WebhookInput, path: str, faults: Faults) -> None:
    before = len(faults.found)
    check_webhook(webhook.url, webhook.secret, f"{path}.config.webhook", faults)
    if len(faults.found) > before or context.settings.allow_private_webhooks:
        return
    # A name is looked up with each try; what it leads to may change.
    host = urlsplit(webhook.url).hostname or ""
    inside = host == "localhost" or (is_address(host) and not is_public(host))
    faults.require(not inside, f"{path}.{_URL}", "should be outside the network, or ALLOW_PRIVATE_WEBHOOKS be set")


async def _own(context: Context, principal: Principal, channel_id: str) -> Channel:
    channel = await context.store.channels.get(read_scope(principal, None, Role.ADMIN), channel_id)
    if channel is None:
        raise _unknown(channel_id)
    return channel


def _shown(channel: Channel) -> dict[str, object]:
    return {
        "name": channel.name,
        "kind": channel.kind.name,
        "target": channel.target,
        "severities": [severity.name for severity in channel.severities],
        "enabled": channel.enabled,
    }


def _names(severities: Sequence[Severity] | None) -> list[str]:
    return [severity.value for severity in dict.fromkeys(severities or ())]


def _unknown(channel_id: str) -> NotFoundError:
    return NotFoundError(f"there is no channel {channel_id[:64]!r}")
