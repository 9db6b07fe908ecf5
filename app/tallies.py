"""What is counted: the ratio, spike and opening-hours rules over five-minute counts of operational events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from app.domain.conditions.local_time import subject_zone
from app.domain.conditions.observation import Seen, is_breach
from app.domain.conditions.outside_hours import closed_since, judged_moment, observe_outside_hours, zone_of
from app.domain.conditions.ratio import USUAL, before_window, observe_ratio
from app.domain.conditions.spike import baseline_spans, observe_spike
from app.domain.counts import BUCKET, Buckets, in_window
from app.domain.device import Device
from app.domain.ids import dedup_key, device_key
from app.domain.judgement import Sighting
from app.domain.operational_event import STORELESS, EventKind
from app.domain.rule import (
    CountCondition,
    OutsideHoursCondition,
    RatioCondition,
    Rule,
    RuleState,
    SpikeCondition,
    counted_for,
    covers,
    in_scope,
)
from app.domain.subject import Subject, SubjectKind, of_device, of_store, of_tenant
from app.domain.tenant import Site, only
from app.look import Look

FAMILIES = ("ratio", "spike", "outside_hours")

Place = tuple[SubjectKind, str]
"""Where events were counted, as the counts are kept: the tenant's without a store are at (TENANT, STORELESS)."""


@dataclass(slots=True)
class _Counted:
    """What of one tenant may have changed, and what is known of its places."""

    tenant_id: str
    touched: dict[EventKind, set[Place]] = field(default_factory=dict)
    due: dict[str, set[Place]] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    zone: str = "UTC"


async def tally_sightings(look: Look) -> list[Sighting]:
    """What every rule of counts sees of the places where something was counted, and of those that time may have changed."""
    tenants: dict[str, _Counted] = {}
    for change in await look.context.store.event_counts.changed_in_lane(look.lane, look.since, look.now):
        one = tenants.setdefault(change.tenant_id, _Counted(change.tenant_id))
        one.touched.setdefault(change.event, set()).add((change.place, change.subject_id))
    for state in look.due(*FAMILIES):
        one = tenants.setdefault(state.tenant_id, _Counted(state.tenant_id))
        one.due.setdefault(state.rule_key, set()).update(_places_of(state))
    await look.learn(tenants)
    sightings: list[Sighting] = []
    for counted in tenants.values():
        if counted.tenant_id in look.tenants:
            await _get_to_know(look, counted)
            for rule in look.rules[counted.tenant_id]:
                if isinstance(rule.condition, CountCondition):
                    work = partial(_of_rule, look, counted, rule, rule.condition)
                    sightings += await look.guarded(counted.tenant_id, rule, work)
    return sightings


async def sightings_at(
    look: Look, tenant_id: str, rule: Rule, condition: CountCondition, places: Iterable[Place]
) -> list[Sighting]:
    """What one rule sees of some places now, whether anything was counted there lately or not."""
    counted = _Counted(tenant_id, {condition.event: set(places)})
    await _get_to_know(look, counted)
    return await _of_rule(look, counted, rule, condition)


async def subjects_at(
    look: Look, tenant_id: str, rule: Rule, condition: CountCondition, places: Iterable[Place]
) -> dict[Place, tuple[Subject, ZoneInfo]]:
    """Those of some places that a rule is for, with the subject that it judges there and the zone that it lives in."""
    counted = _Counted(tenant_id, {condition.event: set(places)})
    await _get_to_know(look, counted)
    found: dict[Place, tuple[Subject, ZoneInfo]] = {}
    for place in sorted(counted.touched[condition.event], key=str):
        subject = _subject(counted, rule, condition, place)
        if subject is not None:
            zones = _zones(counted, place)
            found[place] = (
                subject,
                zone_of(condition, *zones) if isinstance(condition, OutsideHoursCondition) else subject_zone(*zones),
            )
    return found


def _places_of(state: RuleState) -> list[Place]:
    """A tenant's state may be about all of its events, or about those that name no store: the rule knows."""
    place = (state.subject_kind, state.subject_id)
    return [place, (SubjectKind.TENANT, STORELESS)] if state.subject_kind is SubjectKind.TENANT else [place]


async def _get_to_know(look: Look, counted: _Counted) -> None:
    store, tenant_id = look.context.store, counted.tenant_id
    places = {place for some in (*counted.touched.values(), *counted.due.values()) for place in some}
    keys = [device_key(tenant_id, subject_id) for kind, subject_id in places if kind is SubjectKind.DEVICE]
    found = await store.connectivity.get_many(keys) if keys else {}
    counted.devices = {device.device_id: device for device in found.values()}
    counted.sites = {site.store_id: site for site in await store.sites.list(only(tenant_id))}
    counted.zone = look.tenants[tenant_id].timezone


async def _of_rule(look: Look, counted: _Counted, rule: Rule, condition: CountCondition) -> list[Sighting]:
    places = counted.touched.get(condition.event, set()) | counted.due.get(rule.key, set())
    subjects = {place: subject for place in sorted(places, key=str) if (subject := _subject(counted, rule, condition, place))}
    seen = await _seen(look, counted, rule, condition, subjects)
    return [Sighting(rule, subjects[place], [one], look.around(counted.tenant_id, rule)) for place, one in seen]


