"""Tenants: which there are, and what holds for one where it says nothing itself."""

from app.context import Context
from app.domain.tenant import Role, Tenant
from app.errors import NotFoundError
from app.principal import Principal, read_scope, require_role


async def known_tenant(context: Context, tenant_id: str) -> Tenant:
    """Raises NotFoundError for a tenant that nobody has made."""
    tenant = await context.store.tenants.get(tenant_id)
    if tenant is None:
        raise NotFoundError(f"tenant {tenant_id!r} does not exist; a super admin makes it with createTenant")
    return tenant


async def offline_after(context: Context, tenant: Tenant) -> int:
    """Seconds of silence after which a device of the tenant is offline, where the device has no time of its own."""
    own = tenant.offline_after_sec
    return context.settings.heartbeat_offline_seconds if own is None else own


def sync_lag_warn(context: Context, tenant: Tenant) -> int:
    """Seconds of sync lag that a tenant puts up with."""
    own = tenant.sync_lag_warn_sec
    return context.settings.sync_lag_warn_seconds if own is None else own


async def list_tenants(context: Context, principal: Principal) -> list[Tenant]:
    """The caller's tenants, newest first."""
    return await context.store.tenants.list(read_scope(principal, None))


async def tenant_ids_of(context: Context, principal: Principal) -> list[str]:
    """The ids of the caller's tenants; for a super admin those of every tenant that there is."""
    require_role(principal, Role.VIEWER)
    if principal.tenant_ids is not None:
        return sorted(principal.tenant_ids)
    return sorted(tenant.id for tenant in await context.store.tenants.list(principal.scope))
