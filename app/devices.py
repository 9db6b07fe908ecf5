"""Devices: registering, changing, retiring and listing them, and their health."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import UNSET

from app.audit import write_audit
from app.context import Context
from app.domain.alert import Severity
from app.domain.beat import Beat, HealthStatus
from app.domain.device import Device, DeviceStatus, DeviceToken
from app.domain.device_filter import DeviceFilter, filter_errors
from app.domain.device_input import DevicePatch, check_device, given
from app.domain.health import device_health
from app.domain.ids import device_key, lane_of
from app.domain.page import Page, decode_keyset, encode_keyset, require_first
from app.domain.tenant import Role, Scope, Tenant, only
from app.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError, bad_field
from app.evaluation import refresh_wake_up, withdraw_device
from app.orphans import end_orphans
from app.principal import Principal, PrincipalKind, read_scope, require_tenant, write_tenant
from app.tenants import offline_after
from app.tokens import DEVICE, new_token

OVERLAP = timedelta(hours=24)
"""For how long the old token of a device holds beside the new one."""

MOST_BEATS = 1_000
MOST_IN_AN_ERROR = 128
"""Characters of what a caller wrote that are said back."""

_WHERE_RULES_LOOK = {"store_id", "kind", "tags"}


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a beat says of a device that nobody registered."""

    store_id: str | None = None
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None


async def get_device(context: Context, principal: Principal, tenant_id: str | None, device_id: str) -> Device | None:
    """A device; one that beats reads itself alone. Without a tenant, the caller's only one of that id."""
    if principal.kind is PrincipalKind.DEVICE or principal.device_keys is not None:
        return await _own_device(context, principal, tenant_id, device_id)
    scope = read_scope(principal, tenant_id)
    found = await context.store.devices.named(scope, device_id)
    if len(found) > 1:
        raise bad_field("tenantId", f"say which tenant: more than one has a device {device_id!r}")
    return found[0] if found else None


async def list_devices(
    context: Context, principal: Principal, tenant_id: str | None, chosen: DeviceFilter, first: int, after: str | None
) -> Page[Device]:
    """By device id."""
    scope = read_scope(principal, tenant_id)
    if errors := filter_errors(chosen):
        raise BadInputError(errors)
    require_first(first)
    found = await context.store.devices.page(scope, chosen, await _troubled(context, scope, chosen), _place(after), first + 1)
    shown = found[:first]
    return Page(shown, len(found) > first, [encode_keyset(device.device_id, device.tenant_id) for device in shown])


async def count_devices(context: Context, principal: Principal, tenant_id: str | None, chosen: DeviceFilter) -> int:
    scope = read_scope(principal, tenant_id)
    if errors := filter_errors(chosen):
        raise BadInputError(errors)
    return await context.store.devices.count(scope, chosen, await _troubled(context, scope, chosen))


async def history_of(context: Context, device: Device, start: datetime | None, end: datetime | None, first: int) -> list[Beat]:
    """The beats of a device that the caller has already been given, newest first."""
    require_first(first, MOST_BEATS)
    if start is not None and end is not None and start >= end:
        raise bad_field("range", "must begin before it ends")
    return await context.store.heartbeats.history(only(device.tenant_id), device.tenant_id, device.device_id, start, end, first)


async def health_of(context: Context, devices: Sequence[Device]) -> dict[str, HealthStatus]:
    """The health of each, by device key, in one question."""
    scope = Scope(frozenset(device.tenant_id for device in devices))
    live = await context.store.alerts.live_severities(scope, [device.id for device in devices]) if devices else {}
    return {device.id: device_health(device.status, device.services_health, live.get(device.id, ())) for device in devices}


