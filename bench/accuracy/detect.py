"""Judges the month by the platform's own rules, with the product's own replay: every alert that would have been made."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import Pool
from zoneinfo import ZoneInfo

import msgspec

from app.domain.alert import Severity
from app.domain.anomaly_history import AnomalyHistory
from app.domain.beat import HealthStatus
from app.domain.beat_history import AbsenceHistory
from app.domain.conditions.service import is_for, severity_of
from app.domain.count_history import Arrival, CountHistory
from app.domain.defaults import platform_rules
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.operational_event import EventKind
from app.domain.replay import Grid, History, Replay
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    Comparison,
    CountCondition,
    MetricCondition,
    Rule,
    RuleScope,
    ServiceCondition,
    in_scope,
)
from app.domain.service import Service, ServiceTier, of_service, service_id
from app.domain.service_history import ServiceHistory
from app.domain.stages import Around
from app.domain.subject import Subject, SubjectKind, of_device, of_store, of_tenant
from bench.accuracy.calendar import END, START
from bench.accuracy.events import KNOWN_FROM
from bench.accuracy.fleet import SERVICES, Shop, tenants
from bench.accuracy.gauges import Telemetry
from bench.accuracy.generate import Month, month
from bench.accuracy.histories import GaugeSeen, arrivals, checked, five_minutes, moment

OFFLINE_AFTER = 120
SYNC_LAG_WARN = 90
SWEEP, TICK = timedelta(seconds=1), timedelta(seconds=15)
PERSON = 1_800
"""Where only a person ends an alert, one does so half an hour after it is over."""

GAUGE_OF = {
    "cpuUsage": "cpu",
    "memoryUsage": "memory",
    "diskUsage": "disk",
    "syncLagSec": "lag",
    "requestLatencyP95": "latency",
    "errorRate5m": "errors",
}
_BEGIN = datetime.fromtimestamp(START, UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, as far as it matters to the score. `subject` is kind/id; a service's id has its tenant before it."""

    rule: str
    severity: str
    subject: str
    fired_at: float
    resolved_at: float | None
    reason: str


def rules() -> list[Rule]:
    """The defaults, and one rule each of a window and of an anomaly, which no default is."""
    slow = MetricCondition(
        metric="requestLatencyP95", comparison=Comparison.GT, threshold=800, aggregation=Aggregation.AVG, window_sec=900
    )
    unusual = AnomalyCondition(metric="requestLatencyP95")
    return [
        *platform_rules(SYNC_LAG_WARN, _BEGIN),
        _rule("latency_average_high", Severity.MEDIUM, slow),
        msgspec.structs.replace(_rule("latency_unusual", Severity.LOW, unusual), scope=RuleScope(kinds=("gateway",))),
    ]


def _rule(key: str, severity: Severity, condition: MetricCondition | AnomalyCondition) -> Rule:
    return Rule(
        id=key, tenant_id=None, key=key, name=key, severity=severity, condition=condition, created_at=_BEGIN, updated_at=_BEGIN
    )


def detect(seed: int, processes: int = 1) -> list[Alarm]:
    """Every alert of the month, in the order of firing."""
    count = len(month(seed).shops)
    work = [partial(_in_shop, seed, number) for number in range(count)]
    work += [partial(_in_tenant, seed, number) for number in range(len(tenants()))]
    if processes == 1:
        found = [one() for one in work]
    else:
        with Pool(processes) as pool:
            found = pool.map(_call, work, chunksize=1)
    return sorted((alarm for some in found for alarm in some), key=lambda alarm: (alarm.fired_at, alarm.rule, alarm.subject))


def _call(work: "partial[list[Alarm]]") -> list[Alarm]:
    return work()


def _in_shop(seed: int, number: int) -> list[Alarm]:
    whole = month(seed)
    shop = whole.shops[number]
    found: list[Alarm] = []
    for machine in shop.machines:
        telemetry = whole.telemetry(shop, machine)
        device = _device(shop, telemetry)
        for rule in rules():
            history = _of_device(rule, device, telemetry, ZoneInfo(shop.zone)) if in_scope(rule.scope, device) else None
            if history is not None:
                found += _alarms(rule, of_device(device), history)
    streams: dict[str, list[Arrival]] = {}
    for rule, condition in _counting():
        kind = condition.event.value
        if condition.event is not EventKind.WEBHOOK_DELIVERY:
            if kind not in streams:
                streams[kind] = arrivals(whole.events(shop, kind))
            found += _alarms(rule, of_store(shop.tenant, shop.id), _of_counts(condition, streams[kind], shop.zone))
    return found


