"""Trying a rule on what is there now: what it would say of every subject, without a trace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.context import Context
from app.domain.alert import Alert
from app.domain.conditions.observation import Nothing, Observation, Seen
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.judgement import Sighting, blank_state
from app.domain.rule import NoDataPolicy, Rule, RuleState
from app.domain.rule_check import check_key, check_rule, key_from_name
from app.domain.rule_input import RuleInput
from app.domain.stages import Outcome, judge
from app.domain.subject import Subject
from app.domain.tenant import Role, Tenant, only
from app.errors import BadInputError, FieldError, NotFoundError
from app.present import Present, sightings_now
from app.principal import Principal, read_scope, write_tenant
from app.rules import effective_rules
from app.tenants import known_tenant

MOST_MATCHES = 1_000
"""Matches that are shown."""


@dataclass(frozen=True, slots=True)
class Match:
    """A subject of which the rule says that it is bad now, and what it would still wait for."""

    subject: Subject
    value: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Trial:
    """`subjects` is how many were looked at."""

    would_fire: bool
    matches: Sequence[Match]
    evaluated_at: datetime
    subjects: int


async def try_rule(
    context: Context, principal: Principal, tenant_id: str | None, wanted: RuleInput | None, rule_id: str | None
) -> Trial:
    """Looks with a rule that is not kept, or with the one of an id, at all that it is for. Writes nothing."""
    if (wanted is None) is (rule_id is None):
        message = "give exactly one of rule and id"
        raise BadInputError([FieldError("rule", message), FieldError("id", message)])
    if rule_id is not None:
        tenant, rule = await kept_rule(context, principal, tenant_id, rule_id)
    else:
        assert wanted is not None
        tenant_id = write_tenant(principal, tenant_id, Role.VIEWER)
        faults = Faults()
        rule = trial_rule(tenant_id, wanted, context.clock.now(), faults)
        faults.refuse()
        tenant = await known_tenant(context, tenant_id)
    scope = only(tenant.id)
    states = {} if rule_id is None else await context.store.rule_states.of_rule(scope, rule.key)
    sightings, subjects = await sightings_now(Present(context, tenant, rule, states))
    live = await context.store.alerts.live(scope, [] if rule_id is None else [one.alert_key for one in sightings])
    now = context.clock.now()
    tried = (_match(one, states.get(one.state_id), live.get(one.alert_key), now) for one in sightings)
    matches = [match for match in tried if match is not None]
    return Trial(bool(matches), matches[:MOST_MATCHES], now, subjects)


def trial_rule(tenant_id: str, wanted: RuleInput, now: datetime, faults: Faults) -> Rule:
    """A rule as it would be if it were made, with what is wrong with it added to `faults`."""
    key = wanted.key if wanted.key is not None else key_from_name(wanted.name[:200]) or "trial"
    check_key(key, "rule", faults)
    values = {**msgspec.structs.asdict(wanted), "key": key}
    rule = Rule(id=new_id(now), tenant_id=tenant_id, created_at=now, updated_at=now, **values)
    check_rule(rule, "rule", faults)
    return rule


async def rule_by_id(context: Context, tenant: Tenant, rule_id: str) -> Rule:
    """A rule of a tenant, or one of the platform as the tenant has it. Raises NotFoundError."""
    of_tenant = (await effective_rules(context, [tenant]))[tenant.id]
    rule = next((one for one in of_tenant if one.id == rule_id), None) or await context.store.rules.get(only(tenant.id), rule_id)
    if rule is None:
        raise NotFoundError(f"there is no rule {rule_id[:64]!r}")
    return rule


async def kept_rule(context: Context, principal: Principal, tenant_id: str | None, rule_id: str) -> tuple[Tenant, Rule]:
    """A tenant's own rule says whose it is."""
    scope = read_scope(principal, tenant_id)
    if tenant_id is None:
        known = await context.store.rules.get(scope, rule_id)
        if known is None:
            raise NotFoundError(f"there is no rule {rule_id[:64]!r}")
        tenant_id = known.tenant_id or write_tenant(principal, None, Role.VIEWER)
    tenant = await known_tenant(context, tenant_id)
    return tenant, await rule_by_id(context, tenant, rule_id)


def _match(sighting: Sighting, state: RuleState | None, live: Alert | None, now: datetime) -> Match | None:
    rule, seen = sighting.rule, sighting.seen[-1]
    if not _is_bad(rule, seen):
        return None
    verdict = judge(rule, state or blank_state(rule, sighting.subject), seen, live, now, sighting.around)
    last, breach = verdict.steps[-1], verdict.steps[1]
    held = f"; {last.reason}" if last.outcome in (Outcome.WAIT, Outcome.STOP) and last is not breach else ""
    value, threshold = (seen.value, seen.threshold) if isinstance(seen, Observation) else (None, None)
    return Match(sighting.subject, value, threshold, f"{breach.reason}{held}")


def _is_bad(rule: Rule, seen: Seen) -> bool:
    if isinstance(seen, Nothing):
        return rule.no_data is NoDataPolicy.ALERT
    return seen.breach
