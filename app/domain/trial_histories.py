"""From the steps of a rule's test to the histories of its subjects. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.anomaly_history import AnomalyHistory
from app.domain.beat import METRIC_FIELDS, Beat, Metric, metric_value
from app.domain.beat_history import AbsenceHistory, GaugeHistory, WindowHistory
from app.domain.conditions.anomaly import Sample, sample_of
from app.domain.conditions.outside_hours import zone_of
from app.domain.conditions.service import is_for
from app.domain.count_history import Arrival, CountHistory
from app.domain.counts import bucket_start
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.operational_event import STORELESS, EventOutcome, OperationalEvent, places_of
from app.domain.replay import History
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    CountCondition,
    MetricCondition,
    OutsideHoursCondition,
    Rule,
    ServiceCondition,
    counted_for,
    covers,
    in_scope,
)
from app.domain.rule_tests import GivenBeat, GivenCheck, GivenEvent, Step
from app.domain.service import Service, ServiceTier, of_service, service_id
from app.domain.service_history import ServiceHistory
from app.domain.subject import Subject, SubjectKind, of_device, of_store, of_tenant

SILENT_AFTER = 120
OVERLAP = timedelta(0)
"""Looking each second, nothing is read twice."""

Histories = Iterator[tuple[Subject, History]]


def histories_of(rule: Rule, steps: Sequence[Step], beginning: datetime, zone: ZoneInfo) -> Histories:
    """The history of every subject in the steps that the rule is for."""
    condition = rule.condition
    if isinstance(condition, CountCondition):
        yield from _of_counts(rule, condition, steps, beginning, zone)
    elif isinstance(condition, ServiceCondition):
        yield from _of_services(rule, condition, steps, beginning)
    else:
        for device, beats in _devices(rule, steps, beginning):
            if in_scope(rule.scope, device):
                yield of_device(device), _of_beats(rule, device, beats, zone)


def _of_beats(rule: Rule, device: Device, beats: Sequence[Beat], zone: ZoneInfo) -> History:
    condition = rule.condition
    if isinstance(condition, AbsenceCondition):
        return AbsenceHistory(condition, device, [beat.received_at for beat in beats])
    if isinstance(condition, AnomalyCondition):
        return AnomalyHistory(condition, _samples(condition, beats), zone)
    assert isinstance(condition, MetricCondition)
    if condition.aggregation is Aggregation.LAST:
        return GaugeHistory(rule, device, beats, OVERLAP)
    return WindowHistory(rule, beats)


def _samples(condition: AnomalyCondition, beats: Sequence[Beat]) -> dict[datetime, Sample]:
    values: dict[datetime, list[float]] = {}
    for beat in beats:
        value = metric_value(beat, condition.metric)
        if value is not None:
            values.setdefault(bucket_start(beat.timestamp), []).append(value)
    return {start: sample_of(found) for start, found in values.items()}


def _devices(rule: Rule, steps: Sequence[Step], beginning: datetime) -> Iterator[tuple[Device, list[Beat]]]:
    said: dict[str, list[tuple[datetime, GivenBeat]]] = {}
    for step in steps:
        if step.beat is not None:
            said.setdefault(step.beat.device_id, []).append((beginning + timedelta(seconds=step.at), step.beat))
    for device_id, given in said.items():
        beats = [_beat(rule, at, beat) for at, beat in given]
        yield _device(rule, device_id, [beat for _, beat in given], beats[0].received_at), beats


def _device(rule: Rule, device_id: str, given: Sequence[GivenBeat], at: datetime) -> Device:
    """Where it stands and what it is, as far as any of its beats says so."""
    tenant_id = _tenant_of(rule)
    return Device(
        id=device_key(tenant_id, device_id),
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        status=DeviceStatus.ONLINE,
        since=at,
        created_at=at,
        offline_after=SILENT_AFTER,
        wake_after=SILENT_AFTER,
        store_id=next((beat.store_id for beat in given if beat.store_id is not None), None),
        kind=next((beat.kind for beat in given if beat.kind is not None), None),
        tags=rule.scope.tags,
    )


def _beat(rule: Rule, at: datetime, given: GivenBeat) -> Beat:
    tenant_id = _tenant_of(rule)
    gauges = {
        field: value for field in METRIC_FIELDS.values() if (value := getattr(given, field.replace("_5m", "5m"))) is not None
    }
    return Beat(
        id=f"{given.device_id}:{at.isoformat()}",
        tenant_id=tenant_id,
        device_id=given.device_id,
        lane=lane_of(tenant_id),
        timestamp=at,
        received_at=at,
        expire_at=at,
        metrics=tuple(Metric(gauge.name, gauge.value) for gauge in given.metrics),
        **gauges,
    )


def _of_counts(rule: Rule, condition: CountCondition, steps: Sequence[Step], beginning: datetime, zone: ZoneInfo) -> Histories:
    arrivals: dict[tuple[SubjectKind, str], list[Arrival]] = {}
    for step in steps:
        if step.event is not None and step.event.kind is condition.event:
            at = beginning + timedelta(seconds=step.at)
            for place in places_of(_event(rule, at, step.event)):
                arrivals.setdefault(place, []).append(_arrival(at, step.event))
    known_from = min((arrival.start for found in arrivals.values() for arrival in found), default=None)
    zone = zone_of(condition, None, None, zone.key) if isinstance(condition, OutsideHoursCondition) else zone
    for place, found in arrivals.items():
        subject = _subject(rule, condition, place)
        if subject is not None:
            yield subject, CountHistory(condition, found, zone, OVERLAP, known_from)


def _subject(rule: Rule, condition: CountCondition, place: tuple[SubjectKind, str]) -> Subject | None:
    kind, subject_id = place
    wanted, tenant_id = counted_for(rule, condition), _tenant_of(rule)
    if kind is SubjectKind.TENANT:
        return of_tenant(tenant_id) if wanted in (kind, None) and (subject_id == STORELESS) is (wanted is None) else None
    if kind is SubjectKind.STORE:
        store = of_store(tenant_id, subject_id)
        return store if wanted in (kind, None) and covers(rule.scope, store) else None
    named = rule.scope.device_ids
    fits = wanted is kind and (not named or subject_id in named)
    return Subject(tenant_id=tenant_id, kind=kind, id=subject_id, name=subject_id) if fits else None


def _event(rule: Rule, at: datetime, given: GivenEvent) -> OperationalEvent:
    tenant_id = _tenant_of(rule)
    return OperationalEvent(
        id=at.isoformat(),
        tenant_id=tenant_id,
        lane=lane_of(tenant_id),
        kind=given.kind,
        outcome=given.outcome,
        at=at,
        received_at=at,
        expire_at=at,
        count=given.count,
        device_id=given.device_id,
        store_id=given.store_id,
    )


def _arrival(at: datetime, given: GivenEvent) -> Arrival:
    good = given.outcome is EventOutcome.SUCCESS
    return Arrival(at, bucket_start(at), given.count if good else 0, 0 if good else given.count)


def _of_services(rule: Rule, condition: ServiceCondition, steps: Sequence[Step], beginning: datetime) -> Histories:
    states: dict[str, list[Service]] = {}
    for step in steps:
        if step.service is not None:
            mine = states.setdefault(step.service.key, [])
            at = beginning + timedelta(seconds=step.at)
            mine.append(_service(rule, at, step.service, mine[-1] if mine else None))
    for found in states.values():
        if is_for(condition, found[0]) and covers(rule.scope, of_service(found[0])):
            yield of_service(found[0]), ServiceHistory(condition, found)


def _service(rule: Rule, at: datetime, given: GivenCheck, before: Service | None) -> Service:
    tenant_id = _tenant_of(rule)
    return Service(
        id=service_id(tenant_id, given.key),
        tenant_id=tenant_id,
        lane=lane_of(tenant_id),
        key=given.key,
        name=given.key,
        tier=ServiceTier.CORE,
        status=given.status,
        since=before.since if before is not None and before.status is given.status else at,
        changed_at=at,
        latency_ms=given.latency_ms,
        last_checked_at=at,
    )


def _tenant_of(rule: Rule) -> str:
    return rule.tenant_id or "tenant"
