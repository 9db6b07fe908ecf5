"""Alerts whose rule would not open them any more: it is gone, off, or for other devices, or the device was retired.

Changes of rules and devices end them at once; this is what also finds those that a tick opened in the same moment.
"""

from collections.abc import Mapping, Sequence, Set

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Resolution
from app.domain.device import Device
from app.domain.failing import failing_key
from app.domain.ids import device_key, lane_of
from app.domain.rule import Rule, RuleScope, covers, in_scope, state_id
from app.domain.subject import Subject, SubjectKind
from app.domain.tenant import EVERY_TENANT, Scope
from app.rules import effective_rules
from app.store.alerts import LiveAlert
from app.store.mongo import Session
from app.transitions import Writes, transact

GROUP = 100
Ending = tuple[Resolution, str]


async def end_orphans(context: Context, scope: Scope) -> int:
    """Ends them, and makes their rules forget; how many there were."""
    alerts = await context.store.alerts.live_subjects(scope)
    if not alerts:
        return 0
    tenants = await context.store.tenants.get_many({alert.tenant_id for alert in alerts})
    by_tenant = await effective_rules(context, list(tenants.values()))
    rules = {(tenant_id, rule.key): rule for tenant_id, of_tenant in by_tenant.items() for rule in of_tenant}
    of_devices = {key for alert in alerts if (key := _device_of(alert)) is not None}
    known = await context.store.connectivity.known(sorted(of_devices)) if of_devices else set[str]()
    # A device is looked at only where its rule chooses among them.
    chosen = [key for alert in alerts if (key := _device_of(alert)) in known and _chooses(_rule_of(alert, rules))]
    devices = await context.store.connectivity.get_many(chosen) if chosen else {}
    endings = {alert.id: ending for alert in alerts if (ending := _ending(alert, rules, known, devices)) is not None}
    by_lane: dict[int, list[LiveAlert]] = {}
    for alert in alerts:
        if alert.id in endings:
            by_lane.setdefault(lane_of(alert.tenant_id), []).append(alert)
    for lane, orphans in by_lane.items():
        for start in range(0, len(orphans), GROUP):
            await _end(context, lane, orphans[start : start + GROUP], endings)
    return len(endings)


def _rule_of(alert: LiveAlert, rules: Mapping[tuple[str, str], Rule]) -> Rule | None:
    return rules.get((alert.tenant_id, failing_key(alert.rule_key) or alert.rule_key))


def _chooses(rule: Rule | None) -> bool:
    return rule is not None and rule.scope != RuleScope()


def _ending(
    alert: LiveAlert, rules: Mapping[tuple[str, str], Rule], known: Set[str], devices: Mapping[str, Device]
) -> Ending | None:
    rule, key = _rule_of(alert, rules), _device_of(alert)
    if key is not None and key not in known:
        return Resolution.DEVICE_RETIRED, "the device was retired"
    if rule is None:
        return Resolution.RULE_CHANGED, "the rule was deleted"
    if not rule.enabled:
        return Resolution.RULE_CHANGED, "the rule was switched off"
    if key is None:
        if not covers(rule.scope, _subject_of(alert)):
            return Resolution.RULE_CHANGED, "the rule is for other subjects now"
    elif key in devices and not in_scope(rule.scope, devices[key]):
        return Resolution.RULE_CHANGED, "the rule is for other devices now"
    return None


async def _end(context: Context, lane: int, orphans: Sequence[LiveAlert], endings: Mapping[str, Ending]) -> None:
    async def work(session: Session) -> Writes:
        now = context.clock.now()
        there = await context.store.alerts.get_many(EVERY_TENANT, [alert.id for alert in orphans], session=session)
        live = [alert for alert in there.values() if alert.live]
        await context.store.rule_states.forget(
            [state_id(alert.tenant_id, alert.rule_key, alert.subject_kind, alert.subject_id) for alert in live], session
        )
        kinds = [(alert, *endings[alert.id]) for alert in live]
        return Writes(changes=[lifecycle.resolve(alert, None, reason, kind, now) for alert, kind, reason in kinds])

    await transact(context, lane, work)


def _subject_of(alert: LiveAlert) -> Subject:
    return Subject(
        tenant_id=alert.tenant_id, kind=alert.subject_kind, id=alert.subject_id, name=alert.title, store_id=alert.store_id
    )


def _device_of(alert: LiveAlert) -> str | None:
    return device_key(alert.tenant_id, alert.subject_id) if alert.subject_kind is SubjectKind.DEVICE else None
