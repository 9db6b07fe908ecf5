"""Tenants, stores, members, API keys and the audit log, on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID, UNSET

from app import api_keys, audit, members, sites, tenant_changes, tenants
from app.context import Context
from app.domain import tenant as domain
from app.domain.tenant import Role
from app.errors import ForbiddenError
from schema.context import Info
from schema.given import given, given_or, listed
from schema.paging import PageInfo, page_info
from schema.scalars import JSON, Cursor


@strawberry.type
class Viewer:
    id: ID
    email: str | None
    role: Role
    tenant_ids: list[ID]


@strawberry.type
class TenantConfig:
    tenant_id: ID
    name: str
    timezone: str
    offline_after_sec: int = strawberry.field(description="the effective one: the tenant's own, or the platform's setting")
    sync_lag_warn_sec: int = strawberry.field(description="the effective one, as for offlineAfterSec")
    heartbeat_retention_days: int
    device_auth: bool
    max_devices: int
    cooldown_sec: int
    max_alerts_per_hour: int | None
    shared_fate_ratio: float
    shared_fate_min: int
    kept: strawberry.Private[domain.Tenant]

    @strawberry.field
    async def default_channel_ids(self, info: Info) -> list[ID]:
        shared = await info.context.loaders.shared_channels.load(self.kept.id)
        return [ID(one) for one in domain.default_channels(self.kept, [channel.id for channel in shared])]


@strawberry.input(description="A patch: what is left out stays as it is; null clears, where a tenant can be without.")
class TenantConfigInput:
    name: str | None = UNSET
    timezone: str | None = UNSET
    offline_after_sec: int | None = UNSET
    sync_lag_warn_sec: int | None = UNSET
    heartbeat_retention_days: int | None = UNSET
    device_auth: bool | None = UNSET
    max_devices: int | None = UNSET
    cooldown_sec: int | None = UNSET
    max_alerts_per_hour: int | None = UNSET
    shared_fate_ratio: float | None = UNSET
    shared_fate_min: int | None = UNSET
    default_channel_ids: list[ID] | None = strawberry.field(
        default=UNSET, description="shared channels for rules that name none; null is all of them, [] is none"
    )


@strawberry.type
class Store:
    id: ID
    tenant_id: ID
    store_id: ID
    name: str | None
    timezone: str | None


@strawberry.input(description="A store to make, or to change: what is left out stays as it is, null clears.")
class StoreInput:
    store_id: ID
    tenant_id: ID | None = UNSET
    name: str | None = UNSET
    timezone: str | None = UNSET


@strawberry.type
class Member:
    id: ID
    email: str | None
    role: Role
    tenant_ids: list[ID] = strawberry.field(description="those that the caller has as well")
    last_seen: datetime | None


@strawberry.type
class ApiKey:
    id: ID
    tenant_id: ID
    name: str
    role: Role
    device_ids: list[ID] = strawberry.field(description="empty: not limited to devices")
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


@strawberry.type
class ApiKeyCredentials:
    key: ApiKey
    token: str = strawberry.field(description="shown once")


@strawberry.type
class AuditEntry:
    id: ID
    at: datetime
    actor: str
    action: str
    target: str
    before: JSON | None
    after: JSON | None
    ip: str | None


@strawberry.type
class AuditConnection:
    nodes: list[AuditEntry]
    page_info: PageInfo


@strawberry.type
class AdministrationQuery:
    @strawberry.field
    async def viewer(self, info: Info) -> Viewer:
        context, principal = info.context.context, info.context.principal
        tenant_ids = await tenants.tenant_ids_of(context, principal)
        if principal.role is None:
            raise ForbiddenError("a device has no role")
        return Viewer(id=ID(principal.id), email=principal.email, role=principal.role, tenant_ids=[ID(one) for one in tenant_ids])

    @strawberry.field
    async def tenants(self, info: Info) -> list[TenantConfig]:
        context = info.context.context
        found = await tenants.list_tenants(context, info.context.principal)
        return [await _tenant_config(context, tenant) for tenant in found]

    @strawberry.field
    async def stores(self, info: Info, tenant_id: ID | None = None) -> list[Store]:
        return [_store(site) for site in await sites.list_sites(info.context.context, info.context.principal, tenant_id)]

    @strawberry.field
    async def members(self, info: Info, tenant_id: ID | None = None) -> list[Member]:
        found = await members.list_members(info.context.context, info.context.principal, tenant_id)
        return [_member(member) for member in found]

    @strawberry.field
    async def api_keys(self, info: Info, tenant_id: ID | None = None) -> list[ApiKey]:
        found = await api_keys.list_api_keys(info.context.context, info.context.principal, tenant_id)
        return [_api_key(key) for key in found]

    @strawberry.field
    async def audit_log(
        self, info: Info, tenant_id: ID | None = None, first: int | None = 50, after: Cursor | None = None
    ) -> AuditConnection:
        size = given_or(first, 50)
        page = await audit.audit_log(info.context.context, info.context.principal, tenant_id, size, after)
        return AuditConnection(nodes=[_audit_entry(entry) for entry in page.items], page_info=page_info(page, after))


@strawberry.type
class AdministrationMutation:
    @strawberry.mutation
    async def create_tenant(self, info: Info, id: ID, input: TenantConfigInput) -> TenantConfig:  # noqa: A002
        context = info.context.context
        patch = _patch(input)
        return await _tenant_config(context, await tenant_changes.create_tenant(context, info.context.principal, id, patch))

    @strawberry.mutation
    async def update_tenant_config(
        self,
        info: Info,
        input: TenantConfigInput,  # noqa: A002
        tenant_id: ID | None = None,
    ) -> TenantConfig:
        context, patch = info.context.context, _patch(input)
        tenant = await tenant_changes.update_tenant_config(context, info.context.principal, tenant_id, patch)
        return await _tenant_config(context, tenant)

    @strawberry.mutation
    async def save_store(self, info: Info, input: StoreInput) -> Store:  # noqa: A002
        wanted = sites.SiteInput(**given(input))
        return _store(await sites.save_site(info.context.context, info.context.principal, wanted))

    @strawberry.mutation
    async def create_api_key(
        self,
        info: Info,
        name: str,
        role: Role,
        tenant_id: ID | None = None,
        device_ids: list[ID] | None = None,
        expires_at: datetime | None = None,
    ) -> ApiKeyCredentials:
        wanted = api_keys.ApiKeyInput(name=name, role=role, tenant_id=tenant_id, device_ids=device_ids, expires_at=expires_at)
        key, token = await api_keys.create_api_key(info.context.context, info.context.principal, wanted)
        return ApiKeyCredentials(key=_api_key(key), token=token)

    @strawberry.mutation
    async def revoke_api_key(self, info: Info, id: ID) -> bool:  # noqa: A002
        return await api_keys.revoke_api_key(info.context.context, info.context.principal, id)


def _patch(written: TenantConfigInput) -> tenant_changes.TenantPatch:
    values = given(written)
    if values.get("default_channel_ids"):
        values["default_channel_ids"] = list(dict.fromkeys(values["default_channel_ids"]))
    return tenant_changes.TenantPatch(**{name: listed(value) for name, value in values.items()})


async def _tenant_config(context: Context, tenant: domain.Tenant) -> TenantConfig:
    return TenantConfig(
        tenant_id=ID(tenant.id),
        name=tenant.name,
        timezone=tenant.timezone,
        offline_after_sec=await tenants.offline_after(context, tenant),
        sync_lag_warn_sec=tenants.sync_lag_warn(context, tenant),
        heartbeat_retention_days=tenant.heartbeat_retention_days,
        device_auth=tenant.device_auth,
        max_devices=tenant.max_devices,
        cooldown_sec=tenant.cooldown_sec,
        max_alerts_per_hour=tenant.max_alerts_per_hour,
        shared_fate_ratio=tenant.shared_fate_ratio,
        shared_fate_min=tenant.shared_fate_min,
        kept=tenant,
    )


def _store(site: domain.Site) -> Store:
    return Store(id=ID(site.id), tenant_id=ID(site.tenant_id), store_id=ID(site.store_id), name=site.name, timezone=site.timezone)


def _member(member: domain.Member) -> Member:
    return Member(
        id=ID(member.id),
        email=member.email,
        role=member.role,
        tenant_ids=[ID(tenant_id) for tenant_id in member.tenant_ids],
        last_seen=member.last_seen,
    )


def _api_key(key: domain.ApiKey) -> ApiKey:
    return ApiKey(
        id=ID(key.id),
        tenant_id=ID(key.tenant_id),
        name=key.name,
        role=key.role,
        device_ids=[ID(device_id) for device_id in key.device_ids],
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
    )


def _audit_entry(entry: domain.AuditEntry) -> AuditEntry:
    return AuditEntry(
        id=ID(entry.id),
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        before=None if entry.before is None else JSON(entry.before),
        after=None if entry.after is None else JSON(entry.after),
        ip=entry.ip,
    )
