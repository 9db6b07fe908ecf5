"""Alerts whose rule would not open them any more: it is gone, off, or for other devices, or the device was retired.

Changes of rules and devices end them at once; this is what also finds those that a tick opened in the same moment.
"""

from collections.abc import Mapping, Sequence

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, Resolution, device_of
from app.domain.device import Device
from app.domain.failing import failing_key
from app.domain.ids import lane_of
from app.domain.rule import Rule, covers, in_scope, state_id
from app.domain.subject import Subject
from app.domain.tenant import EVERY_TENANT, Scope
from app.rules import effective_rules
from app.store.mongo import Session
from app.transitions import Writes, transact

GROUP = 100
Ending = tuple[Resolution, str]


async def end_orphans(context: Context, scope: Scope) -> int:
    """Ends them, and makes their rules forget; how many there were."""
    alerts = [alert for alert in await context.store.alerts.all_live(scope) if alert.source == "rule"]
    if not alerts:
        return 0
    tenants = await context.store.tenants.get_many({alert.tenant_id for alert in alerts})
    by_tenant = await effective_rules(context, list(tenants.values()))
    rules = {(tenant_id, rule.key): rule for tenant_id, of_tenant in by_tenant.items() for rule in of_tenant}
    devices = await context.store.connectivity.get_many([key for alert in alerts if (key := device_of(alert)) is not None])
    endings = {alert.id: ending for alert in alerts if (ending := _ending(alert, rules, devices)) is not None}
    by_lane: dict[int, list[Alert]] = {}
    for alert in alerts:
        if alert.id in endings:
            by_lane.setdefault(lane_of(alert.tenant_id), []).append(alert)
    for lane, orphans in by_lane.items():
        for start in range(0, len(orphans), GROUP):
            await _end(context, lane, orphans[start : start + GROUP], endings)
    return len(endings)


def _ending(alert: Alert, rules: Mapping[tuple[str, str], Rule], devices: Mapping[str, Device]) -> Ending | None:
    rule = rules.get((alert.tenant_id, failing_key(alert.rule_key) or alert.rule_key))
    key = device_of(alert)
    device = None if key is None else devices.get(key)
    if key is not None and (device is None or device.retired_at is not None):
        return Resolution.DEVICE_RETIRED, "the device was retired"
    if rule is None:
        return Resolution.RULE_CHANGED, "the rule was deleted"
    if not rule.enabled:
        return Resolution.RULE_CHANGED, "the rule was switched off"
    if device is not None and not in_scope(rule.scope, device):
        return Resolution.RULE_CHANGED, "the rule is for other devices now"
    if device is None and not covers(rule.scope, _subject_of(alert)):
        return Resolution.RULE_CHANGED, "the rule is for other subjects now"
    return None


async def _end(context: Context, lane: int, orphans: Sequence[Alert], endings: Mapping[str, Ending]) -> None:
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


def _subject_of(alert: Alert) -> Subject:
    return Subject(
        tenant_id=alert.tenant_id, kind=alert.subject_kind, id=alert.subject_id, name=alert.title, store_id=alert.store_id
    )
