"""Judging what devices say: the rule tick over the gauges of new beats, and over what time alone may change."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.context import Context
from app.domain.beat import Beat, metric_value
from app.domain.conditions.metric import observe_beats, observe_window
from app.domain.conditions.observation import is_breach
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key
from app.domain.judgement import Sighting
from app.domain.rule import Aggregation, MetricCondition, Rule, RuleState, in_scope
from app.domain.subject import of_device
from app.domain.tenant import EVERY_TENANT
from app.evaluation import add_decisions
from app.rules import effective_rules
from app.store.mongo import Session
from app.transitions import Writes, transact

GROUP = 100
PAGE = 20_000
"""Most beats that are read at once."""

OVERLAP = timedelta(seconds=5)
"""How far a tick reads back behind its mark: a beat is stored a little after it came."""

REACH = timedelta(minutes=10)
"""How far back a tick reads after a standstill; what is older is history, and no reason to wake anybody."""

MARK = "rules"
_log = structlog.get_logger(__name__)


async def judge_lane(context: Context, lane: int) -> int:
    """Judges the beats that came since the lane's mark, and the states whose time has come; how many beats were read."""
    now = context.clock.now()
    mark = await context.store.leases.watermark(MARK, lane) or now - REACH
    after = max(mark - OVERLAP, now - REACH)
    beats_read = 0
    while True:
        beats = await context.store.heartbeats.received_in_lane(lane, after, now, PAGE)
        full = len(beats) == PAGE
        until = beats[-1].received_at if full else now
        await _judge(context, lane, beats, now)
        beats_read += len(beats)
        await context.store.leases.advance(MARK, lane, until)
        if not full or until <= after:
            return beats_read
        after = until


async def _judge(context: Context, lane: int, beats: Sequence[Beat], now: datetime) -> None:
    states = await context.store.rule_states.in_lane(lane, "metric")
    due = [state for state in states.values() if (state.next_due is not None and state.next_due <= now) or state.windowed]
    new: dict[str, list[Beat]] = {}
    for beat in beats:
        new.setdefault(device_key(beat.tenant_id, beat.device_id), []).append(beat)
    keys = list(dict.fromkeys((*new, *(device_key(state.tenant_id, state.subject_id) for state in due))))
    if not keys:
        return
    devices = await context.store.connectivity.get_many(keys)
    tenants = await context.store.tenants.get_many(sorted({device.tenant_id for device in devices.values()}))
    rules = await effective_rules(context, list(tenants.values()))
    await _add_latest(context, devices, new, due)
    sightings: list[Sighting] = []
    for tenant_id, of_tenant in rules.items():
        mine = [device for device in devices.values() if device.tenant_id == tenant_id and device.retired_at is None]
        for rule in of_tenant:
            if rule.enabled and isinstance(rule.condition, MetricCondition):
                sightings += await _of_rule(context, rule, [device for device in mine if in_scope(rule.scope, device)], new, now)
    worth = [one for one in sightings if _may_matter(one, states)]
    for start in range(0, len(worth), GROUP):
        await _write_group(context, lane, worth[start : start + GROUP])
    await context.store.rules.note_evaluated(sorted({one.rule.id for one in sightings}), now)


async def _add_latest(context: Context, devices: dict[str, Device], new: dict[str, list[Beat]], due: Sequence[RuleState]) -> None:
    """For states whose time has come without a new beat, the last beat is what counts, while the device is there."""
    silent = {
        (state.tenant_id, state.subject_id)
        for state in due
        if (key := device_key(state.tenant_id, state.subject_id)) not in new
        and key in devices
        and devices[key].status is DeviceStatus.ONLINE
    }
    if silent:
        latest = await context.store.heartbeats.latest(EVERY_TENANT, sorted(silent))
        new.update({key: [beat] for key, beat in latest.items()})


async def _of_rule(
    context: Context, rule: Rule, devices: Sequence[Device], beats: dict[str, list[Beat]], now: datetime
) -> list[Sighting]:
    try:
        if not isinstance(rule.condition, MetricCondition):
            return []
        if rule.condition.aggregation is Aggregation.LAST:
            looks = [(device, observe_beats(rule.condition, beats.get(device.id, []), now)) for device in devices]
            return [Sighting(rule, of_device(device), seen) for device, seen in looks if seen]
        return await _of_windows(context, rule, rule.condition, devices, now)
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        # A rule that fails never stops the others; what the database throws is not the rule's.
        _log.exception("rule.failed", rule=rule.key, tenant=rule.tenant_id)
        await context.store.rules.note_error(rule.id, f"{type(error).__name__}: {error}")
        return []


async def _of_windows(
    context: Context, rule: Rule, condition: MetricCondition, devices: Sequence[Device], now: datetime
) -> list[Sighting]:
    sightings = []
    by_tenant: dict[str, list[Device]] = {}
    for device in devices:
        by_tenant.setdefault(device.tenant_id, []).append(device)
    for tenant_id, mine in by_tenant.items():
        after = now - timedelta(seconds=condition.window_sec)
        windows = await context.store.heartbeats.window(tenant_id, [device.device_id for device in mine], after, now)
        for device in mine:
            values = [
                value for beat in windows.get(device.device_id, []) if (value := metric_value(beat, condition.metric)) is not None
            ]
            seen = observe_window(condition, values, now)
            if seen is not None:
                sightings.append(Sighting(rule, of_device(device), [seen]))
    return sightings


def _may_matter(sighting: Sighting, states: dict[str, RuleState]) -> bool:
    return sighting.state_id in states or any(is_breach(seen) for seen in sighting.seen)


async def _write_group(context: Context, lane: int, sightings: Sequence[Sighting]) -> None:
    preview = Writes()
    await add_decisions(context, sightings, preview, context.clock.now(), None)
    if preview.is_empty():
        return  # the common case of a breach that goes on: no transaction for it

    async def work(session: Session) -> Writes:
        writes = Writes()
        await add_decisions(context, sightings, writes, context.clock.now(), session)
        return writes

    await transact(context, lane, work)
