"""Bringing what is live into line with rules as they now are."""

from app.context import Context
from app.domain.rule import CountCondition, Rule, ServiceCondition, counted_for
from app.domain.rule_input import overlaid
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.evaluation import refresh_wake_ups, withdraw_rule
from app.orphans import end_orphans


async def follow(context: Context, before: Rule, after: Rule, scope: Scope) -> None:
    """Ends what is live where the rule that opened it would not do so any more, and wakes the devices by the new one."""
    await end_outlived(context, before, after, scope)
    await refresh_wake_ups(context, scope)


async def follow_default(context: Context, before: Rule, after: Rule) -> None:
    """The same for a rule of the platform: wherever it is inherited, and what shows through the tenants' versions of it."""
    own = await context.store.rules.own_of_key(after.key)
    for rule in own:
        if rule.overridden is not None and rule.tenant_id is not None:
            await end_outlived(context, overlaid(rule, before), overlaid(rule, after), only(rule.tenant_id))
    await end_outlived(context, before, after, await _all_but(context, {rule.tenant_id for rule in own}))
    await refresh_wake_ups(context, EVERY_TENANT)


async def end_outlived(context: Context, before: Rule, after: Rule, scope: Scope) -> None:
    if not after.enabled:
        await withdraw_rule(context, scope, after.key, "the rule was switched off")
    elif _looks_elsewhere(before, after):
        await withdraw_rule(context, scope, after.key, "the rule looks at something else now")
    elif before.scope != after.scope:
        await end_orphans(context, scope)
    if before.severity is not after.severity:
        await context.store.rule_states.wake_rule(scope, after.key, context.clock.now())


async def follow_end(context: Context, ended: Rule, scope: Scope) -> None:
    """What is left to do when a tenant's own rule is gone; where it stood in for a default, that one holds again."""
    await withdraw_rule(context, scope, ended.key, "the rule was deleted")
    await refresh_wake_ups(context, scope)


async def _all_but(context: Context, tenant_ids: set[str | None]) -> Scope:
    if not tenant_ids:
        return EVERY_TENANT
    return Scope(frozenset(tenant.id for tenant in await context.store.tenants.list(EVERY_TENANT)) - tenant_ids)


def _looks_elsewhere(before: Rule, after: Rule) -> bool:
    """At another kind of thing, or on behalf of others: the subjects of before would never be looked at again."""
    was, now = before.condition, after.condition
    if type(was) is not type(now):
        return True
    if isinstance(was, ServiceCondition) and isinstance(now, ServiceCondition):
        return was.service != now.service and now.service is not None
    if isinstance(was, CountCondition) and isinstance(now, CountCondition):
        return counted_for(before, was) is not counted_for(after, now)
    return False
