"""Reading what devices said in the past: beats, and before they are kept what was rolled up of them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from app.domain.anomaly_history import AnomalyHistory
from app.domain.beat import Beat
from app.domain.beat_history import AbsenceHistory, GaugeHistory, WindowHistory
from app.domain.coarse_beats import coarse_beats, evenly
from app.domain.conditions.anomaly import Sample
from app.domain.conditions.local_time import subject_zone
from app.domain.counts import BUCKET, bucket_start
from app.domain.device import Device
from app.domain.replay import History
from app.domain.rollup import Resolution
from app.domain.rule import AbsenceCondition, Aggregation, AnomalyCondition, MetricCondition, Rule
from app.domain.subject import of_device
from app.domain.tenant import only
from app.errors import TooComplexError
from app.past import MOST_READINGS, Past, Pasts, SeenPast, looks_back
from app.present import devices_in_scope
from app.rule_tick import OVERLAP

GROUP = 200
"""Devices that are read with one question."""

COARSE_GROUP = 20


async def beat_histories(past: Past, rule: Rule) -> Pasts:
    """For rules of absence and of metrics, device by device. Raises TooComplexError, before it begins, where that is too much."""
    devices = await devices_in_scope(past.context, past.tenant.id, rule)
    exact = _exact_from(past, rule)
    first = past.start - looks_back(rule)
    ids = [device.device_id for device in devices]
    count = await past.context.store.heartbeats.how_many(past.tenant.id, ids, max(first, exact), past.end, MOST_READINGS + 1)
    _require_few(count + _coarse_count(len(ids), first, min(exact, past.end)), "heartbeats")
    size = GROUP if exact <= first else COARSE_GROUP
    for place in range(0, len(devices), size):
        group = devices[place : place + size]
        coarse = await _coarse(past, rule, group, first, exact) if first < exact else {}
        async for device, beats in _beats_of(past, group, max(first, exact)):
            yield SeenPast(
                of_device(device), _of_beats(rule, device, beats, coarse.pop(device.device_id, []), exact), device.offline_after
            )
        for device in group:
            if device.device_id in coarse:
                yield SeenPast(
                    of_device(device), _of_beats(rule, device, [], coarse[device.device_id], exact), device.offline_after
                )


async def anomaly_histories(past: Past, rule: Rule) -> Pasts:
    """For rules of anomalies, over five minutes: from beats while they are kept, before that from what was rolled up."""
    condition = rule.condition
    assert isinstance(condition, AnomalyCondition)
    devices = await devices_in_scope(past.context, past.tenant.id, rule)
    first, exact = past.start - looks_back(rule), _exact_from(past, rule)
    _require_few(_coarse_count(len(devices), first, past.end), "five minutes of values")
    sites = {site.store_id: site.timezone for site in await past.context.store.sites.list(only(past.tenant.id))}
    store, tenant_id = past.context.store, past.tenant.id
    for place in range(0, len(devices), COARSE_GROUP):
        group = devices[place : place + COARSE_GROUP]
        ids = [device.device_id for device in group]
        old = await store.rollups.series(tenant_id, ids, condition.metric, first, min(exact, past.end), Resolution.FIVE_MINUTES)
        new = await store.heartbeats.means(tenant_id, ids, condition.metric, max(first, exact), past.end)
        for device in group:
            samples = {point.start: Sample(point.count, point.average) for point in old.get(device.device_id, [])}
            samples |= new.get(device.device_id, {})
            zone = subject_zone(device.timezone, sites.get(device.store_id or ""), past.tenant.timezone)
            yield SeenPast(of_device(device), AnomalyHistory(condition, samples, zone), device.offline_after)


def _exact_from(past: Past, rule: Rule) -> datetime:
    """The first whole five minutes whose beats are all kept; the beginning of time where all are that are asked for."""
    if past.start - looks_back(rule) >= past.kept_from:
        return past.start - looks_back(rule)
    return bucket_start(past.kept_from) + BUCKET


def _coarse_count(devices: int, start: datetime, end: datetime) -> int:
    return devices * max(0, (end - start) // BUCKET)


def _require_few(count: int, what: str) -> None:
    if count > MOST_READINGS:
        raise TooComplexError(
            f"that would read more than {MOST_READINGS:,} {what}: take a shorter range, or a scope with fewer devices"
        )


async def _beats_of(past: Past, devices: Sequence[Device], start: datetime) -> AsyncIterator[tuple[Device, list[Beat]]]:
    """Device by device; with the beat before the stretch, from which on a device may have been silent."""
    store, by_id = past.context.store.heartbeats, {device.device_id: device for device in devices}
    pairs = [(device.tenant_id, device.device_id) for device in devices]
    found = await store.latest(only(past.tenant.id), pairs, before=start)
    before = {beat.device_id: beat for beat in found.values()}
    gathered: list[Beat] = []
    async for beat in store.past(past.tenant.id, list(by_id), start, past.end):
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


async def _coarse(past: Past, rule: Rule, devices: Sequence[Device], start: datetime, end: datetime) -> dict[str, list[Beat]]:
    """Readings that stand for the beats of [start, end), by device id."""
    store, tenant_id = past.context.store.rollups, past.tenant.id
    by_id = {device.device_id: device for device in devices}
    condition = rule.condition
    if isinstance(condition, MetricCondition):
        series = await store.series(tenant_id, list(by_id), condition.metric, start, min(end, past.end), Resolution.FIVE_MINUTES)
        return {device_id: list(coarse_beats(condition, by_id[device_id], points)) for device_id, points in series.items()}
    heard = await store.beats_heard(tenant_id, list(by_id), start, min(end, past.end), Resolution.FIVE_MINUTES)
    return {
        device_id: [_silent_beat(by_id[device_id], at) for begin, count in buckets for at in evenly(begin, count)]
        for device_id, buckets in heard.items()
    }


def _silent_beat(device: Device, at: datetime) -> Beat:
    """A beat of which nothing is known but when it came."""
    return Beat(
        id=f"{device.id}:{at.isoformat()}",
        tenant_id=device.tenant_id,
        device_id=device.device_id,
        lane=device.lane,
        timestamp=at,
        received_at=at,
        expire_at=at,
    )


def _of_beats(rule: Rule, device: Device, beats: Sequence[Beat], coarse: Sequence[Beat], exact: datetime) -> History:
    condition, known = rule.condition, [*coarse, *(beat for beat in beats if not coarse or beat.timestamp >= exact)]
    if isinstance(condition, AbsenceCondition):
        return AbsenceHistory(condition, device, [beat.received_at for beat in known])
    assert isinstance(condition, MetricCondition)
    if condition.aggregation is Aggregation.LAST:
        return GaugeHistory(rule, device, known, OVERLAP, exact if coarse else None)
    return WindowHistory(rule, known)
