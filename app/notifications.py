"""What people are told inside Fleetbeat: reading it, marking it as read, and telling the admins of a tenant."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from app.context import Context
from app.domain.alert import Severity
from app.domain.channel import Channel
from app.domain.notification import MOST_MARKED, InAppNotification, notification_id
from app.domain.page import require_first
from app.domain.tenant import Role
from app.errors import bad_field
from app.principal import Principal, require_person


async def list_notifications(context: Context, principal: Principal, unread_only: bool, first: int) -> list[InAppNotification]:
    """The caller's own, the newest first."""
    user_id = require_person(principal)
    require_first(first)
    return await context.store.notifications.page(principal.scope, user_id, unread_only, first)


async def mark_read(context: Context, principal: Principal, ids: Sequence[str]) -> int:
    """How many of the caller's own were unread until now; what is not there, or somebody else's, is passed over."""
    user_id = require_person(principal)
    if len(ids) > MOST_MARKED:
        raise bad_field("ids", f"has {len(ids)} entries; at most {MOST_MARKED}")
    return await context.store.notifications.mark_read(principal.scope, user_id, set(ids), context.clock.now())


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is told outside of any channel's delivery. The same `key` tells nobody twice: with the hour in it, it is
    told once an hour."""

    key: str
    title: str
    body: str
    severity: Severity = Severity.HIGH
    alert_id: str | None = None


async def tell_admins(context: Context, tenant_id: str, notice: Notice) -> list[str]:
    """Tells each admin of a tenant inside Fleetbeat, and every super admin where it has none; their ids."""
    people = await _admins(context, tenant_id)
    await _put(context, tenant_id, people, notice)
    return people


async def tell_owner(context: Context, channel: Channel, notice: Notice) -> None:
    """Tells whoever a channel belongs to, inside Fleetbeat: its owner, or the admins of its tenant."""
    people = [channel.owner_id] if channel.owner_id is not None else await _admins(context, channel.tenant_id)
    await _put(context, channel.tenant_id, people, notice)


async def _put(context: Context, tenant_id: str, people: Sequence[str], notice: Notice) -> None:
    now = context.clock.now()
    expire_at = now + timedelta(days=context.settings.event_retention_days)
    told = [
        InAppNotification(
            id=notification_id(f"{tenant_id}-{notice.key}", user_id),
            tenant_id=tenant_id,
            user_id=user_id,
            at=now,
            title=notice.title,
            body=notice.body,
            severity=notice.severity,
            expire_at=expire_at,
            alert_id=notice.alert_id,
        )
        for user_id in people
    ]
    if told:
        await context.store.notifications.put(told)
        await context.bus.ring_notifications(list(people))


async def _admins(context: Context, tenant_id: str) -> list[str]:
    members = await context.store.members.of_tenant(tenant_id)
    admins = [member for member in members if member.role is Role.ADMIN]
    return [member.id for member in admins or await context.store.members.super_admins()]
