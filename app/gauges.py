"""What devices say: the metric rules over the gauges of new beats, and over what time alone may change."""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from app.domain.beat import Beat, metric_words
from app.domain.conditions.metric import observe_gauge, observe_window
from app.domain.conditions.observation import Nothing, Seen
from app.domain.conditions.words import duration
from app.domain.device import Device
from app.domain.ids import device_key
from app.domain.judgement import Sighting
from app.domain.rule import Aggregation, MetricCondition, NoDataPolicy, Rule, in_scope
from app.domain.sieve import Sieve
from app.domain.subject import of_device
from app.domain.tenant import EVERY_TENANT
from app.domain.windows import Pair
from app.look import Look
from app.store.heartbeats import as_beat

Beats = dict[str, list[Beat]]
"""New beats by device key, in the order in which they came."""


Asked = tuple[Rule, MetricCondition, Sequence[Device]]
"""A rule, and the devices that it looks at."""

Due = Mapping[str, Set[str]]
"""By device key: the rules whose time has come, whether there is a beat or not."""


def due_rules(look: Look) -> Due:
    keys: dict[str, set[str]] = {}
    for state in look.due("metric"):
        keys.setdefault(device_key(state.tenant_id, state.subject_id), set()).add(state.rule_key)
    return keys


def due_with_windows(look: Look, due: Due, device_keys: Iterable[str]) -> Due:
    """And, of devices whose windows may have changed, all rules that look at windows."""
    found: dict[str, Set[str]] = dict(due)
    for key in device_keys:
        of_tenant = look.rules_with(key.split(":", 1)[0], MetricCondition)
        windowed = {rule.key for rule, condition in of_tenant if condition.aggregation is not Aggregation.LAST}
        found[key] = windowed | due.get(key, set())
    return found


async def suspects(look: Look, readings: Sequence[dict[str, Any]]) -> Beats:
    """The beats that may matter to a metric rule: those that a threshold may meet, and all of devices that are remembered."""
    look.windows.add(readings)
    await look.learn({reading["tenant_id"] for reading in readings})
    sieves = {tenant_id: Sieve(rules) for tenant_id, rules in look.rules.items()}
    remembered = {(state.tenant_id, state.subject_id) for state in look.states.values() if state.family == "metric"}
    found: Beats = {}
    chosen: set[tuple[str, str]] = set()
    for reading in readings:
        pair = reading["tenant_id"], reading["device_id"]
        if pair in chosen or pair in remembered or (pair[0] in sieves and sieves[pair[0]].passes(reading)):
            chosen.add(pair)
            found.setdefault(device_key(*pair), []).append(as_beat(reading))
    return found


async def gauge_sightings(look: Look, beats: Beats, due: Due, *, windowed: bool = True) -> list[Sighting]:
    """What every metric rule sees of the devices that beat, and what those rules see that are due; with `windowed` off, those
    alone that look at no window."""
    keys = list(dict.fromkeys((*beats, *due)))
    if not keys:
        return []
    devices = await look.context.store.connectivity.get_many(keys)
    await look.learn({device.tenant_id for device in devices.values()})
    latest = await _latest(look, [device for key, device in devices.items() if key not in beats])
    sightings: list[Sighting] = []
    by_tenant: dict[str, list[Device]] = {}
    for device in devices.values():
        if device.retired_at is None:
            by_tenant.setdefault(device.tenant_id, []).append(device)
    for tenant_id, mine in by_tenant.items():
        asked: list[Asked] = []
        for rule, condition in look.rules_with(tenant_id, MetricCondition):
            if not windowed and condition.aggregation is not Aggregation.LAST:
                continue
            looked_at = [device for device in mine if device.id in beats or rule.key in due.get(device.id, ())]
            asked.append((rule, condition, [device for device in looked_at if in_scope(rule.scope, device)]))
        await _read_windows(look, tenant_id, asked)
        for rule, condition, scoped in asked:
            sightings += await look.guarded(tenant_id, rule, partial(_of_rule, look, rule, condition, scoped, (beats, latest)))
    return sightings


async def _latest(look: Look, silent: Iterable[Device]) -> dict[str, Beat]:
    """For states whose time has come without a new beat, the last beat is what counts."""
    pairs = sorted((device.tenant_id, device.device_id) for device in silent)
    return await look.context.store.heartbeats.latest(EVERY_TENANT, pairs) if pairs else {}


async def _of_rule(
    look: Look, rule: Rule, condition: MetricCondition, devices: Sequence[Device], heard: tuple[Beats, dict[str, Beat]]
) -> list[Sighting]:
    beats, latest = heard
    if condition.aggregation is not Aggregation.LAST:
        return await _of_windows(look, rule, condition, devices)
    sightings = []
    for device in devices:
        new = beats.get(device.id) or ([latest[device.id]] if device.id in latest else [])
        heard_at = None if rule.no_data is NoDataPolicy.KEEP else look.heard_at(rule, device)
        seen = observe_gauge(condition, new, look.now, timedelta(seconds=device.offline_after), heard_at)
        if seen:
            sightings.append(Sighting(rule, of_device(device), seen, look.around(device.tenant_id, rule, device)))
    return sightings


async def _read_windows(look: Look, tenant_id: str, asked: Sequence[Asked]) -> None:
    """Reads the windows that are looked at and not known from the last look: each once, for all rules, as far as any goes."""
    windowed = [one for one in asked if one[1].aggregation is not Aggregation.LAST]
    metrics = frozenset(condition.metric for _, condition, _ in windowed)
    wanted: dict[Pair, datetime] = {}
    for _, condition, devices in windowed:
        after = look.now - timedelta(seconds=condition.window_sec)
        for device in devices:
            pair = tenant_id, device.device_id
            wanted[pair] = min(after, wanted.get(pair, after))
    by_start: dict[datetime, list[Pair]] = {}
    for pair, after in look.windows.missing(wanted, metrics).items():
        by_start.setdefault(after, []).append(pair)
    for after, pairs in by_start.items():
        ids = [device_id for _, device_id in pairs]
        found = await look.context.store.heartbeats.window_readings(tenant_id, ids, metrics, after, look.now)
        look.windows.put(pairs, after, metrics, found)


async def _of_windows(look: Look, rule: Rule, condition: MetricCondition, devices: Sequence[Device]) -> list[Sighting]:
    after = look.now - timedelta(seconds=condition.window_sec)
    sightings = []
    for device in devices:
        values = look.windows.values((device.tenant_id, device.device_id), condition.metric, after, look.now)
        seen: Seen | None = observe_window(condition, values, look.now)
        if seen is None:
            seen = Nothing(reason=f"no {metric_words(condition.metric)} in {duration(condition.window_sec)}")
        sightings.append(Sighting(rule, of_device(device), [seen], look.around(device.tenant_id, rule, device)))
    return sightings
