"""What monitors say of services: the service rules over those that changed, are in trouble, or are remembered."""

from functools import partial

import msgspec

from app.domain.conditions.service import is_for, observe_service, severity_of
from app.domain.judgement import Sighting
from app.domain.rule import Rule, ServiceCondition, covers
from app.domain.service import Service, of_service, service_id
from app.domain.tenant import only
from app.look import Look


async def service_sightings(look: Look) -> list[Sighting]:
    """What every service rule sees."""
    services = {one.id: one for one in await look.context.store.services.in_trouble_or_changed(look.lane, look.since)}
    remembered = {service_id(one.tenant_id, one.subject_id) for one in look.states.values() if one.family == "service"}
    services |= await look.context.store.services.get_many(sorted(remembered - services.keys()))
    await look.learn({service.tenant_id for service in services.values()})
    by_tenant: dict[str, list[Service]] = {}
    for service in services.values():
        by_tenant.setdefault(service.tenant_id, []).append(service)
    sightings: list[Sighting] = []
    for tenant_id, mine in by_tenant.items():
        for rule, condition in look.rules_with(tenant_id, ServiceCondition):
            sightings += await look.guarded(tenant_id, rule, partial(_of_rule, look, rule, condition, mine))
    return sightings


async def sightings_of(look: Look, tenant_id: str, rule: Rule, condition: ServiceCondition) -> list[Sighting]:
    """What one rule sees of all services of a tenant now."""
    return await _of_rule(look, rule, condition, await look.context.store.services.of_tenant(only(tenant_id)))


async def _of_rule(look: Look, rule: Rule, condition: ServiceCondition, services: list[Service]) -> list[Sighting]:
    meant = [one for one in services if is_for(condition, one) and covers(rule.scope, of_service(one))]
    return [
        Sighting(
            msgspec.structs.replace(rule, severity=severity_of(rule, one)),
            of_service(one),
            [observe_service(condition, one, look.now)],
            look.around(one.tenant_id, rule),
        )
        for one in meant
    ]
