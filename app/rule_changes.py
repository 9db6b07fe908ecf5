"""Making, changing, switching and deleting rules, and bringing what is live into line with them."""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from app.audit import write_audit
from app.context import Context
from app.domain.alert import Severity
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.rule import Condition, Rule, RuleScope
from app.domain.rule_check import check_key, check_rule, key_from_name
from app.domain.tenant import EVERY_TENANT, Role, Scope, only
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.evaluation import refresh_wake_ups, withdraw_rule
from app.orphans import end_orphans
from app.principal import Principal, read_scope, require_super_admin, write_tenant
from app.tenants import known_tenant

MOST_RULES = 500
"""Rules of a tenant's own: a tick looks at all of them."""

_TRIES = 5


class RuleInput(msgspec.Struct, frozen=True, kw_only=True):
    """A rule to make."""

    name: str
    severity: Severity
    condition: Condition
    key: str | None = None
    description: str | None = None
    scope: RuleScope = RuleScope()
    enabled: bool = True
    for_sec: int = 0
    keep_firing_sec: int = 0
    cooldown_sec: int = 900
    auto_resolve: bool = True
    runbook_url: str | None = None


class RulePatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is; None clears, where a rule can be without."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    severity: Severity | UnsetType | None = UNSET
    condition: Condition | UnsetType | None = UNSET
    scope: RuleScope | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    for_sec: int | UnsetType | None = UNSET
    keep_firing_sec: int | UnsetType | None = UNSET
    cooldown_sec: int | UnsetType | None = UNSET
    auto_resolve: bool | UnsetType | None = UNSET
    runbook_url: str | UnsetType | None = UNSET


_MAY_BE_NONE = ("description", "runbook_url")
_WIRE_NAMES = {
    "for_sec": "forSec",
    "keep_firing_sec": "keepFiringSec",
    "cooldown_sec": "cooldownSec",
    "auto_resolve": "autoResolve",
}


async def create_rule(context: Context, principal: Principal, tenant_id: str | None, wanted: RuleInput) -> Rule:
    """Makes a tenant's own rule; one with the key of a rule of the platform takes its place in that tenant."""
    tenant_id = write_tenant(principal, tenant_id, Role.ADMIN)
    rule = _new_rule(context, principal, tenant_id, wanted)
    await known_tenant(context, tenant_id)
    kept = await context.store.rules.applying([tenant_id])
    if sum(other.tenant_id is not None for other in kept) >= MOST_RULES:
        raise ConflictError(f"the tenant has {MOST_RULES} rules, which is as many as it may have")
    if not await context.store.rules.insert(rule):
        raise ConflictError(f"tenant {tenant_id!r} has a rule {rule.key!r} already", {"key": rule.key})
    await write_audit(context, principal, tenant_id, "rule.create", f"rule:{rule.key}", None, rule)
    replaced = next((other for other in kept if other.tenant_id is None and other.key == rule.key), None)
    await _follow(context, replaced or rule, rule, only(tenant_id))
    return rule


async def update_rule(context: Context, principal: Principal, rule_id: str, patch: RulePatch, version: int | None = None) -> Rule:
    """Changes what the patch names. Raises ConflictError where the rule is not of that version any more."""

    def patched(rule: Rule) -> Rule:
        if version is not None and rule.version != version:
            raise _moved_on(rule)
        return _patched(rule, patch)

    return await _change(context, principal, rule_id, "rule.update", patched)


async def set_rule_enabled(context: Context, principal: Principal, rule_id: str, enabled: bool) -> Rule:
    action = "rule.enable" if enabled else "rule.disable"
    return await _change(context, principal, rule_id, action, lambda rule: msgspec.structs.replace(rule, enabled=enabled))


async def delete_rule(context: Context, principal: Principal, rule_id: str) -> bool:
    """Deletes a tenant's own rule; where it stood in for one of the platform, that one holds again."""
    rule = await _own_to_change(context, principal, rule_id)
    if rule.tenant_id is None:
        raise ForbiddenError("a rule of the platform stays: switch it off instead")
    if not await context.store.rules.delete(rule):
        raise NotFoundError(f"there is no rule {rule_id!r}")
    await write_audit(context, principal, rule.tenant_id, "rule.delete", f"rule:{rule.key}", rule, None)
    await withdraw_rule(context, only(rule.tenant_id), rule.key, "the rule was deleted")
    await refresh_wake_ups(context, only(rule.tenant_id))
    return True


