"""Making, changing, switching and deleting rules."""

import msgspec
from msgspec import UNSET

from app.audit import write_audit
from app.channel_access import check_shared
from app.context import Context
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.rule import Rule
from app.domain.rule_check import MOST_RULES, check_key, check_rule, key_from_name
from app.domain.rule_input import RuleInput, RulePatch, patched
from app.domain.tenant import Role, only
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.principal import Principal, read_scope, require_super_admin, write_tenant
from app.rule_following import follow, follow_end
from app.rule_overrides import TRIES, default_of, keep_change, moved_on
from app.rules import held_rule
from app.tenants import known_tenant


async def create_rule(context: Context, principal: Principal, tenant_id: str | None, wanted: RuleInput) -> Rule:
    """Makes a tenant's own rule; one with the key of a rule of the platform takes its place in that tenant."""
    tenant_id, faults = write_tenant(principal, tenant_id, Role.ADMIN), Faults()
    await check_shared(context, tenant_id, wanted.channel_ids, "input.channelIds", faults)
    rule = _new_rule(context, principal, tenant_id, wanted, faults)
    await known_tenant(context, tenant_id)
    kept = await context.store.rules.applying([tenant_id])
    if sum(other.tenant_id is not None and other.overridden is None for other in kept) >= MOST_RULES:
        raise ConflictError(f"the tenant has {MOST_RULES} rules, which is as many as it may have")
    if not await context.store.rules.insert(rule):
        raise ConflictError(f"tenant {tenant_id!r} has a rule {rule.key!r} already", {"key": rule.key})
    await write_audit(context, principal, tenant_id, "rule.create", f"rule:{rule.key}", None, rule)
    replaced = next((other for other in kept if other.tenant_id is None and other.key == rule.key), None)
    await follow(context, replaced or rule, rule, only(tenant_id))
    return rule


async def update_rule(context: Context, principal: Principal, rule_id: str, patch: RulePatch, version: int | None = None) -> Rule:
    """Changes what the patch names. Raises ConflictError where the rule is not of that version any more."""
    return await _change(context, principal, rule_id, "rule.update", patch, version)


async def set_rule_enabled(context: Context, principal: Principal, rule_id: str, enabled: bool) -> Rule:
    action = "rule.enable" if enabled else "rule.disable"
    return await _change(context, principal, rule_id, action, RulePatch(enabled=enabled))


async def delete_rule(context: Context, principal: Principal, rule_id: str) -> bool:
    """Deletes a tenant's own rule; where it stood in for one of the platform, or was its version, that one holds again."""
    rule = await _own_to_change(context, principal, rule_id)
    if rule.tenant_id is None:
        raise ForbiddenError("a rule of the platform stays: switch it off instead")
    default = await default_of(context, rule)
    if not await context.store.rules.delete(rule):
        raise NotFoundError(f"there is no rule {rule_id!r}")
    await write_audit(context, principal, rule.tenant_id, "rule.delete", f"rule:{rule.key}", rule, None)
    if default is None:
        await follow_end(context, rule, only(rule.tenant_id))
    else:
        await follow(context, rule, default, only(rule.tenant_id))
    return True


async def _change(
    context: Context, principal: Principal, rule_id: str, action: str, patch: RulePatch, version: int | None = None
) -> Rule:
    """Compare-and-set on the version that was read, again while others are faster."""
    for _ in range(TRIES):
        rule = await _own_to_change(context, principal, rule_id)
        if version is not None and rule.version != version:
            raise moved_on(rule)
        default, faults = await default_of(context, rule), Faults()
        if rule.tenant_id is not None and patch.channel_ids is not UNSET:
            await check_shared(context, rule.tenant_id, patch.channel_ids, "patch.channelIds", faults)
        after = await keep_change(context, principal, action, rule, patched(rule, patch, default, faults), default)
        if after is not None:
            return after
    raise moved_on(await _own_to_change(context, principal, rule_id))


async def _own_to_change(context: Context, principal: Principal, rule_id: str) -> Rule:
    scope = read_scope(principal, None, Role.ADMIN)
    rule = await held_rule(context, scope, rule_id)
    if rule is None:
        raise NotFoundError(f"there is no rule {rule_id!r}")
    if rule.tenant_id is None:
        require_super_admin(principal)
    return rule


def _new_rule(context: Context, principal: Principal, tenant_id: str, wanted: RuleInput, faults: Faults) -> Rule:
    now = context.clock.now()
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