def _subject(counted: _Counted, rule: Rule, condition: CountCondition, place: Place) -> Subject | None:
    """The subject that a rule judges by the counts of a place; None where it is not for it."""
    kind, subject_id = place
    wanted = counted_for(rule, condition)
    if kind is SubjectKind.DEVICE:
        device = counted.devices.get(subject_id)
        if wanted is not kind or (device is not None and (device.retired_at is not None or not in_scope(rule.scope, device))):
            return None
        if device is None:
            named = rule.scope.names_devices() and subject_id not in rule.scope.device_ids
            return None if named else Subject(tenant_id=counted.tenant_id, kind=kind, id=subject_id, name=subject_id)
        return of_device(device)
    if kind is SubjectKind.STORE:
        site = counted.sites.get(subject_id)
        store = of_store(counted.tenant_id, subject_id, None if site is None else site.name)
        return store if wanted in (kind, None) and covers(rule.scope, store) else None
    if (subject_id == STORELESS) is (wanted is None) and wanted in (kind, None):
        return of_tenant(counted.tenant_id)
    return None


async def _seen(
    look: Look, counted: _Counted, rule: Rule, condition: CountCondition, subjects: dict[Place, Subject]
) -> list[tuple[Place, Seen]]:
    if not subjects:
        return []
    if isinstance(condition, RatioCondition):
        return await _ratios(look, counted, rule, condition, subjects)
    if isinstance(condition, OutsideHoursCondition):
        return await _outside_hours(look, counted, condition, subjects)
    return await _spikes(look, counted, rule, condition, subjects)


async def _ratios(
    look: Look, counted: _Counted, rule: Rule, condition: RatioCondition, subjects: dict[Place, Subject]
) -> list[tuple[Place, Seen]]:
    """Only where the share is too large is it asked how large it usually is."""
    after = look.now - timedelta(seconds=condition.window_sec)
    windows = await _windows(look, counted, condition, subjects, after)
    seen: dict[Place, Seen] = {place: observe_ratio(condition, windows.get(place, {}), look.now) for place in subjects}
    over = [place for place, one in seen.items() if is_breach(one)]
    if condition.chance is None or not over:
        return list(seen.items())
    history = await _windows(look, counted, condition, over, look.now - USUAL)
    troubles = await _troubles(look, rule, {place: subjects[place] for place in over}, look.now - USUAL)
    for place in over:
        past = before_window(condition, history.get(place, {}), look.now, troubles.get(place, []))
        seen[place] = observe_ratio(condition, windows.get(place, {}), look.now, past)
    return list(seen.items())


async def _troubles(
    look: Look, rule: Rule, subjects: dict[Place, Subject], since: datetime
) -> dict[Place, list[tuple[datetime, datetime]]]:
    """When this rule had alerts of these places."""
    keys = {place: dedup_key(rule.key, subject.kind.value, subject.id) for place, subject in subjects.items()}
    tenant_id = next(iter(subjects.values())).tenant_id
    found = await look.context.store.alerts.troubles(tenant_id, list(keys.values()), since)
    return {place: found[key] for place, key in keys.items() if key in found}


async def _outside_hours(
    look: Look, counted: _Counted, condition: OutsideHoursCondition, subjects: Iterable[Place]
) -> list[tuple[Place, Seen]]:
    zones = {place: zone_of(condition, *_zones(counted, place)) for place in subjects}
    judged = {zone: judged_moment(condition, look.now, zone) for zone in set(zones.values())}
    closed = [since for zone, at in judged.items() if (since := closed_since(condition, at, zone)) is not None]
    windows = await _windows(look, counted, condition, zones, min(closed)) if closed else {}
    return [(place, observe_outside_hours(condition, windows.get(place, {}), look.now, zone)) for place, zone in zones.items()]


async def _spikes(
    look: Look, counted: _Counted, rule: Rule, condition: SpikeCondition, subjects: dict[Place, Subject]
) -> list[tuple[Place, Seen]]:
    """Only where enough was counted for a spike are like windows read."""
    after = look.now - timedelta(seconds=condition.window_sec)
    windows = await _windows(look, counted, condition, subjects, after)
    zones = {place: subject_zone(*_zones(counted, place)) for place in subjects}
    many: list[Place] = []
    seen: list[tuple[Place, Seen]] = []
    for place in subjects:
        buckets = windows.get(place, {})
        if in_window(buckets, look.now, condition.window_sec).total >= condition.min_count:
            many.append(place)
        else:
            seen.append((place, observe_spike(condition, buckets, look.now, zones[place])))
    if not many:
        return seen
    first = min(start for zone in set(zones.values()) for start, _ in baseline_spans(condition, look.now, zone))
    history = await _windows(look, counted, condition, many, first)
    known = await look.context.store.event_counts.known_from(counted.tenant_id)
    troubles = await _troubles(look, rule, {place: subjects[place] for place in many}, first - BUCKET)
    for place in many:
        trouble = troubles.get(place, [])
        seen.append((place, observe_spike(condition, history.get(place, {}), look.now, zones[place], trouble, known)))
    return seen


async def _windows(
    look: Look, counted: _Counted, condition: CountCondition, places: Iterable[Place], after: datetime
) -> dict[Place, Buckets]:
    by_kind: dict[SubjectKind, list[str]] = {}
    for kind, subject_id in places:
        by_kind.setdefault(kind, []).append(subject_id)
    found: dict[Place, Buckets] = {}
    for kind, ids in by_kind.items():
        counts = look.context.store.event_counts
        windows = await counts.window(counted.tenant_id, kind, ids, condition.event, after, look.now)
        found |= {(kind, subject_id): buckets for subject_id, buckets in windows.items()}
    return found


def _zones(counted: _Counted, place: Place) -> tuple[str | None, str | None, str]:
    """The device's, the store's and the tenant's zone, as far as they have one."""
    kind, subject_id = place
    device = counted.devices.get(subject_id) if kind is SubjectKind.DEVICE else None
    store_id = subject_id if kind is SubjectKind.STORE else None if device is None else device.store_id
    site = None if store_id is None else counted.sites.get(store_id)
    return None if device is None else device.timezone, None if site is None else site.timezone, counted.zone
