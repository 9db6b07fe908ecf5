"""Channels and deliveries on the wire."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID

from app import channel_access, channel_changes, channel_testing, deliveries
from app.domain import channel as channels, delivery as kept
from app.domain.alert import Severity
from app.domain.channel import ChannelKind
from app.domain.delivery import DeliveryStatus
from schema.channel_inputs import ChannelInput, ChannelPatch, channel_input, channel_patch
from schema.context import Info
from schema.given import given_or
from schema.scalars import JSON


@strawberry.type
class Channel:
    kept: strawberry.Private[channels.Channel]
    id: ID
    tenant_id: ID
    name: str
    kind: ChannelKind
    enabled: bool
    target: str = strawberry.field(description="masked: no more of an address is ever read back, and no secret")
    severities: list[Severity]
    last_sent_at: datetime | None
    last_error: str | None
    owner_id: ID | None = strawberry.field(description="whose own it is, which that person alone sees; null for a shared channel")
    disabled_because: str | None = strawberry.field(description="why Fleetbeat switched it off itself")

    @strawberry.field
    def config(self, info: Info) -> JSON:
        return JSON(channel_access.config_shown(info.context.context, info.context.principal, self.kept))

    @strawberry.field
    async def fallback(self, info: Info) -> Annotated["Channel", strawberry.lazy("schema.channels")] | None:
        if self.kept.fallback_id is None:
            return None
        found = await info.context.loaders.channel.load((self.kept.tenant_id, self.kept.fallback_id))
        return None if found is None else channel(found)


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


@strawberry.type
class ChannelQuery:
    @strawberry.field
    async def channels(self, info: Info, tenant_id: ID | None = None) -> list[Channel]:
        found = await channel_access.list_channels(info.context.context, info.context.principal, tenant_id)
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
        wanted = channel_input(input)
        return channel(await channel_changes.create_channel(info.context.context, info.context.principal, wanted))

    @strawberry.mutation
    async def update_channel(self, info: Info, id: ID, patch: ChannelPatch) -> Channel:  # noqa: A002
        wanted = channel_patch(patch)
        return channel(await channel_changes.update_channel(info.context.context, info.context.principal, id, wanted))

    @strawberry.mutation
    async def delete_channel(self, info: Info, id: ID) -> bool:  # noqa: A002
        return await channel_changes.delete_channel(info.context.context, info.context.principal, id)

    @strawberry.mutation
    async def test_channel(self, info: Info, id: ID) -> Delivery:  # noqa: A002
        return delivery(await channel_testing.try_channel(info.context.context, info.context.principal, id))

    @strawberry.mutation
    async def retry_delivery(self, info: Info, id: ID) -> Delivery:  # noqa: A002
        return delivery(await deliveries.retry_delivery(info.context.context, info.context.principal, id))


def channel(one: channels.Channel) -> Channel:
    return Channel(
        kept=one,
        id=ID(one.id),
        tenant_id=ID(one.tenant_id),
        name=one.name,
        kind=one.kind,
        enabled=one.enabled,
        target=one.target,
        severities=list(one.severities or Severity),
        last_sent_at=one.last_sent_at,
        last_error=one.last_error,
        owner_id=None if one.owner_id is None else ID(one.owner_id),
        disabled_because=one.disabled_because,
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