def _in_tenant(seed: int, number: int) -> list[Alarm]:
    whole = month(seed)
    tenant, zone = tenants()[number]
    found: list[Alarm] = []
    for rule, counting in _counting():
        if counting.event is EventKind.WEBHOOK_DELIVERY:
            found += _alarms(rule, of_tenant(tenant), _of_counts(counting, arrivals(whole.webhooks(tenant)), zone))
    for rule in rules():
        if isinstance(rule.condition, ServiceCondition):
            found += _of_services(rule, rule.condition, whole, tenant)
    return found


def _counting() -> Iterator[tuple[Rule, CountCondition]]:
    for rule in rules():
        if isinstance(rule.condition, CountCondition):
            yield rule, rule.condition


def _of_device(rule: Rule, device: Device, telemetry: Telemetry, zone: ZoneInfo) -> History | None:
    condition = rule.condition
    if isinstance(condition, AbsenceCondition):
        return AbsenceHistory(condition, device, [moment(at) for at in telemetry.beats])
    if isinstance(condition, MetricCondition):
        return GaugeSeen(condition, telemetry.gauge(GAUGE_OF[condition.metric]), telemetry.beats, OFFLINE_AFTER)
    if isinstance(condition, AnomalyCondition):
        means = five_minutes(telemetry.gauge(GAUGE_OF[condition.metric]), telemetry.beats)
        return AnomalyHistory(condition, means, zone)
    return None


def _of_counts(condition: CountCondition, stream: Sequence[Arrival], zone: str) -> CountHistory:
    return CountHistory(condition, stream, ZoneInfo(zone), timedelta(0), moment(KNOWN_FROM))


def _of_services(rule: Rule, condition: ServiceCondition, whole: Month, tenant: str) -> Iterator[Alarm]:
    for watched in SERVICES:
        service = Service(
            id=service_id(tenant, watched.key),
            tenant_id=tenant,
            lane=lane_of(tenant),
            key=watched.key,
            name=watched.key,
            tier=ServiceTier(watched.tier),
            status=HealthStatus.HEALTHY,
            since=_BEGIN,
            changed_at=_BEGIN,
        )
        if is_for(condition, service):
            judged = msgspec.structs.replace(rule, severity=severity_of(rule, service))
            history = ServiceHistory(condition, checked(service, whole.states(tenant, watched)))
            yield from _alarms(judged, of_service(service), history)


def _alarms(rule: Rule, subject: Subject, history: History) -> Iterator[Alarm]:
    if not rule.auto_resolve:
        rule = msgspec.structs.replace(rule, auto_resolve=True, keep_firing_sec=PERSON)
    every = SWEEP if isinstance(rule.condition, AbsenceCondition) else TICK
    around = Around(most_per_hour=rule.max_alerts_per_hour, silent_after=OFFLINE_AFTER)
    replay = Replay(rule, subject, history, Grid(_EPOCH, every), moment(END), around)
    replay.run()
    of_service = f"{subject.tenant_id}:{subject.id}" if subject.kind is SubjectKind.SERVICE else subject.id
    for one in replay.alerts:
        if one.fired_at >= _BEGIN:
            yield Alarm(
                rule=rule.key,
                severity=rule.severity.value,
                subject=f"{subject.kind.value}/{of_service}",
                fired_at=one.fired_at.timestamp(),
                resolved_at=None if one.resolved_at is None else one.resolved_at.timestamp(),
                reason=one.reason,
            )


def _device(shop: Shop, telemetry: Telemetry) -> Device:
    machine = telemetry.machine
    return Device(
        id=device_key(shop.tenant, machine.id),
        tenant_id=shop.tenant,
        device_id=machine.id,
        lane=lane_of(shop.tenant),
        status=DeviceStatus.ONLINE,
        since=_BEGIN,
        created_at=_BEGIN,
        offline_after=OFFLINE_AFTER,
        wake_after=OFFLINE_AFTER,
        store_id=shop.id,
        kind=machine.kind,
    )
