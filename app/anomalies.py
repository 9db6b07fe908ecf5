"""What is unlike itself: the anomaly rules over the five minutes that ended since the last look."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from app.domain.conditions.anomaly import (
    HORIZONS,
    Point,
    judged_hour,
    judged_until,
    like_hours,
    observe_buckets,
    without_incidents,
)
from app.domain.conditions.local_time import subject_zone
from app.domain.device import Device
from app.domain.ids import dedup_key
from app.domain.judgement import Sighting
from app.domain.rollup import Resolution
from app.domain.rule import AnomalyCondition, Rule, in_scope
from app.domain.subject import SubjectKind, of_device
from app.domain.tenant import only
from app.look import Look

AT_ONCE = 200
"""Devices whose history is read together."""


async def anomaly_sightings(look: Look) -> list[Sighting]:
    """What every anomaly rule sees of the devices that beat lately, once for each five minutes."""
    if judged_until(look.now) <= judged_until(look.last):
        return []
    tenants = await look.context.store.rules.tenants_with_family("anomaly", look.lane)
    await look.learn(tenants)
    sightings: list[Sighting] = []
    for tenant_id in sorted(look.tenants):
        rules = look.rules_with(tenant_id, AnomalyCondition)
        if not rules:
            continue
        longest = max(condition.window_sec for _, condition in rules) * HORIZONS
        devices = await look.context.store.connectivity.heard_since(only(tenant_id), look.now - timedelta(seconds=longest))
        zones = await _zones(look, tenant_id, devices)
        for rule, condition in rules:
            scoped = [device for device in devices if in_scope(rule.scope, device)]
            for start in range(0, len(scoped), AT_ONCE):
                work = partial(_of_rule, look, rule, condition, scoped[start : start + AT_ONCE], zones)
                sightings += await look.guarded(tenant_id, rule, work)
    return sightings


async def sightings_of(
    look: Look, tenant_id: str, rule: Rule, condition: AnomalyCondition, devices: Sequence[Device]
) -> list[Sighting]:
    """What one rule sees of some devices now, whether it is time for it or not."""
    zones = await _zones(look, tenant_id, devices)
    sightings: list[Sighting] = []
    for start in range(0, len(devices), AT_ONCE):
        sightings += await _of_rule(look, rule, condition, devices[start : start + AT_ONCE], zones)
    return sightings


async def _zones(look: Look, tenant_id: str, devices: Iterable[Device]) -> dict[str, ZoneInfo]:
    sites = {site.store_id: site.timezone for site in await look.context.store.sites.list(only(tenant_id))}
    tenant = look.tenants[tenant_id].timezone
    return {one.id: subject_zone(one.timezone, sites.get(one.store_id or ""), tenant) for one in devices}


async def _of_rule(
    look: Look, rule: Rule, condition: AnomalyCondition, devices: Sequence[Device], zones: dict[str, ZoneInfo]
) -> list[Sighting]:
    tenant_id, end = devices[0].tenant_id, judged_until(look.now)
    ids = [device.device_id for device in devices]
    start = end - timedelta(seconds=HORIZONS * condition.window_sec)
    recent = await look.context.store.heartbeats.means(tenant_id, ids, condition.metric, start, end)
    keys = {device.id: dedup_key(rule.key, SubjectKind.DEVICE.value, device.device_id) for device in devices}
    since = end - timedelta(days=condition.baseline_days + 1)
    troubles = await look.context.store.alerts.troubles(tenant_id, list(keys.values()), since)
    sightings = []
    for zone in set(zones.values()):
        mine = [device for device in devices if zones[device.id] == zone]
        usual = await _baselines(look, condition, mine, zone)
        for device in mine:
            points = without_incidents(usual.get(device.device_id, []), troubles.get(keys[device.id], []))
            seen = observe_buckets(condition, recent.get(device.device_id, {}), points, look.now, zone)
            sightings.append(Sighting(rule, of_device(device), [seen], look.around(tenant_id, rule, device)))
    return sightings


async def _baselines(
    look: Look, condition: AnomalyCondition, devices: Sequence[Device], zone: ZoneInfo
) -> dict[str, list[Point]]:
    if not devices:
        return {}
    starts = like_hours(judged_hour(look.now), zone, condition.baseline_days)
    ids = [device.device_id for device in devices]
    found = await look.context.store.rollups.at_starts(
        devices[0].tenant_id, ids, condition.metric, starts, Resolution.FIVE_MINUTES
    )
    return {device_id: [Point(one.start, one.average) for one in points] for device_id, points in found.items()}
