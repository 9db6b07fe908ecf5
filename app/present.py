"""What a rule sees at present: as the tick that judges it sees it, of every subject that it is for."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.anomalies import sightings_of as anomalies_of
from app.context import Context
from app.domain.conditions.absence import observe_absence
from app.domain.device import Device
from app.domain.ids import lane_of
from app.domain.judgement import Sighting
from app.domain.operational_event import STORELESS
from app.domain.rule import (
    AbsenceCondition,
    AnomalyCondition,
    CountCondition,
    MetricCondition,
    Rule,
    RuleState,
    ServiceCondition,
    counted_for,
    in_scope,
)
from app.domain.subject import SubjectKind, of_device
from app.domain.tenant import Tenant, only
from app.gauges import gauge_sightings
from app.look import Look
from app.tallies import Place, sightings_at
from app.watched_services import sightings_of as services_of

MOST_DEVICES = 100_000
GROUP = 200
"""Devices that are read with one question."""


@dataclass(frozen=True, slots=True)
class Present:
    """A rule as one tenant has it, and what it remembers: by the id of the state; nothing of a rule that is not kept."""

    context: Context
    tenant: Tenant
    rule: Rule
    states: dict[str, RuleState]

    def look(self) -> Look:
        """A look of the rule tick with this rule alone, at which nothing has come since the last one."""
        now, tenant = self.context.clock.now(), self.tenant
        rules = {tenant.id: [self.rule]}
        return Look(self.context, lane_of(tenant.id), now, now, now, now, self.states, tenants={tenant.id: tenant}, rules=rules)


async def devices_in_scope(context: Context, tenant_id: str, rule: Rule) -> list[Device]:
    """The devices that a rule is for today: what was retired, or stood elsewhere then, is not asked."""
    scope = rule.scope
    found = await context.store.devices.choose(only(tenant_id), scope.device_ids, scope.store_ids, MOST_DEVICES)
    return [device for device in found if in_scope(scope, device)]


async def sightings_now(present: Present) -> tuple[list[Sighting], int]:
    """What the rule sees of everything that it is for, and of how much that is."""
    rule, look = present.rule, present.look()
    condition = rule.condition
    if isinstance(condition, CountCondition):
        seen = await sightings_at(look, present.tenant.id, rule, condition, await _places(present, condition))
        return seen, len(seen)
    if isinstance(condition, ServiceCondition):
        seen = await services_of(look, present.tenant.id, rule, condition)
        return seen, len(seen)
    devices = await devices_in_scope(present.context, present.tenant.id, rule)
    return await sightings_of_devices(present, devices), len(devices)


async def sightings_of_devices(present: Present, devices: Sequence[Device]) -> list[Sighting]:
    """What a rule that looks at devices sees of these."""
    rule, look, tenant_id = present.rule, present.look(), present.tenant.id
    if isinstance(rule.condition, AbsenceCondition):
        return await _silences(look, tenant_id, rule, rule.condition, devices)
    if isinstance(rule.condition, AnomalyCondition):
        return await anomalies_of(look, tenant_id, rule, rule.condition, devices)
    assert isinstance(rule.condition, MetricCondition)
    found: list[Sighting] = []
    for first in range(0, len(devices), GROUP):
        group = devices[first : first + GROUP]
        # Each by a look of its own, or the windows of all would be in memory.
        found += await gauge_sightings(present.look(), {}, {device.id: {rule.key} for device in group})
    return found


async def sightings_of_counts(present: Present, condition: CountCondition, device: Device) -> list[Sighting]:
    """What a rule of counts sees where the events of a device count."""
    return await sightings_at(
        present.look(), present.tenant.id, present.rule, condition, [place_of(present.rule, condition, device)]
    )


def place_of(rule: Rule, condition: CountCondition, device: Device) -> Place:
    """Where a rule looks for the events of a device."""
    wanted = counted_for(rule, condition)
    if wanted is SubjectKind.DEVICE:
        return SubjectKind.DEVICE, device.device_id
    if wanted is SubjectKind.TENANT:
        return SubjectKind.TENANT, device.tenant_id
    if device.store_id is None:
        return SubjectKind.TENANT, STORELESS
    return SubjectKind.STORE, device.store_id


async def _places(present: Present, condition: CountCondition) -> set[Place]:
    """Where events may count: every device and store that is known, and the tenant."""
    tenant_id = present.tenant.id
    devices = await devices_in_scope(present.context, tenant_id, present.rule)
    sites = await present.context.store.sites.list(only(tenant_id))
    stores = {site.store_id for site in sites} | {device.store_id for device in devices if device.store_id is not None}
    wanted = counted_for(present.rule, condition)
    if wanted is SubjectKind.DEVICE:
        return {(wanted, device.device_id) for device in devices}
    found: set[Place] = {(SubjectKind.STORE, store_id) for store_id in stores | set(present.rule.scope.store_ids)}
    return found | {(SubjectKind.TENANT, tenant_id), (SubjectKind.TENANT, STORELESS)}


async def _silences(
    look: Look, tenant_id: str, rule: Rule, condition: AbsenceCondition, devices: Sequence[Device]
) -> list[Sighting]:
    signs = await look.context.store.intakes.signs()
    gap_end = None if signs is None else signs.gap_end
    looks = [(device, observe_absence(condition, device, gap_end, look.now)) for device in devices]
    return [
        Sighting(rule, of_device(device), [seen], look.around(tenant_id, rule, device))
        for device, seen in looks
        if seen is not None
    ]
