"""Keys for programs: shown once, kept as a hash."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.audit import write_audit
from app.context import Context
from app.domain.faults import Faults
from app.domain.ids import is_device_id
from app.domain.tenant import ApiKey, Role, only
from app.errors import ForbiddenError, NotFoundError
from app.principal import Principal, PrincipalKind, read_scope, write_tenant
from app.tenants import known_tenant
from app.tokens import API_KEY, new_token

MOST_DEVICES = 1_000
"""Devices that a key may be limited to."""


class ApiKeyInput(msgspec.Struct, frozen=True, kw_only=True):
    """A key to make. Without devices it is for the whole tenant; without an end it lasts until it is revoked."""

    name: str
    role: Role
    tenant_id: str | None = None
    device_ids: Sequence[str] | None = None
    expires_at: datetime | None = None


async def list_api_keys(context: Context, principal: Principal, tenant_id: str | None) -> list[ApiKey]:
    """Those that were not revoked, newest first."""
    return await context.store.api_keys.list(read_scope(principal, tenant_id, Role.ADMIN))


async def create_api_key(context: Context, principal: Principal, wanted: ApiKeyInput) -> tuple[ApiKey, str]:
    """The key, and its token, which nobody can see again."""
    tenant_id = write_tenant(principal, wanted.tenant_id, Role.ADMIN)
    if principal.kind is not PrincipalKind.PERSON:
        raise ForbiddenError("keys are made by people: a key that makes keys could not be revoked")
    now = context.clock.now()
    _check(principal, wanted, now)
    await known_tenant(context, tenant_id)
    made = new_token(API_KEY)
    key = ApiKey(
        id=made.id,
        tenant_id=tenant_id,
        name=wanted.name,
        role=wanted.role,
        device_ids=list(dict.fromkeys(wanted.device_ids or ())),
        token_hash=made.token_hash,
        created_at=now,
        created_by=principal.id,
        expires_at=wanted.expires_at,
    )
    await context.store.api_keys.insert(only(tenant_id), key)
    await write_audit(context, principal, tenant_id, "api_key.create", f"api_key:{key.id}", None, key)
    return key, made.token


async def revoke_api_key(context: Context, principal: Principal, key_id: str) -> bool:
    """False where it was revoked before. Other processes may take the key for a few seconds more."""
    scope = read_scope(principal, None, Role.ADMIN)
    key = await context.store.api_keys.get(scope, key_id)
    if key is None:
        raise NotFoundError(f"there is no API key {key_id!r}")
    now = context.clock.now()
    revoked = await context.store.api_keys.revoke(only(key.tenant_id), key_id, now)
    context.credentials.forget_programs()
    if revoked:
        gone = msgspec.structs.replace(key, revoked_at=now)
        await write_audit(context, principal, key.tenant_id, "api_key.revoke", f"api_key:{key_id}", key, gone)
    return revoked


def _check(principal: Principal, wanted: ApiKeyInput, now: datetime) -> None:
    faults = Faults()
    faults.title("name", wanted.name, 100)
    may_give = Role.ADMIN.covers(wanted.role) and principal.role is not None and principal.role.covers(wanted.role)
    faults.require(may_give, "role", "should be at most ADMIN, and at most the maker's own")
    faults.require(wanted.expires_at is None or wanted.expires_at > now, "expiresAt", "should be in the future")
    # An empty list must not make a key for every device, which is what the key of a whole tenant is.
    some = wanted.device_ids is None or 0 < len(wanted.device_ids) <= MOST_DEVICES
    faults.require(some, "deviceIds", f"should be 1 to {MOST_DEVICES} devices, or left out for the whole tenant")
    for index, device_id in enumerate((wanted.device_ids or ())[:MOST_DEVICES]):
        faults.require(is_device_id(device_id), f"deviceIds[{index}]", "should be 1 to 128 printable characters")
    faults.refuse()
