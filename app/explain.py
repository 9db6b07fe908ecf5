"""Why an alert is as it is, and why a rule does or does not fire on a device: from the record, and from a look now."""

import msgspec

from app.context import Context
from app.domain.alert import Alert
from app.domain.conditions.observation import Nothing
from app.domain.device import Device
from app.domain.explained_record import explain_record
from app.domain.explanation import Explanation, Look, PlannedStep, explain_look, planned, why_excluded
from app.domain.ids import dedup_key
from app.domain.judgement import Sighting, blank_state
from app.domain.rule import Rule, RuleState, ServiceCondition, state_id
from app.domain.stages import Around, judge
from app.domain.subject import of_device
from app.domain.tenant import Tenant, only
from app.errors import NotFoundError, bad_field
from app.present import sightings_now
from app.principal import Principal, read_scope
from app.rule_trial import kept_rule
from app.rules import rules_of

MOST_EVENTS = 1_000
"""Events of an alert that are told: the newest."""


async def explain_alert(context: Context, principal: Principal, alert_id: str, user_id: str | None) -> Explanation:
    """An alert's life as its record has it, and what comes next; `user_id` asks whether that person was told."""
    scope = read_scope(principal, None)
    alert = await context.store.alerts.get(scope, alert_id)
    if alert is None:
        raise NotFoundError(f"there is no alert {alert_id[:64]!r}")
    events = await context.store.events.timeline(only(alert.tenant_id), alert.id, MOST_EVENTS)
    return explain_record(alert, events[::-1], await _next(context, alert), context.clock.now(), told=user_id)


async def explain_rule(
    context: Context, principal: Principal, rule_id: str, device_id: str, tenant_id: str | None
) -> Explanation:
    """What a rule says of a device now, stage by stage. Writes nothing."""
    tenant, rule = await kept_rule(context, principal, tenant_id, rule_id)
    if isinstance(rule.condition, ServiceCondition):
        raise bad_field("ruleId", "is a rule for services: a device has no part in it")
    device = await context.store.devices.get(only(tenant.id), tenant.id, device_id)
    if device is None:
        raise NotFoundError(f"there is no device {device_id[:128]!r} in tenant {tenant.id!r}")
    return explain_look(await _look(context, tenant, rule, device))


async def _look(context: Context, tenant: Tenant, rule: Rule, device: Device) -> Look:
    subject, now = of_device(device), context.clock.now()
    known = await context.store.rule_states.get_many([Sighting(rule, subject, []).state_id])
    excluded = why_excluded(rule, device)
    sightings = [] if excluded else await sightings_now(context, tenant, rule, [device], known)
    around = sightings[0].around if sightings else Around(silent_after=device.offline_after)
    around = msgspec.structs.replace(around, excluded=excluded, most_per_hour=rule.max_alerts_per_hour)
    seen = sightings[0].seen[-1] if sightings else _unseen(device)
    key = (tenant.id, dedup_key(rule.key, subject.kind.value, subject.id))
    live = (await context.store.alerts.live(only(tenant.id), [key])).get(key)
    state = next(iter(known.values()), None) or blank_state(rule, subject)
    verdict = judge(rule, state, seen, live, now, around)
    return Look(
        rule=rule, subject=subject, device=device, state=state, seen=seen, live=live, now=now, around=around, verdict=verdict
    )


def _unseen(device: Device) -> Nothing:
    if device.last_seen is None:
        return Nothing(reason=f"device {device.device_id} has never sent a heartbeat")
    return Nothing(reason=f"the last heartbeat of {device.device_id} does not say it")


async def _next(context: Context, alert: Alert) -> list[PlannedStep]:
    place = state_id(alert.tenant_id, alert.rule_key, alert.subject_kind, alert.subject_id)
    state: RuleState | None = (await context.store.rule_states.get_many([place])).get(place)
    [rule] = await rules_of(context, [(alert.tenant_id, alert.rule_key)])
    if rule is None:
        return []
    return planned(rule, state, alert, context.clock.now())