async def _change(context: Context, principal: Principal, rule_id: str, action: str, change: Callable[[Rule], Rule]) -> Rule:
    """Compare-and-set on the version that was read, again while others are faster."""
    for _ in range(_TRIES):
        before = await _own_to_change(context, principal, rule_id)
        wanted = change(before)
        if wanted == before:
            # What a crash left undone after the change itself is done by saying it again.
            await _follow(context, before, before, await _inheriting(context, before))
            return before
        moved = msgspec.structs.replace(
            wanted,
            version=before.version + 1,
            updated_at=context.clock.now(),
            updated_by=principal.id,
            last_error=None,
            error_count=0,
        )
        after = await context.store.rules.replace(moved, before.version)
        if after is not None:
            await write_audit(context, principal, after.tenant_id, action, f"rule:{after.key}", before, after)
            await _follow(context, before, after, await _inheriting(context, after))
            return after
    raise _moved_on(await _own_to_change(context, principal, rule_id))


async def _own_to_change(context: Context, principal: Principal, rule_id: str) -> Rule:
    scope = read_scope(principal, None, Role.ADMIN)
    rule = await context.store.rules.get(scope, rule_id)
    if rule is None:
        raise NotFoundError(f"there is no rule {rule_id!r}")
    if rule.tenant_id is None:
        require_super_admin(principal)
    return rule


async def _inheriting(context: Context, rule: Rule) -> Scope:
    """The tenants that a rule holds for."""
    if rule.tenant_id is not None:
        return only(rule.tenant_id)
    overriding = {tenant_id for tenant_id, _ in await context.store.rules.overriding([rule.key])}
    if not overriding:
        return EVERY_TENANT
    return Scope(frozenset(tenant.id for tenant in await context.store.tenants.list(EVERY_TENANT)) - overriding)


async def _follow(context: Context, before: Rule, after: Rule, scope: Scope) -> None:
    """Ends what is live where the rule that opened it would not do so any more, and wakes the devices by the new one."""
    if not after.enabled:
        await withdraw_rule(context, scope, after.key, "the rule was switched off")
    elif before.scope != after.scope:
        await end_orphans(context, scope)
    elif type(before.condition) is not type(after.condition):
        await withdraw_rule(context, scope, after.key, "the rule looks at something else now")
    await refresh_wake_ups(context, scope)


def _new_rule(context: Context, principal: Principal, tenant_id: str, wanted: RuleInput) -> Rule:
    now, faults = context.clock.now(), Faults()
    key = key_from_name(wanted.name[:200]) if wanted.key is None else wanted.key
    if wanted.key is None and not key:
        faults.require(not wanted.name.strip(), "input.key", "cannot be made from the name: give one")
    else:
        check_key(key, "input", faults)
    rule = Rule(
        id=new_id(now),
        tenant_id=tenant_id,
        created_at=now,
        updated_at=now,
        updated_by=principal.id,
        **{**msgspec.structs.asdict(wanted), "key": key},
    )
    check_rule(rule, "input", faults)
    faults.refuse()
    return rule


def _patched(rule: Rule, patch: RulePatch) -> Rule:
    given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET}
    if given.get("scope", UNSET) is None:
        given["scope"] = RuleScope()
    faults = Faults()
    for name in [name for name, value in given.items() if value is None and name not in _MAY_BE_NONE]:
        faults.add(f"patch.{_WIRE_NAMES.get(name, name)}", "must have a value")
        del given[name]
    changed = msgspec.structs.replace(rule, **given)
    check_rule(changed, "patch", faults)
    faults.refuse()
    return changed


def _moved_on(rule: Rule) -> ConflictError:
    current = {"id": rule.id, "version": rule.version, "enabled": rule.enabled, "updatedBy": rule.updated_by}
    return ConflictError(f"the rule was changed meanwhile: it is version {rule.version} now", current)
