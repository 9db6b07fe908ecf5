"""Who there is to tell in tenants: their channels, their people, and how those want to be told."""

from collections.abc import Collection, Iterable

from app.context import Context
from app.domain.channel import Channel
from app.domain.preferences import Preferences, chosen_channels
from app.domain.telling import Book, Person
from app.domain.tenant import Member, Role
from app.store.mongo import Session


async def books_of(context: Context, tenant_ids: Collection[str], session: Session | None = None) -> dict[str, Book]:
    """A book for each tenant, as things are in the session's transaction."""
    members = await context.store.members.of_tenants(tenant_ids, session)
    channels = await context.store.channels.to_tell(tenant_ids, [member.id for member in members], session)
    tenants = await context.store.tenants.get_many(tenant_ids, session)
    owners = {channel.owner_id for channel in channels if channel.owner_id is not None}
    preferences = await context.store.preferences.get_many(owners, session) if owners else {}
    found: dict[str, Book] = {}
    for tenant_id in tenant_ids:
        tenant = tenants.get(tenant_id)
        mine = [channel for channel in channels if channel.owner_id is None and channel.tenant_id == tenant_id]
        of_tenant = [member for member in members if tenant_id in member.tenant_ids]
        found[tenant_id] = Book(
            shared={channel.id: channel for channel in mine},
            default_ids=None if tenant is None else tenant.default_channel_ids,
            people=tuple(_people(tenant_id, members, channels, preferences)),
            everybody=tuple(member.id for member in of_tenant),
        )
    return found


def _people(
    tenant_id: str, members: Iterable[Member], channels: Collection[Channel], preferences: dict[str, Preferences]
) -> list[Person]:
    people: list[Person] = []
    for member in members:
        own = [one for one in channels if one.owner_id == member.id and may_hear(member, one, tenant_id)]
        if own:
            wanted = preferences.get(member.id) or Preferences(id=member.id)
            people.append(Person(id=member.id, preferences=wanted, channels=tuple(chosen_channels(wanted, own))))
    return people


def may_hear(member: Member, channel: Channel, tenant_id: str) -> bool:
    """A super admin is in no tenant, and is told of the one that the channel was made in."""
    return channel.tenant_id == tenant_id if member.role is Role.SUPER_ADMIN else tenant_id in member.tenant_ids
