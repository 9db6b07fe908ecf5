"""Sites, which the contract calls stores: where devices stand."""

import msgspec
from msgspec import UNSET, UnsetType

from app.audit import write_audit
from app.context import Context
from app.domain.faults import Faults
from app.domain.tenant import Role, Site, only
from app.principal import Principal, read_scope, write_tenant
from app.tenants import known_tenant


class SiteInput(msgspec.Struct, frozen=True, kw_only=True):
    """A site to make or to change; what is left out stays as it is, None clears."""

    store_id: str
    tenant_id: str | None = None
    name: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET


async def list_sites(context: Context, principal: Principal, tenant_id: str | None) -> list[Site]:
    """Newest first."""
    return await context.store.sites.list(read_scope(principal, tenant_id))


async def save_site(context: Context, principal: Principal, site: SiteInput) -> Site:
    tenant_id = write_tenant(principal, site.tenant_id, Role.ADMIN)
    faults = Faults()
    faults.title("input.storeId", site.store_id, 64)
    if isinstance(site.name, str):
        faults.title("input.name", site.name, 200)
    if isinstance(site.timezone, str):
        faults.zone("input.timezone", site.timezone)
    faults.refuse()
    await known_tenant(context, tenant_id)
    before = await context.store.sites.get(only(tenant_id), tenant_id, site.store_id)
    fields = {name: value for name, value in (("name", site.name), ("timezone", site.timezone)) if value is not UNSET}
    after = await context.store.sites.save(tenant_id, site.store_id, fields, context.clock.now())
    await write_audit(context, principal, tenant_id, "store.save", f"store:{site.store_id}", before, after)
    return after
