"""What a person is told inside Fleetbeat, on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import channel_testing, notifications
from app.domain import notification as kept
from app.domain.alert import Severity
from schema.channels import Delivery, delivery
from schema.context import Info
from schema.given import given_or


@strawberry.type
class InAppNotification:
    id: ID
    tenant_id: ID
    at: datetime
    title: str
    body: str
    severity: Severity
    alert_id: ID | None
    read_at: datetime | None


@strawberry.type
class NotificationQuery:
    @strawberry.field
    async def notifications(
        self, info: Info, unread_only: bool | None = False, first: int | None = 50
    ) -> list[InAppNotification]:
        context, principal = info.context.context, info.context.principal
        found = await notifications.list_notifications(context, principal, bool(unread_only), given_or(first, 50))
        return [notification(one) for one in found]


@strawberry.type
class NotificationMutation:
    @strawberry.mutation
    async def mark_notifications_read(self, info: Info, ids: list[ID]) -> int:
        return await notifications.mark_read(info.context.context, info.context.principal, ids)

    @strawberry.mutation
    async def test_notification(self, info: Info) -> list[Delivery]:
        return [delivery(one) for one in await channel_testing.try_own_channels(info.context.context, info.context.principal)]


def notification(one: kept.InAppNotification) -> InAppNotification:
    return InAppNotification(
        id=ID(one.id),
        tenant_id=ID(one.tenant_id),
        at=one.at,
        title=one.title,
        body=one.body,
        severity=one.severity,
        alert_id=None if one.alert_id is None else ID(one.alert_id),
        read_at=one.read_at,
    )
