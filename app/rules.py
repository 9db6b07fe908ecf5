"""Reading rules: those of a tenant, with what it inherits from the platform.

A tenant's version of a default is laid over the default here, each time that it is read: a later change of the default shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import msgspec

from app.context import Context
from app.domain.defaults import SYNC_LAG_KEY
from app.domain.rule import Comparison, MetricCondition, Rule
from app.domain.rule_input import overlaid
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
    tenants = await _settings_that_matter(context, pairs, by_key)
    return [_held(context, by_key, tenants, tenant_id, key) for tenant_id, key in pairs]


async def inherited_rule(context: Context, tenant: Tenant, key: str) -> tuple[Rule | None, Rule | None]:
    """A tenant's own rule of a key, as it holds, and the platform's as the tenant has it. Either may not be there."""
    kept = await context.store.rules.applying([tenant.id], [key])
    default = next((_inherited(context, rule, tenant) for rule in kept if rule.tenant_id is None), None)
    own = next((rule for rule in kept if rule.tenant_id is not None), None)
    return own and _laid_over(own, default), default


def rules_as_kept(context: Context, kept: Sequence[Rule], tenant: Tenant) -> tuple[dict[str, Rule], dict[str, Rule]]:
    """By key: a tenant's own rules, as they hold, and the platform's as the tenant has them."""
    defaults = {rule.key: _inherited(context, rule, tenant) for rule in kept if rule.tenant_id is None}
    own = {rule.key: _laid_over(rule, defaults.get(rule.key)) for rule in kept if rule.tenant_id == tenant.id}
    return own, defaults


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
    return scope, await held_rule(context, scope, rule_id)


async def held_rule(context: Context, scope: Scope, rule_id: str) -> Rule | None:
    """A rule of the scope as it holds, or one of the platform as it is kept."""
    rule = await context.store.rules.get(scope, rule_id)
    if rule is None or rule.tenant_id is None or rule.overridden is None:
        return rule
    [held] = await rules_of(context, [(rule.tenant_id, rule.key)])
    return held if held is not None and held.id == rule_id else None


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
    kept = await context.store.rules.list(scope)
    by_key = {(rule.tenant_id, rule.key): rule for rule in kept}
    pairs = [(rule.tenant_id, rule.key) for rule in kept if rule.tenant_id is not None]
    tenants = await _settings_that_matter(context, pairs, by_key)
    return [
        rule if rule.tenant_id is None else _held(context, by_key, tenants, rule.tenant_id, rule.key) or rule for rule in kept
    ]


async def _settings_that_matter(
    context: Context, pairs: Sequence[tuple[str, str]], by_key: Mapping[tuple[str | None, str], Rule]
) -> dict[str, Tenant]:
    """The tenants whose settings are part of a rule that they inherit, or whose version follows one."""
    own = {pair: by_key.get(pair) for pair in pairs if pair[1] == SYNC_LAG_KEY}
    inheriting = {pair[0] for pair, rule in own.items() if rule is None or rule.overridden is not None}
    return await context.store.tenants.get_many(inheriting) if inheriting else {}


def _held(
    context: Context,
    by_key: Mapping[tuple[str | None, str], Rule],
    tenants: Mapping[str, Tenant],
    tenant_id: str,
    key: str,
) -> Rule | None:
    own, default = by_key.get((tenant_id, key)), by_key.get((None, key))
    if default is not None and tenant_id in tenants:
        default = _inherited(context, default, tenants[tenant_id])
    return default if own is None else _laid_over(own, default)


def _laid_over(own: Rule, default: Rule | None) -> Rule:
    return own if own.overridden is None or default is None else overlaid(own, default)


def _of_tenant(context: Context, kept: Sequence[Rule], tenant: Tenant) -> dict[str, Rule]:
    own, defaults = rules_as_kept(context, kept, tenant)
    return dict(sorted({**defaults, **own}.items()))


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
