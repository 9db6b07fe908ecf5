"""Why an alert is as it is, and why a rule does or does not fire on a device: from the record, and from a look now."""

import msgspec

from app.context import Context
from app.domain.alert import Alert
from app.domain.audience import Audience, audience_of
from app.domain.conditions.observation import Nothing
from app.domain.device import Device
from app.domain.explained_record import explain_record, opened_at
from app.domain.explained_telling import with_answer
from app.domain.explanation import Explanation, Look, PlannedStep, explain_look, planned, why_excluded
from app.domain.judgement import Sighting, blank_state
from app.domain.planned_tellings import planned_tellings
from app.domain.rule import CountCondition, Rule, RuleState, ServiceCondition, state_id
from app.domain.stages import Action, Around, judge
from app.domain.subject import Subject, of_device
from app.domain.tenant import Tenant, most_alerts_per_hour, only
from app.errors import NotFoundError, bad_field
from app.person_told import asked_about, require_asker, tellings_of
from app.present import Present, sightings_of_counts, sightings_of_devices
from app.principal import Principal, read_scope
from app.recipients import books_of
from app.rule_trial import kept_rule
from app.rules import rules_of

MOST_EVENTS = 1_000
"""Events of an alert that are told: the newest."""


async def explain_alert(context: Context, principal: Principal, alert_id: str, user_id: str | None) -> Explanation:
    """An alert's life as its record has it, and what comes next; with `user_id` also whether that person was told, by what, and why
    not. About others one may ask as an OPERATOR."""
    scope = read_scope(principal, None)
    if user_id is not None:
        require_asker(principal, user_id)
    alert = await context.store.alerts.get(scope, alert_id)
    if alert is None:
        raise NotFoundError(f"there is no alert {alert_id[:64]!r}")
    now, tellings = context.clock.now(), await tellings_of(context, alert)
    events = (await context.store.events.timeline(only(alert.tenant_id), alert.id, MOST_EVENTS))[::-1]
    planned_next = await _next(context, alert)
    if user_id is None:
        planned_next += planned_tellings(alert, tellings.deliveries, tellings.bundles, now)
        return explain_record(alert, events, planned_next, now)
    asked = await asked_about(context, principal, alert, tellings, user_id)
    planned_next += planned_tellings(alert, asked.deliveries, asked.bundles, now)
    return with_answer(explain_record(alert, events, planned_next, now), alert, asked, opened_at(alert, events), now)


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
    states = await context.store.rule_states.of_rule(only(tenant.id), rule.key)
    present = Present(context, tenant, rule, states)
    excluded = why_excluded(rule, device)
    sighting = None if excluded else await _sighting(present, device)
    if sighting is None:
        sighting = Sighting(rule, of_device(device), [_unseen(device)], Around(silent_after=device.offline_after))
    around = msgspec.structs.replace(sighting.around, excluded=excluded, most_per_hour=most_alerts_per_hour(rule, tenant))
    live = (await context.store.alerts.live(only(tenant.id), [sighting.alert_key])).get(sighting.alert_key)
    state = states.get(sighting.state_id) or blank_state(rule, sighting.subject)
    seen, now = sighting.seen[-1], context.clock.now()
    verdict = judge(rule, state, seen, live, now, around)
    subject = sighting.subject
    audience = await _audience(context, rule, subject) if verdict.action is Action.OPEN else None
    return Look(
        rule=rule,
        subject=subject,
        device=device,
        state=state,
        seen=seen,
        live=live,
        now=now,
        around=around,
        verdict=verdict,
        audience=audience,
    )


async def _audience(context: Context, rule: Rule, subject: Subject) -> Audience:
    book = (await books_of(context, [subject.tenant_id]))[subject.tenant_id]
    return audience_of(book, rule, subject, context.clock.now())


async def _sighting(present: Present, device: Device) -> Sighting | None:
    """What the rule sees of the device, or of the store or tenant for which the device's events count."""
    condition = present.rule.condition
    if isinstance(condition, CountCondition):
        found = await sightings_of_counts(present, condition, device)
    else:
        found = await sightings_of_devices(present, [device])
    return found[0] if found else None


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
