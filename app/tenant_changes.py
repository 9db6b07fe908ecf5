"""Making tenants and changing their settings."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.audit import write_audit
from app.channel_access import check_shared
from app.context import Context
from app.domain.faults import WEEK, Faults
from app.domain.ids import is_tenant_id
from app.domain.plain import wire_name
from app.domain.rule_check import MOST_AN_HOUR, check_channel_ids
from app.domain.tenant import Role, Tenant, only
from app.errors import ConflictError, NotFoundError
from app.evaluation import refresh_wake_ups
from app.principal import Principal, require_super_admin, write_tenant
from app.tenants import known_tenant

MOST_DEVICES = 1_000_000
SMALLEST_SHARE = 0.01
"""Of a place's devices; with less, any two of them would be the place's trouble."""


class TenantPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is; None returns to the platform's setting where there is one."""

    name: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    offline_after_sec: int | UnsetType | None = UNSET
    sync_lag_warn_sec: int | UnsetType | None = UNSET
    heartbeat_retention_days: int | UnsetType | None = UNSET
    device_auth: bool | UnsetType | None = UNSET
    max_devices: int | UnsetType | None = UNSET
    cooldown_sec: int | UnsetType | None = UNSET
    max_alerts_per_hour: int | UnsetType | None = UNSET
    shared_fate_ratio: float | UnsetType | None = UNSET
    shared_fate_min: int | UnsetType | None = UNSET
    default_channel_ids: tuple[str, ...] | UnsetType | None = UNSET


_FOLLOWS = ("offline_after_sec", "sync_lag_warn_sec", "max_alerts_per_hour", "default_channel_ids")
_BOUNDS: dict[str, tuple[float, float]] = {
    "offline_after_sec": (1, WEEK),
    "sync_lag_warn_sec": (1, WEEK),
    "heartbeat_retention_days": (1, 365),
    "max_devices": (1, MOST_DEVICES),
    "cooldown_sec": (0, WEEK),
    "max_alerts_per_hour": (1, MOST_AN_HOUR),
    "shared_fate_ratio": (SMALLEST_SHARE, 1),
    "shared_fate_min": (2, MOST_DEVICES),
}


async def create_tenant(context: Context, principal: Principal, tenant_id: str, patch: TenantPatch) -> Tenant:
    """Makes a tenant; what the patch leaves out, or has as None, is as for everybody."""
    require_super_admin(principal)
    faults = Faults()
    hint = "should be a slug: 1 to 63 lower-case letters, digits, - and _, beginning with a letter or a digit"
    faults.require(is_tenant_id(tenant_id), "id", hint)
    given = {name: value for name, value in _given(patch).items() if value is not None}
    check_settings(given, "input", faults)
    check_channel_ids(given.get("default_channel_ids", ()), (), "input.defaultChannelIds", faults)
    faults.refuse()
    tenant = Tenant(**{"name": tenant_id, **given, "id": tenant_id, "created_at": context.clock.now()})
    if not await context.store.tenants.insert(tenant):
        raise ConflictError(f"tenant {tenant_id!r} is there already", {"tenantId": tenant_id})
    await write_audit(context, principal, tenant_id, "tenant.create", f"tenant:{tenant_id}", None, tenant)
    return tenant


async def update_tenant_config(context: Context, principal: Principal, tenant_id: str | None, patch: TenantPatch) -> Tenant:
    """Changes what the patch names. Devices without an offline time of their own follow a new one at once."""
    tenant_id = write_tenant(principal, tenant_id, Role.ADMIN)
    faults, given = Faults(), _given(patch)
    for name, value in given.items():
        faults.require(value is not None or name in _FOLLOWS, _path(name), "must have a value")
    check_settings({name: value for name, value in given.items() if value is not None}, "input", faults)
    await check_shared(context, tenant_id, given.get("default_channel_ids"), "input.defaultChannelIds", faults)
    faults.refuse()
    before = await known_tenant(context, tenant_id)
    if not given:
        return before
    after = await context.store.tenants.change(tenant_id, given)
    if after is None:
        raise NotFoundError(f"tenant {tenant_id!r} is gone")
    await write_audit(context, principal, tenant_id, "tenant.update", f"tenant:{tenant_id}", before, after)
    # Asked of the patch and not of the values: a refresh that a crash had swallowed is mended by saying it again.
    if "offline_after_sec" in given:
        await refresh_wake_ups(context, only(tenant_id))
    return after


def _given(patch: TenantPatch) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET}


def check_settings(given: Mapping[str, Any], prefix: str, faults: Faults) -> None:
    """Adds what is wrong with settings by their names of the domain, below `prefix`."""
    for name, (low, high) in _BOUNDS.items():
        if name in given:
            faults.between(_path(name, prefix), given[name], low, high)
    if "name" in given:
        faults.title(_path("name", prefix), given["name"], 200)
    if "timezone" in given:
        faults.zone(_path("timezone", prefix), given["timezone"])


def _path(name: str, prefix: str = "input") -> str:
    return f"{prefix}.{wire_name(name)}"
