"""Judging silence: the look at devices that are due or back, and what ends with a rule or with a device."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType, Change, Resolution, device_of
from app.domain.conditions.absence import observe_absence
from app.domain.conditions.observation import is_breach
from app.domain.device import Device, DeviceStatus
from app.domain.ids import lane_of
from app.domain.judgement import Sighting, decide
from app.domain.rule import AbsenceCondition, Rule
from app.domain.silence import GAP, Look, absence_rules, look_at
from app.domain.stages import Around
from app.domain.subject import SubjectKind, of_device
from app.domain.tenant import EVERY_TENANT, Scope, Tenant, most_alerts_per_hour, only
from app.fate_book import FateBook
from app.rules import effective_rules
from app.shared_fate import mend_fates, share_fates
from app.store.connectivity import Settlement
from app.store.mongo import Session
from app.tenants import offline_after
from app.transitions import Writes, transact

GROUP = 100
"""Most devices in one transaction."""

AT_ONCE = 2_000
"""Most devices that one look at a lane reads."""

OVERDUE = timedelta(minutes=1)
"""A wait that a look did not renew, so long after its time, belongs to a rule that does not apply any more."""

_log = structlog.get_logger(__name__)


async def sweep_lane(context: Context, lane: int) -> int:
    """Looks at every device of the lane that is due, is back, or has an absence rule waiting; how many were looked at."""
    looked = 0
    while True:
        now = context.clock.now()
        signs = await context.store.intakes.signs()
        if signs is None or now - signs.alive_at > GAP:
            _log.warning(
                "sweep.held", lane=lane, reason="no intake is writing", alive_at=None if signs is None else signs.alive_at
            )
            return looked
        keys = await _keys_to_look_at(context, lane, now)
        book, happened = FateBook(context, signs.gap_end), set[AlertEventType]()
        for group in _groups(keys):
            happened |= await _look_at_group(context, lane, group, book)
        tenants = Scope(frozenset(key.split(":", 1)[0] for key in keys))
        if AlertEventType.OPENED in happened:
            await share_fates(context, tenants, signs.gap_end)
        if AlertEventType.RESOLVED in happened:
            await mend_fates(context, tenants)
        if keys:
            await context.store.rule_states.forget_overdue(lane, ["absence"], now - OVERDUE)
        looked += len(keys)
        if len(keys) < AT_ONCE:
            return looked


async def lanes_to_sweep(context: Context) -> set[int]:
    now = context.clock.now()
    return await context.store.connectivity.lanes_with_work(now) | await context.store.rule_states.lanes_due("absence", now)


async def refresh_wake_ups(context: Context, scope: Scope) -> None:
    """Brings the offline times of devices and their next looks into line with tenants and rules as they now are."""
    tenants = await context.store.tenants.list(scope)
    rules = await effective_rules(context, tenants)
    for tenant in tenants:
        one = only(tenant.id)
        await context.store.connectivity.reset_wake_ups(one, tenant.id, await offline_after(context, tenant))
        for rule in rules[tenant.id]:
            if rule.enabled and isinstance(rule.condition, AbsenceCondition) and rule.condition.after_sec is not None:
                await context.store.connectivity.shorten_wake_ups(one, tenant.id, rule.scope, rule.condition.after_sec)
        await context.store.connectivity.wake(one, tenant.id, context.clock.now())


async def refresh_wake_up(context: Context, tenant: Tenant, device: Device) -> None:
    """The same for one device, which is new or was changed."""
    rules = (await effective_rules(context, [tenant]))[tenant.id]
    conditions = [rule.condition for rule in absence_rules(rules, device)]
    own = [one.after_sec for one in conditions if isinstance(one, AbsenceCondition) and one.after_sec is not None]
    await context.store.connectivity.set_wake_up(
        only(tenant.id), device.id, min((device.offline_after, *own)), context.clock.now()
    )


async def withdraw_rule(context: Context, scope: Scope, rule_key: str, reason: str) -> None:
    """Ends the live alerts of a rule that is gone, off, or no longer for them, and forgets what it remembered."""
    await _end_all(context, await context.store.alerts.live_of_rule(scope, rule_key), reason, Resolution.RULE_CHANGED)
    await context.store.rule_states.forget_rule(scope, rule_key)


async def withdraw_device(context: Context, device: Device, reason: str) -> None:
    """Ends the live alerts of a device that was retired."""
    live = await context.store.alerts.live_of_devices(only(device.tenant_id), [device.id])
    await _end_all(context, live.get(device.id, []), reason, Resolution.DEVICE_RETIRED)
    await context.store.rule_states.forget_subject(only(device.tenant_id), SubjectKind.DEVICE, device.device_id)


async def _keys_to_look_at(context: Context, lane: int, now: datetime) -> list[str]:
    due = await context.store.connectivity.due(lane, now, AT_ONCE)
    back = await context.store.connectivity.back(lane, now, AT_ONCE)
    waiting = [f"{state.tenant_id}:{state.subject_id}" for state in await context.store.rule_states.due(lane, "absence", now)]
    return list(dict.fromkeys((*due, *back, *waiting)))


async def _look_at_group(context: Context, lane: int, keys: Sequence[str], book: FateBook) -> set[AlertEventType]:
    tenant_ids = sorted({key.split(":", 1)[0] for key in keys})
    tenants = await context.store.tenants.get_many(tenant_ids)
    rules = await effective_rules(context, list(tenants.values()))

    async def work(session: Session) -> Writes:
        # Read again inside: a beat that comes between this and the commit aborts it, and the look is taken anew.
        devices = await context.store.connectivity.get_many(keys, session)
        now = context.clock.now()
        writes, sightings = Writes(), list[Sighting]()
        for device in devices.values():
            of_tenant = rules.get(device.tenant_id, [])
            mine = list(_sightings(device, tenants.get(device.tenant_id), of_tenant, book.gap_end, now))
            sightings += mine
            writes.settlements.append(_settlement(device, look_at(device, of_tenant, book.gap_end, now), mine))
        await add_decisions(context, sightings, writes, now, session)
        by_key = {(one.subject.tenant_id, one.rule.key): one.rule for one in sightings}
        writes.changes[:] = await _with_siblings(book, by_key, devices, writes.changes, now)
        return writes

    return {event.type for event in await transact(context, lane, work)}


async def _with_siblings(
    book: FateBook, rules: Mapping[tuple[str, str], Rule], devices: Mapping[str, Device], changes: Sequence[Change], now: datetime
) -> list[Change]:
    """An opening says what its device hangs on, and its telling waits while others seem to share its fate."""
    placed = [_placed(change, devices.get(device_of(change.after) or "")) for change in changes]
    openings = [one.after for one in placed if _is_opening(one, devices)]
    await book.read_up([(rules[one.tenant_id, one.rule_key], one) for one in openings], now)
    found: list[Change] = []
    for change in placed:
        if _is_opening(change, devices):
            alert = change.after
            until = await book.hold(rules[alert.tenant_id, alert.rule_key], alert, alert.threshold or 0.0, now)
            change = lifecycle.held(change, until)  # noqa: PLW2901
        found.append(change)
    return found


def _is_opening(change: Change, devices: Mapping[str, Device]) -> bool:
    return change.type is AlertEventType.OPENED and device_of(change.after) in devices


def _placed(change: Change, device: Device | None) -> Change:
    if change.type is not AlertEventType.OPENED or device is None:
        return change
    hangs_on: dict[str, object] = {"gatewayId": device.gateway_id, "appVersion": device.app_version}
    details = {name: value for name, value in hangs_on.items() if value}
    return msgspec.structs.replace(change, after=msgspec.structs.replace(change.after, details=details or None))


async def add_decisions(
    context: Context, sightings: Sequence[Sighting], writes: Writes, now: datetime, session: Session | None
) -> None:
    """Decides on every sighting by what is remembered and live, as the session sees it."""
    states = await context.store.rule_states.get_many([one.state_id for one in sightings], session)
    live = await context.store.alerts.live(EVERY_TENANT, [one.alert_key for one in sightings], session=session)
    for one in sightings:
        changes, state = decide(one, states.get(one.state_id), live.get(one.alert_key), now)
        writes.changes.extend(changes)
        writes.states.extend([] if state is None else [state])


def _settlement(device: Device, look: Look, sightings: Sequence[Sighting]) -> Settlement:
    return Settlement(
        device_key=device.id,
        status=look.status,
        since=look.since,
        due_at=look.due_at,
        last_seen=device.last_seen,
        missed=look.status is DeviceStatus.OFFLINE or any(is_breach(seen) for one in sightings for seen in one.seen),
        changed=look.status is not device.status,
    )


def _sightings(
    device: Device, tenant: Tenant | None, rules: Sequence[Rule], gap_end: datetime, now: datetime
) -> Iterator[Sighting]:
    for rule in absence_rules(rules, device):
        if isinstance(rule.condition, AbsenceCondition):
            seen = observe_absence(rule.condition, device, gap_end, now)
            if seen is not None:
                most = rule.max_alerts_per_hour if tenant is None else most_alerts_per_hour(rule, tenant)
                yield Sighting(rule, of_device(device), [seen], Around(most_per_hour=most))


async def _end_all(context: Context, alerts: Sequence[Alert], reason: str, kind: Resolution) -> None:
    by_lane: dict[int, list[str]] = {}
    for alert in alerts:
        by_lane.setdefault(lane_of(alert.tenant_id), []).append(alert.id)
    for lane, ids in by_lane.items():
        for group in _groups(ids):
            await _end_group(context, lane, group, reason, kind)


async def _end_group(context: Context, lane: int, ids: Sequence[str], reason: str, kind: Resolution) -> None:
    async def work(session: Session) -> Writes:
        now = context.clock.now()
        found = await context.store.alerts.get_many(EVERY_TENANT, ids, session=session)
        return Writes(changes=[lifecycle.resolve(alert, None, reason, kind, now) for alert in found.values() if alert.live])

    await transact(context, lane, work)


def _groups(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), GROUP):
        yield keys[start : start + GROUP]
