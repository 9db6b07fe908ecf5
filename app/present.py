"""What a rule sees at present: as the tick that judges it sees it, of every subject that it is for."""

from collections.abc import Sequence

from app.context import Context
from app.domain.conditions.absence import observe_absence
from app.domain.device import Device
from app.domain.ids import device_key, lane_of
from app.domain.judgement import Sighting
from app.domain.rule import AbsenceCondition, MetricCondition, Rule, RuleState
from app.domain.stages import Around
from app.domain.subject import of_device
from app.domain.tenant import Tenant
from app.gauges import gauge_sightings
from app.look import Look

GROUP = 200
"""Devices that are read with one question."""


async def sightings_now(
    context: Context, tenant: Tenant, rule: Rule, devices: Sequence[Device], states: dict[str, RuleState]
) -> list[Sighting]:
    """What the rule sees of these devices. `states` is what it remembers of them."""
    if isinstance(rule.condition, AbsenceCondition):
        return await _silences(context, rule, rule.condition, devices)
    found: list[Sighting] = []
    if isinstance(rule.condition, MetricCondition):
        look = look_with(context, tenant, rule, states)
        for first in range(0, len(devices), GROUP):
            group = devices[first : first + GROUP]
            found += await gauge_sightings(look, {}, [device_key(tenant.id, device.device_id) for device in group])
    return found


def look_with(context: Context, tenant: Tenant, rule: Rule, states: dict[str, RuleState]) -> Look:
    """A look of the rule tick with this rule alone, at which nothing has come since the last one."""
    now = context.clock.now()
    return Look(context, lane_of(tenant.id), now, now, now, now, states, tenants={tenant.id: tenant}, rules={tenant.id: [rule]})


async def _silences(context: Context, rule: Rule, condition: AbsenceCondition, devices: Sequence[Device]) -> list[Sighting]:
    signs = await context.store.intakes.signs()
    gap_end = None if signs is None else signs.gap_end
    now = context.clock.now()
    looks = [(device, observe_absence(condition, device, gap_end, now)) for device in devices]
    return [
        Sighting(
            rule, of_device(device), [seen], Around(most_per_hour=rule.max_alerts_per_hour, silent_after=device.offline_after)
        )
        for device, seen in looks
        if seen is not None
    ]
