"""The people of a tenant, as far as they have been here."""

import msgspec

from app.context import Context
from app.domain.tenant import Member, Scope
from app.principal import Principal, read_scope


async def list_members(context: Context, principal: Principal, tenant_id: str | None) -> list[Member]:
    """Who was here last comes first. Of a person's tenants only those that the caller has are shown."""
    scope = read_scope(principal, tenant_id)
    return [_seen_by(principal.scope, member) for member in await context.store.members.list(scope)]


def _seen_by(scope: Scope, member: Member) -> Member:
    shared = [tenant_id for tenant_id in member.tenant_ids if scope.covers(tenant_id)]
    return msgspec.structs.replace(member, tenant_ids=shared)