async def register_device(context: Context, principal: Principal, wanted: DevicePatch) -> tuple[Device, str]:
    """A new device and its token, which is shown this once. The id of a retired one may be given again: it starts anew."""
    tenant = await _writable_tenant(context, principal, wanted.tenant_id, "input.tenantId")
    check_device(wanted, principal.scope)
    _require_room(tenant, await context.store.devices.count_present(tenant.id))
    now = context.clock.now()
    token_id, token, token_hash = new_token(DEVICE)
    device = await _new_device(context, tenant, wanted, DeviceToken(id=token_id, token_hash=token_hash, created_at=now))
    if not await context.store.devices.insert(device) and not await context.store.devices.bring_back(device):
        raise ConflictError(f"device {wanted.device_id!r} is registered in tenant {tenant.id!r} already", {"id": device.id})
    await refresh_wake_up(context, tenant, device)
    await write_audit(context, principal, tenant.id, "device.register", f"device:{device.device_id}", None, _shown(device))
    return device, token


async def auto_register(context: Context, tenant: Tenant, device_id: str, profile: DeviceProfile) -> Device:
    """A device that beats for the first time where beats may register: without a token of its own, under the same quota."""
    # Counted before it is looked for: of two first beats at once, the second may find the last place taken by its own device.
    present = await context.store.devices.count_present(tenant.id)
    there = await context.store.devices.get(only(tenant.id), tenant.id, device_id)
    if there is None:
        _require_room(tenant, present)
        wanted = DevicePatch(
            device_id=device_id, **{name: getattr(profile, name) for name in ("store_id", "name", "hostname", "kind")}
        )
        device = await _new_device(context, tenant, wanted, None)
        if await context.store.devices.insert(device):
            await refresh_wake_up(context, tenant, device)
            return device
        there = await context.store.devices.get(only(tenant.id), tenant.id, device_id)
    if there is None or there.retired_at is not None:
        raise ConflictError(f"device {device_id!r} of tenant {tenant.id!r} was retired; registerDevice brings it back")
    return there


async def update_device(context: Context, principal: Principal, patch: DevicePatch) -> Device:
    """Changes what the patch names."""
    tenant = await _writable_tenant(context, principal, patch.tenant_id, "input.tenantId")
    check_device(patch, principal.scope)
    before = await _present(context, tenant.id, patch.device_id)
    fields = {name: value for name, value in given(patch).items() if name != "offline_after_sec"}
    fields = {name: () if value is None and name in ("tags", "hosted_tenant_ids") else value for name, value in fields.items()}
    if patch.offline_after_sec is not UNSET:
        effective = await offline_after(context, tenant) if patch.offline_after_sec is None else patch.offline_after_sec
        fields |= {"own_offline_after": patch.offline_after_sec, "offline_after": effective, "wake_after": effective}
    fields["changed_at"] = context.clock.now()
    after = await context.store.devices.change(only(tenant.id), before.id, fields)
    if after is None:
        raise _gone(patch.device_id, tenant.id)
    await refresh_wake_up(context, tenant, after)
    if _WHERE_RULES_LOOK & fields.keys():
        await end_orphans(context, only(tenant.id))
    await write_audit(context, principal, tenant.id, "device.update", f"device:{after.device_id}", _shown(before), _shown(after))
    return after


async def rotate_device_token(
    context: Context, principal: Principal, tenant_id: str | None, device_id: str
) -> tuple[Device, str]:
    """A new token, shown this once; the old one holds for another day."""
    tenant = await _writable_tenant(context, principal, tenant_id)
    before = await _present(context, tenant.id, device_id)
    now = context.clock.now()
    token_id, token, token_hash = new_token(DEVICE)
    made = DeviceToken(id=token_id, token_hash=token_hash, created_at=now)
    after = await context.store.devices.add_token(only(tenant.id), before.id, made, now + OVERLAP)
    if after is None:
        raise _gone(device_id, tenant.id)
    await write_audit(context, principal, tenant.id, "device.rotate_token", f"device:{device_id}", None, {"tokenId": token_id})
    return after, token


