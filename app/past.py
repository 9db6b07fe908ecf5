"""Reading what a rule could see in the past, subject by subject."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.context import Context
from app.domain.beat import Beat
from app.domain.beat_history import AbsenceHistory, GaugeHistory, WindowHistory
from app.domain.device import Device
from app.domain.replay import History
from app.domain.rule import AbsenceCondition, Aggregation, MetricCondition, Rule, in_scope
from app.domain.subject import Subject, of_device
from app.domain.tenant import Tenant, only
from app.errors import TooComplexError
from app.rule_tick import OVERLAP

MOST_READINGS = 5_000_000
"""Beats and events that one question may read."""

MOST_DEVICES = 100_000
GROUP = 200
"""Devices that are read with one question."""


@dataclass(frozen=True, slots=True)
class Past:
    """A stretch of a tenant's history, and from when on every beat in it is still kept."""

    context: Context
    tenant: Tenant
    start: datetime
    end: datetime
    kept_from: datetime


@dataclass(frozen=True, slots=True)
class SeenPast:
    """What a rule could see of one subject; `silent_after` as the subject's devices have it."""

    subject: Subject
    history: History
    silent_after: int | None = None


async def histories(past: Past, rule: Rule) -> AsyncIterator[SeenPast]:
    """The history of every subject that a rule is for. Raises TooComplexError, before it begins, where that is too much."""
    devices = await devices_in_scope(past.context, past.tenant.id, rule)
    await _require_few(past, devices)
    for first in range(0, len(devices), GROUP):
        async for device, beats in _beats_of(past, devices[first : first + GROUP]):
            yield SeenPast(of_device(device), _of_beats(rule, device, beats), device.offline_after)


async def devices_in_scope(context: Context, tenant_id: str, rule: Rule) -> list[Device]:
    """The devices that a rule is for today: what was retired, or stood elsewhere then, is not asked."""
    scope = rule.scope
    found = await context.store.devices.choose(only(tenant_id), scope.device_ids, scope.store_ids, MOST_DEVICES)
    return [device for device in found if in_scope(scope, device)]


async def _require_few(past: Past, devices: Sequence[Device]) -> None:
    ids = [device.device_id for device in devices]
    count = await past.context.store.heartbeats.how_many(past.tenant.id, ids, past.start, past.end, MOST_READINGS + 1)
    if count > MOST_READINGS:
        raise TooComplexError(
            f"{len(ids):,} devices sent more than {MOST_READINGS:,} heartbeats in that time: take a shorter range or a narrower scope"
        )


async def _beats_of(past: Past, devices: Sequence[Device]) -> AsyncIterator[tuple[Device, list[Beat]]]:
    """Device by device; with the beat before the stretch, from which on a device may have been silent."""
    store, by_id = past.context.store.heartbeats, {device.device_id: device for device in devices}
    pairs = [(device.tenant_id, device.device_id) for device in devices]
    found = await store.latest(only(past.tenant.id), pairs, before=past.start)
    before = {beat.device_id: beat for beat in found.values()}
    gathered: list[Beat] = []
    async for beat in store.past(past.tenant.id, list(by_id), past.start, past.end):
        if gathered and gathered[0].device_id != beat.device_id:
            yield _with_first(by_id, before, gathered)
            gathered = []
        if beat.received_at <= past.end:
            gathered.append(beat)
    if gathered:
        yield _with_first(by_id, before, gathered)
    for device_id, beat in list(before.items()):
        yield by_id[device_id], [beat]


def _with_first(by_id: dict[str, Device], before: dict[str, Beat], beats: list[Beat]) -> tuple[Device, list[Beat]]:
    device = by_id[beats[0].device_id]
    first = before.pop(device.device_id, None)
    return device, beats if first is None else [*beats, first]


def _of_beats(rule: Rule, device: Device, beats: Sequence[Beat]) -> History:
    condition = rule.condition
    if isinstance(condition, AbsenceCondition):
        return AbsenceHistory(condition, device, [beat.received_at for beat in beats])
    assert isinstance(condition, MetricCondition)
    if condition.aggregation is Aggregation.LAST:
        return GaugeHistory(rule, device, beats, OVERLAP)
    return WindowHistory(rule, beats)


def warm_up(rule: Rule) -> timedelta:
    """How long before a stretch a rule has to be followed so that its first minutes are as they were: its waits, its window,
    and the hour in which alerts are counted."""
    window = rule.condition.window_sec if isinstance(rule.condition, MetricCondition) else 0
    return timedelta(hours=1, seconds=rule.for_sec + rule.keep_firing_sec + rule.cooldown_sec + window)
