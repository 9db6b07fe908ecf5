"""Reading rules: those of a tenant, with what it inherits from the platform."""

from collections.abc import Iterable, Sequence
from functools import reduce

import msgspec

from app.context import Context
from app.domain.defaults import SYNC_LAG_KEY
from app.domain.rule import Comparison, MetricCondition, Rule
from app.domain.tenant import EVERY_TENANT, Scope, Tenant
from app.principal import Principal, read_scope
from app.tenants import sync_lag_warn

Asked = tuple[Scope, str | None, str]
"""Whose alerts to count: the tenants that the caller looks at, the tenant of the rule (None: the platform's), its key."""


async def effective_rules(context: Context, tenants: Sequence[Tenant]) -> dict[str, list[Rule]]:
    """By tenant: its own rules and those that it inherits, enabled or not, by key. One read."""
    if not tenants:
        return {}
    kept = await context.store.rules.applying(tenant.id for tenant in tenants)
    return {tenant.id: list(_of_tenant(context, kept, tenant).values()) for tenant in tenants}


async def rules_of(context: Context, pairs: Sequence[tuple[str, str]]) -> list[Rule | None]:
    """The rule behind each (tenant, key); None where there is none any more. One read, or two where a tenant's settings matter."""
    kept = await context.store.rules.applying({tenant_id for tenant_id, _ in pairs}, {key for _, key in pairs})
    by_key = {(rule.tenant_id, rule.key): rule for rule in kept}
    inheriting = {tenant_id for tenant_id, key in pairs if key == SYNC_LAG_KEY and (tenant_id, key) not in by_key}
    tenants = await context.store.tenants.get_many(inheriting) if inheriting else {}
    found: list[Rule | None] = []
    for tenant_id, key in pairs:
        own, default = by_key.get((tenant_id, key)), by_key.get((None, key))
        if default is not None and tenant_id in tenants:
            default = _inherited(context, default, tenants[tenant_id])
        found.append(own or default)
    return found


async def list_rules(
    context: Context, principal: Principal, tenant_id: str | None, enabled: bool | None = None
) -> tuple[Scope, list[Rule]]:
    """What is looked at, and by key: a tenant's own rules and those that it inherits. Over several tenants the platform's
    rules come once, as they are kept."""
    scope = read_scope(principal, tenant_id)
    rules = await _of_scope(context, scope)
    return scope, [rule for rule in rules if enabled is None or rule.enabled is enabled]


async def find_rule(context: Context, principal: Principal, rule_id: str) -> tuple[Scope, Rule | None]:
    scope = read_scope(principal, None)
    return scope, await context.store.rules.get(scope, rule_id)


async def count_live(context: Context, asked: Sequence[Asked]) -> list[int]:
    """How many live alerts each rule has; for one of the platform, over the tenants looked at that inherit it."""
    keys = {key for _, _, key in asked}
    counts = await context.store.rules.live_alerts(_union(scope for scope, _, _ in asked), keys)
    inherited = {key for _, tenant_id, key in asked if tenant_id is None}
    overriding = await context.store.rules.overriding(inherited) if inherited else set[tuple[str, str]]()

    def of(scope: Scope, tenant_id: str | None, key: str) -> int:
        if tenant_id is not None:
            return counts.get((tenant_id, key), 0)
        mine = ((pair, count) for pair, count in counts.items() if pair[1] == key and scope.covers(pair[0]))
        return sum(count for pair, count in mine if pair not in overriding)

    return [of(*one) for one in asked]


async def _of_scope(context: Context, scope: Scope) -> Sequence[Rule]:
    if scope.tenant_ids is not None and len(scope.tenant_ids) == 1:
        tenants = await context.store.tenants.get_many(scope.tenant_ids)
        return next(iter((await effective_rules(context, list(tenants.values()))).values()), [])
    return await context.store.rules.list(scope)


def _of_tenant(context: Context, kept: Sequence[Rule], tenant: Tenant) -> dict[str, Rule]:
    rules = {rule.key: _inherited(context, rule, tenant) for rule in kept if rule.tenant_id is None}
    rules.update({rule.key: rule for rule in kept if rule.tenant_id == tenant.id})
    return dict(sorted(rules.items()))


def _inherited(context: Context, rule: Rule, tenant: Tenant) -> Rule:
    """A rule of the platform as this tenant has it: its lag threshold is the tenant's, else the setting's until a super
    admin has changed the rule."""
    if rule.key != SYNC_LAG_KEY or not isinstance(rule.condition, MetricCondition):
        return rule
    if tenant.sync_lag_warn_sec is None and rule.version > 1:
        return rule
    warn = sync_lag_warn(context, tenant)
    condition = msgspec.structs.replace(
        rule.condition, threshold=float(warn), recovery_threshold=_kept_on_its_side(rule.condition, warn)
    )
    return msgspec.structs.replace(rule, condition=condition)


def _kept_on_its_side(condition: MetricCondition, threshold: float) -> float | None:
    recovery = condition.recovery_threshold
    if recovery is None:
        return None
    rising = condition.comparison in (Comparison.GT, Comparison.GTE)
    return min(recovery, threshold) if rising else max(recovery, threshold)


def _union(scopes: Iterable[Scope]) -> Scope:
    def join(one: Scope, other: Scope) -> Scope:
        if one.tenant_ids is None or other.tenant_ids is None:
            return EVERY_TENANT
        return Scope(one.tenant_ids | other.tenant_ids)

    return reduce(join, scopes, Scope(frozenset()))
