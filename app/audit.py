"""The record of what people and programs did: who, what, on what, before and after."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.context import Context
from app.domain.ids import new_id
from app.domain.page import Page, decode_keyset, encode_keyset, require_first
from app.domain.plain import wire_name
from app.domain.tenant import PLATFORM, AuditEntry, Role
from app.errors import bad_field
from app.principal import Principal, read_scope

MOST_ENTRIES = 500
"""Entries in one page."""

Snapshot = msgspec.Struct | Mapping[str, Any] | None

_SECRETS = frozenset(("token", "tokens", "token_hash", "tokenHash", "secret", "secrets"))


async def write_audit(  # noqa: PLR0913, PLR0917 - who, where, what, on what, from what, to what: each call says all of it
    context: Context,
    principal: Principal,
    tenant_id: str | None,
    action: str,
    target: str,
    before: Snapshot,
    after: Snapshot,
) -> None:
    """Keeps one action, with the fields that it changed. `tenant_id` None is the platform; nothing secret is kept."""
    await context.store.audit.insert([audit_entry(context, principal, tenant_id, action, target, before, after)])


def audit_entry(  # noqa: PLR0913, PLR0917 - as above
    context: Context,
    principal: Principal,
    tenant_id: str | None,
    action: str,
    target: str,
    before: Snapshot,
    after: Snapshot,
) -> AuditEntry:
    """An entry to keep together with what it tells of."""
    now = context.clock.now()
    earlier, later = _changes(_readable(before), _readable(after))
    return AuditEntry(
        id=new_id(now),
        tenant_id=tenant_id or PLATFORM,
        at=now,
        actor=principal.id,
        action=action,
        target=target,
        before=earlier,
        after=later,
        ip=principal.ip,
    )


async def audit_log(
    context: Context, principal: Principal, tenant_id: str | None, first: int, after: str | None
) -> Page[AuditEntry]:
    """One page, newest first."""
    scope = read_scope(principal, tenant_id, Role.ADMIN)
    require_first(first, MOST_ENTRIES)
    entries = await context.store.audit.page(scope, None if after is None else _place(after), first + 1)
    shown = entries[:first]
    return Page(shown, len(entries) > first, [encode_keyset(_milliseconds(entry.at), entry.id) for entry in shown])


def _place(after: str) -> tuple[datetime, str]:
    match decode_keyset(after):
        case [int(milliseconds), str(entry_id)] if 0 <= milliseconds < 253_402_300_800_000:
            return datetime.fromtimestamp(milliseconds / 1000, UTC), entry_id
    raise bad_field("after", "is not a cursor of this list")


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _readable(value: Snapshot) -> dict[str, object] | None:
    """As JSON has it, in the names of the wire, without secrets."""
    if value is None:
        return None
    plain = _renamed(msgspec.to_builtins(value))
    return plain if isinstance(plain, dict) else None


def _renamed(value: object) -> object:
    if isinstance(value, dict):
        return {wire_name(str(name)): _renamed(inner) for name, inner in value.items() if name not in _SECRETS}
    if isinstance(value, list):
        return [_renamed(inner) for inner in value]
    return value


def _changes(
    before: dict[str, object] | None, after: dict[str, object] | None
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    if before is None or after is None:
        return before, after
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in changed}, {name: after.get(name) for name in changed}