async def retire_device(context: Context, principal: Principal, tenant_id: str | None, device_id: str) -> Device:
    """Takes a device out of service: its tokens end, its alerts end, nobody misses it any more."""
    tenant = await _writable_tenant(context, principal, tenant_id)
    await _present(context, tenant.id, device_id)
    after = await context.store.devices.retire(only(tenant.id), device_key(tenant.id, device_id), context.clock.now())
    if after is None:
        raise _gone(device_id, tenant.id)
    context.intake.roll.forget(after.id)
    context.intake.busy.forget(after.id)
    context.credentials.forget_programs()
    await withdraw_device(context, after, "the device was retired")
    retired = {"retiredAt": after.retired_at}
    await write_audit(context, principal, tenant.id, "device.retire", f"device:{device_id}", None, retired)
    return after


async def _own_device(context: Context, principal: Principal, tenant_id: str | None, device_id: str) -> Device | None:
    tenants = [tenant_id] if tenant_id is not None else sorted(principal.tenant_ids or ())
    for one in tenants:
        require_tenant(principal, one)
        if principal.may_beat_for(one, device_id):
            return await context.store.devices.get(only(one), one, device_id)
    raise ForbiddenError("this token reads its own device alone")


async def _writable_tenant(context: Context, principal: Principal, tenant_id: str | None, path: str = "tenantId") -> Tenant:
    wanted = write_tenant(principal, tenant_id, Role.ADMIN, path)
    tenant = await context.store.tenants.get(wanted)
    if tenant is None:
        raise NotFoundError(f"tenant {wanted!r} does not exist; a super admin makes it with createTenant")
    return tenant


async def _present(context: Context, tenant_id: str, device_id: str) -> Device:
    device = await context.store.devices.get(only(tenant_id), tenant_id, device_id)
    if device is None or device.retired_at is not None:
        raise _gone(device_id, tenant_id)
    return device


def _gone(device_id: str, tenant_id: str) -> NotFoundError:
    return NotFoundError(f"tenant {tenant_id!r} has no device {device_id[:MOST_IN_AN_ERROR]!r}, or it was retired")


def _require_room(tenant: Tenant, present: int) -> None:
    if present >= tenant.max_devices:
        raise ConflictError(
            f"tenant {tenant.id!r} has {present} devices of {tenant.max_devices} allowed: retire some, or raise maxDevices",
            {"devices": present, "maxDevices": tenant.max_devices},
        )


async def _new_device(context: Context, tenant: Tenant, wanted: DevicePatch, token: DeviceToken | None) -> Device:
    now = context.clock.now()
    said = {name: value for name, value in given(wanted).items() if value is not None}
    own = said.pop("offline_after_sec", None)
    effective = await offline_after(context, tenant) if own is None else own
    return Device(
        id=device_key(tenant.id, wanted.device_id),
        tenant_id=tenant.id,
        device_id=wanted.device_id,
        lane=lane_of(tenant.id),
        status=DeviceStatus.UNKNOWN,
        since=now,
        created_at=now,
        changed_at=now,
        own_offline_after=own,
        offline_after=effective,
        wake_after=effective,
        tokens=() if token is None else (token,),
        **said,
    )


def _shown(device: Device) -> dict[str, object]:
    fields = (
        "device_id",
        "store_id",
        "name",
        "hostname",
        "kind",
        "description",
        "tags",
        "own_offline_after",
        "timezone",
        "gateway_id",
    )
    return {name: getattr(device, name) for name in (*fields, "hosted_tenant_ids")}


def _place(after: str | None) -> tuple[str, str] | None:
    if after is None:
        return None
    match decode_keyset(after):
        case [str(device_id), str(tenant_id)]:
            return device_id, tenant_id
    raise bad_field("after", "is not a cursor of this list")


async def _troubled(context: Context, scope: Scope, chosen: DeviceFilter) -> dict[str, set[Severity]]:
    return await context.store.alerts.severities_by_device(scope) if chosen.health else {}
