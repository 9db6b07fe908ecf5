"""Channels and deliveries on the wire."""

from datetime import datetime

import strawberry
from msgspec import UNSET as LEFT_OUT
from strawberry import ID, UNSET

from app import channel_changes, deliveries
from app.channel_changes import ChannelInput as NewChannel, ChannelPatch as Patch, WebhookInput
from app.domain import channel as channels, delivery as kept
from app.domain.alert import Severity
from app.domain.channel import ChannelKind
from app.domain.delivery import DeliveryStatus
from schema.context import Info
from schema.given import given, given_or, listed
from schema.scalars import JSON


@strawberry.type
class Channel:
    id: ID
    tenant_id: ID
    name: str
    kind: ChannelKind
    enabled: bool
    target: str = strawberry.field(description="masked: no more of an address is ever read back, and no secret")
    severities: list[Severity]
    last_sent_at: datetime | None
    last_error: str | None
    config: JSON


@strawberry.type
class Delivery:
    kept: strawberry.Private[kept.Delivery]
    id: ID = strawberry.field(description="the idempotency key: the same for every try")
    alert_id: ID | None
    recipient: str
    reason: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    next_attempt_at: datetime | None = strawberry.field(
        description="null while it is sent, and while it waits for the telling before it"
    )
    error: str | None
    skipped_because: str | None
    alert_ids: list[ID]

    @strawberry.field
    async def channel(self, info: Info) -> Channel | None:
        found = await info.context.loaders.channel.load((self.kept.tenant_id, self.kept.channel_id))
        return None if found is None else channel(found)


@strawberry.input(description="A webhook. The secret is needed to create it, and kept when it is left out of a patch.")
class WebhookConfig:
    url: str
    secret: str | None = UNSET


@strawberry.input(one_of=True)
class ChannelConfigInput:
    webhook: WebhookConfig | None = UNSET


@strawberry.input
class ChannelInput:
    name: str
    config: ChannelConfigInput
    tenant_id: ID | None = UNSET
    enabled: bool | None = True
    severities: list[Severity] | None = UNSET


@strawberry.input(description="A patch: what is left out stays as it is; null severities are all of them.")
class ChannelPatch:
    name: str | None = UNSET
    config: ChannelConfigInput | None = UNSET
    enabled: bool | None = UNSET
    severities: list[Severity] | None = UNSET


@strawberry.type
class ChannelQuery:
    @strawberry.field
    async def channels(self, info: Info, tenant_id: ID | None = None) -> list[Channel]:
        found = await channel_changes.list_channels(info.context.context, info.context.principal, tenant_id)
        return [channel(one) for one in found]

    @strawberry.field
    async def deliveries(
        self,
        info: Info,
        tenant_id: ID | None = None,
        alert_id: ID | None = None,
        status: list[DeliveryStatus] | None = None,
        first: int | None = 50,
    ) -> list[Delivery]:
        context, principal = info.context.context, info.context.principal
        wanted = given_or(first, 50)
        found = await deliveries.list_deliveries(context, principal, tenant_id, alert_id, status or (), wanted)
        return [delivery(one) for one in found]


@strawberry.type
class ChannelMutation:
    @strawberry.mutation
    async def create_channel(self, info: Info, input: ChannelInput) -> Channel:  # noqa: A002
        values = {name: listed(value) for name, value in given(input).items() if value is not None and name != "config"}
        wanted = NewChannel(**values, webhook=_webhook(input.config))
        return channel(await channel_changes.create_channel(info.context.context, info.context.principal, wanted))

    @strawberry.mutation
    async def update_channel(self, info: Info, id: ID, patch: ChannelPatch) -> Channel:  # noqa: A002
        values = {name: listed(value) for name, value in given(patch).items() if name != "config"}
        config = LEFT_OUT if patch.config is UNSET else None if patch.config is None else _webhook(patch.config)
        wanted = Patch(**values, webhook=config)
        return channel(await channel_changes.update_channel(info.context.context, info.context.principal, id, wanted))

    @strawberry.mutation
    async def delete_channel(self, info: Info, id: ID) -> bool:  # noqa: A002
        return await channel_changes.delete_channel(info.context.context, info.context.principal, id)

    @strawberry.mutation
    async def test_channel(self, info: Info, id: ID) -> Delivery:  # noqa: A002
        return delivery(await channel_changes.try_channel(info.context.context, info.context.principal, id))

    @strawberry.mutation
    async def retry_delivery(self, info: Info, id: ID) -> Delivery:  # noqa: A002
        return delivery(await deliveries.retry_delivery(info.context.context, info.context.principal, id))


def channel(one: channels.Channel) -> Channel:
    return Channel(
        id=ID(one.id),
        tenant_id=ID(one.tenant_id),
        name=one.name,
        kind=one.kind,
        enabled=one.enabled,
        target=one.target,
        severities=list(one.severities or Severity),
        last_sent_at=one.last_sent_at,
        last_error=one.last_error,
        config=JSON({one.kind.value: {"url": one.target}}),
    )


def delivery(one: kept.Delivery) -> Delivery:
    return Delivery(
        kept=one,
        id=ID(one.id),
        alert_id=None if one.alert_id is None else ID(one.alert_id),
        recipient=one.recipient,
        reason=one.reason,
        status=one.status,
        attempts=one.attempts,
        created_at=one.created_at,
        sent_at=one.sent_at,
        next_attempt_at=one.next_attempt_at if one.status is DeliveryStatus.PENDING else None,
        error=one.error,
        skipped_because=one.skipped_because,
        alert_ids=[] if one.alert_id is None else [ID(one.alert_id)],
    )


def _webhook(config: ChannelConfigInput) -> WebhookInput:
    written = config.webhook
    if not isinstance(written, WebhookConfig):
        raise TypeError("the schema lets nothing else through")
    return WebhookInput(url=written.url, secret=written.secret or None)
