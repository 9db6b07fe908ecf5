"""A tenant's own version of a rule of the platform: it sets some fields itself, and follows the default in the others."""

import msgspec
from msgspec import UNSET

from app.audit import write_audit
from app.channel_access import check_shared
from app.context import Context
from app.domain.faults import Faults
from app.domain.rule import Rule
from app.domain.rule_input import RulePatch, override_of, patched
from app.domain.tenant import Role, Tenant, only
from app.errors import ConflictError, NotFoundError
from app.principal import Principal, write_tenant
from app.rule_following import follow, follow_default
from app.rules import inherited_rule
from app.tenants import known_tenant

TRIES = 5
"""How often a change is tried again while others are faster."""


async def override_rule(context: Context, principal: Principal, tenant_id: str | None, key: str, patch: RulePatch) -> Rule:
    """Sets what the patch names in the tenant's version of a default, which is made where there is none.

    None returns a field that must have a value to the default. The rule as it then is: the default where nothing is overridden.
    """
    tenant = await known_tenant(context, write_tenant(principal, tenant_id, Role.ADMIN))
    for _ in range(TRIES):
        own, default = await _to_override(context, tenant, key)
        faults = Faults()
        if patch.channel_ids is not UNSET:
            await check_shared(context, tenant.id, patch.channel_ids, "patch.channelIds", faults)
        wanted = patched(own or override_of(default, tenant.id, context.clock.now()), patch, default, faults)
        if own is None:
            after = await _make(context, principal, wanted, default)
        else:
            after = await keep_change(context, principal, "rule.override", own, wanted, default)
        if after is not None:
            return after
    raise moved_on((await _to_override(context, tenant, key))[1])


async def keep_change(
    context: Context, principal: Principal, action: str, before: Rule, wanted: Rule, default: Rule | None
) -> Rule | None:
    """The rule as it then is; None where it was changed meanwhile. With a default, `wanted` may override nothing any more."""
    if default is not None and not wanted.overridden:
        return await _remove(context, principal, action, before, default)
    if wanted == before:
        # What a crash left undone after the change itself is done by saying it again.
        await _follow(context, before, before)
        return before
    after = await context.store.rules.replace(next_version(context, principal, before, wanted), before.version)
    if after is not None:
        await write_audit(context, principal, after.tenant_id, action, f"rule:{after.key}", before, after)
        await _follow(context, before, after)
    return after


async def default_of(context: Context, rule: Rule) -> Rule | None:
    """What a tenant's version of a default follows, as that tenant has it; None for a rule that stands alone."""
    if rule.tenant_id is None or rule.overridden is None:
        return None
    _, default = await inherited_rule(context, await known_tenant(context, rule.tenant_id), rule.key)
    return default


def next_version(context: Context, principal: Principal, before: Rule, wanted: Rule) -> Rule:
    return msgspec.structs.replace(
        wanted,
        version=before.version + 1,
        updated_at=context.clock.now(),
        updated_by=principal.id,
        last_error=None,
        error_count=0,
    )


def moved_on(rule: Rule) -> ConflictError:
    current = {"id": rule.id, "version": rule.version, "enabled": rule.enabled, "updatedBy": rule.updated_by}
    return ConflictError(f"the rule was changed meanwhile: it is version {rule.version} now", current)


async def _to_override(context: Context, tenant: Tenant, key: str) -> tuple[Rule | None, Rule]:
    own, default = await inherited_rule(context, tenant, key)
    if default is None:
        raise NotFoundError(f"the platform has no rule {key[:64]!r} to override")
    if own is not None and own.overridden is None:
        raise ConflictError(
            f"tenant {tenant.id!r} has a rule {key!r} that stands alone: change that one, or delete it first",
            {"id": own.id, "key": key, "version": own.version},
        )
    return own, default


async def _make(context: Context, principal: Principal, wanted: Rule, default: Rule) -> Rule | None:
    if not wanted.overridden:
        return default
    made = msgspec.structs.replace(wanted, updated_by=principal.id)
    if not await context.store.rules.insert(made):
        return None
    await write_audit(context, principal, made.tenant_id, "rule.override", f"rule:{made.key}", default, made)
    await _follow(context, default, made)
    return made


async def _remove(context: Context, principal: Principal, action: str, before: Rule, default: Rule) -> Rule | None:
    if not await context.store.rules.delete(before, before.version):
        return None
    await write_audit(context, principal, before.tenant_id, action, f"rule:{before.key}", before, default)
    if before.tenant_id is not None:
        await follow(context, before, default, only(before.tenant_id))
    return default


async def _follow(context: Context, before: Rule, after: Rule) -> None:
    if after.tenant_id is None:
        await follow_default(context, before, after)
    else:
        await follow(context, before, after, only(after.tenant_id))
