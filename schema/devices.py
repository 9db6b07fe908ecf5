"""Devices and their heartbeats on the wire."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import ID, UNSET

from app import devices, heartbeats
from app.domain import beat as domain_beat, device as domain
from app.domain.beat import HealthStatus
from app.domain.beat_input import BeatInput
from app.domain.device import DeviceStatus, deadline
from app.domain.device_filter import DeviceFilter as Chosen
from app.domain.device_input import DevicePatch
from app.errors import ErrorCode
from schema.context import Info
from schema.given import given, given_or, listed
from schema.paging import PageInfo, TimeRange, page_info
from schema.scalars import JSON, Cursor
from schema.series import SeriesPoint, device_series
from schema.uptime import Uptime, show_uptime

if TYPE_CHECKING:
    from schema.alerts import Alert

AlertType = Annotated["Alert", strawberry.lazy("schema.alerts")]


@strawberry.input
class MetricInput:
    name: str
    value: float
    unit: str | None = UNSET


@strawberry.input
class ServiceReportInput:
    name: str
    status: HealthStatus
    response_time_ms: float | None = UNSET
    checks: JSON | None = UNSET
    uptime_sec: float | None = UNSET
    url: str | None = UNSET


@strawberry.input
class HeartbeatInput:
    device_id: ID
    tenant_id: ID | None = UNSET
    store_id: ID | None = UNSET
    status: str | None = "online"
    sent_at: datetime | None = UNSET
    sequence: int | None = UNSET
    error_rate5m: float | None = UNSET
    request_latency_p95: float | None = UNSET
    sync_lag_sec: float | None = UNSET
    app_version: str | None = UNSET
    memory_usage: float | None = UNSET
    cpu_usage: float | None = UNSET
    disk_usage: float | None = UNSET
    metrics: list[MetricInput] | None = UNSET
    services: list[ServiceReportInput] | None = UNSET
    name: str | None = UNSET
    hostname: str | None = UNSET
    kind: str | None = UNSET
    boot_id: ID | None = UNSET


@strawberry.type
class HeartbeatAck:
    accepted: bool
    received_at: datetime
    status: DeviceStatus
    next_within_sec: int


@strawberry.type
class HeartbeatRejection:
    index: int
    device_id: ID | None
    code: ErrorCode
    message: str


@strawberry.type
class HeartbeatBatchAck:
    accepted: int
    rejected: list[HeartbeatRejection]
    received_at: datetime


@strawberry.type
class Metric:
    name: str
    value: float
    unit: str | None


@strawberry.type
class ServiceReport:
    name: str
    status: HealthStatus
    response_time_ms: float | None
    checks: JSON | None
    uptime_sec: float | None
    url: str | None


@strawberry.type
class Heartbeat:
    received_at: datetime
    sent_at: datetime | None
    late: bool
    status: str
    app_version: str | None
    error_rate5m: float | None
    request_latency_p95: float | None
    sync_lag_sec: float | None
    memory_usage: float | None
    cpu_usage: float | None
    disk_usage: float | None
    metrics: list[Metric]


@strawberry.type
class Device:
    kept: strawberry.Private[domain.Device]
    id: ID
    device_id: ID
    tenant_id: ID
    store_id: ID | None
    name: str | None
    hostname: str | None
    kind: str | None
    description: str | None
    tags: list[str]
    status: DeviceStatus
    since: datetime
    last_seen: datetime | None
    deadline: datetime | None
    offline_after_sec: int
    hosted_tenant_ids: list[ID]
    timezone: str | None
    clock_skew_sec: float | None
    gateway_id: ID | None
    retired_at: datetime | None

    @strawberry.field
    async def health(self, info: Info) -> HealthStatus:
        return await info.context.loaders.health.load(self.kept)

    @strawberry.field
    async def latest(self, info: Info) -> Heartbeat | None:
        beat = await _latest_beat(info, self.kept)
        return None if beat is None else heartbeat(beat)

    @strawberry.field
    async def services(self, info: Info) -> list[ServiceReport]:
        beat = await _latest_beat(info, self.kept)
        return [] if beat is None else [_service(one) for one in beat.services]

    @strawberry.field
    async def heartbeats(self, info: Info, range: TimeRange | None = None, first: int | None = 100) -> list[Heartbeat]:  # noqa: A002
        start, end = (None, None) if range is None else range.checked("range")
        beats = await devices.history_of(info.context.context, self.kept, start, end, given_or(first, 100))
        return [heartbeat(beat) for beat in beats]

    @strawberry.field
    async def series(self, info: Info, metric: str, range: TimeRange, interval_sec: int | None = None) -> list[SeriesPoint]:  # noqa: A002
        return await device_series(info, self.kept, metric, range, interval_sec)

    @strawberry.field
    async def uptime(self, info: Info, range: TimeRange) -> Uptime:  # noqa: A002
        return show_uptime(await info.context.loaders.uptime.load((self.kept, *range.checked("range"))))

    @strawberry.field
    async def open_alerts(self, info: Info) -> list[AlertType]:
        return [info.context.show_alert(alert) for alert in await info.context.loaders.open_alerts.load(self.kept.id)]


@strawberry.input
class DeviceFilter:
    store_ids: list[ID] | None = UNSET
    kinds: list[str] | None = UNSET
    tags: list[str] | None = UNSET
    status: list[DeviceStatus] | None = UNSET
    health: list[HealthStatus] | None = UNSET
    search: str | None = UNSET
    app_versions: list[str] | None = UNSET
    include_retired: bool | None = False


@strawberry.type
class DeviceEdge:
    cursor: Cursor
    node: Device


@strawberry.type
class DeviceConnection:
    edges: list[DeviceEdge]
    nodes: list[Device]
    page_info: PageInfo
    tenant: strawberry.Private[str | None]
    chosen: strawberry.Private[Chosen]

    @strawberry.field
    async def total_count(self, info: Info) -> int:
        return await devices.count_devices(info.context.context, info.context.principal, self.tenant, self.chosen)


@strawberry.input(description="A device to register, or a patch of one: what is left out stays as it is, null clears.")
class DeviceInput:
    device_id: ID
    tenant_id: ID | None = UNSET
    store_id: ID | None = UNSET
    name: str | None = UNSET
    hostname: str | None = UNSET
    kind: str | None = UNSET
    description: str | None = UNSET
    tags: list[str] | None = UNSET
    offline_after_sec: int | None = UNSET
    timezone: str | None = UNSET
    hosted_tenant_ids: list[ID] | None = UNSET
    gateway_id: ID | None = UNSET


@strawberry.type
class DeviceCredentials:
    device: Device
    token: str = strawberry.field(description="shown once")


@strawberry.type
class DeviceQuery:
    @strawberry.field
    async def device(self, info: Info, device_id: ID, tenant_id: ID | None = None) -> Device | None:
        found = await devices.get_device(info.context.context, info.context.principal, tenant_id, device_id)
        return None if found is None else device(found)

    @strawberry.field
    async def devices(
        self,
        info: Info,
        tenant_id: ID | None = None,
        filter: DeviceFilter | None = None,  # noqa: A002
        first: int | None = 50,
        after: Cursor | None = None,
    ) -> DeviceConnection:
        chosen = _chosen(filter)
        page = await devices.list_devices(
            info.context.context, info.context.principal, tenant_id, chosen, given_or(first, 50), after
        )
        nodes = [device(one) for one in page.items]
        edges = [DeviceEdge(cursor=Cursor(cursor), node=node) for cursor, node in zip(page.cursors, nodes, strict=True)]
        return DeviceConnection(edges=edges, nodes=nodes, page_info=page_info(page, after), tenant=tenant_id, chosen=chosen)


@strawberry.type
class DeviceMutation:
    @strawberry.mutation
    async def heartbeat(self, info: Info, input: HeartbeatInput) -> HeartbeatAck:  # noqa: A002
        ack = await heartbeats.record(info.context.context, info.context.principal, beat_input(input))
        return HeartbeatAck(
            accepted=ack.accepted, received_at=ack.received_at, status=ack.status, next_within_sec=ack.next_within_sec
        )

    @strawberry.mutation
    async def heartbeats(self, info: Info, inputs: list[HeartbeatInput]) -> HeartbeatBatchAck:
        beats = [beat_input(one) for one in inputs]
        ack = await heartbeats.record_many(info.context.context, info.context.principal, beats)
        rejected = [
            HeartbeatRejection(
                index=one.index,
                device_id=None if one.device_id is None else ID(one.device_id),
                code=one.code,
                message=one.message,
            )
            for one in ack.rejected
        ]
        return HeartbeatBatchAck(accepted=ack.accepted, rejected=rejected, received_at=ack.received_at)

    @strawberry.mutation
    async def register_device(self, info: Info, input: DeviceInput) -> DeviceCredentials:  # noqa: A002
        made, token = await devices.register_device(info.context.context, info.context.principal, _patch(input))
        return DeviceCredentials(device=device(made), token=token)

    @strawberry.mutation
    async def update_device(self, info: Info, input: DeviceInput) -> Device:  # noqa: A002
        return device(await devices.update_device(info.context.context, info.context.principal, _patch(input)))

    @strawberry.mutation
    async def rotate_device_token(self, info: Info, device_id: ID, tenant_id: ID | None = None) -> DeviceCredentials:
        found, token = await devices.rotate_device_token(info.context.context, info.context.principal, tenant_id, device_id)
        return DeviceCredentials(device=device(found), token=token)

    @strawberry.mutation
    async def retire_device(self, info: Info, device_id: ID, tenant_id: ID | None = None) -> Device:
        return device(await devices.retire_device(info.context.context, info.context.principal, tenant_id, device_id))


def device(kept: domain.Device) -> Device:
    return Device(
        kept=kept,
        id=ID(kept.id),
        device_id=ID(kept.device_id),
        tenant_id=ID(kept.tenant_id),
        store_id=None if kept.store_id is None else ID(kept.store_id),
        name=kept.name,
        hostname=kept.hostname,
        kind=kept.kind,
        description=kept.description,
        tags=list(kept.tags),
        status=kept.status,
        since=kept.since,
        last_seen=kept.last_seen,
        deadline=deadline(kept),
        offline_after_sec=kept.offline_after,
        hosted_tenant_ids=[ID(one) for one in kept.hosted_tenant_ids],
        timezone=kept.timezone,
        clock_skew_sec=kept.clock_skew_sec,
        gateway_id=None if kept.gateway_id is None else ID(kept.gateway_id),
        retired_at=kept.retired_at,
    )


def heartbeat(beat: domain_beat.Beat) -> Heartbeat:
    return Heartbeat(
        received_at=beat.received_at,
        sent_at=beat.sent_at,
        late=beat.late,
        status=beat.status,
        app_version=beat.app_version,
        error_rate5m=beat.error_rate_5m,
        request_latency_p95=beat.request_latency_p95,
        sync_lag_sec=beat.sync_lag_sec,
        memory_usage=beat.memory_usage,
        cpu_usage=beat.cpu_usage,
        disk_usage=beat.disk_usage,
        metrics=[Metric(name=one.name, value=one.value, unit=one.unit) for one in beat.metrics],
    )


async def _latest_beat(info: Info, kept: domain.Device) -> domain_beat.Beat | None:
    # Whatever beats there may be of a device that was not seen yet are those of a retired one of its name.
    return None if kept.last_seen is None else await info.context.loaders.latest.load(kept.id)


def _service(report: domain_beat.ServiceReport) -> ServiceReport:
    return ServiceReport(
        name=report.name,
        status=report.status,
        response_time_ms=report.response_time_ms,
        checks=None if report.checks is None else JSON(report.checks),
        uptime_sec=report.uptime_sec,
        url=report.url,
    )


def beat_input(written: HeartbeatInput) -> BeatInput:
    values = {name: value for name, value in given(written).items() if value is not None}
    values["metrics"] = [domain_beat.Metric(**given(one)) for one in values.get("metrics", ())]
    values["services"] = [domain_beat.ServiceReport(**given(one)) for one in values.get("services", ())]
    return BeatInput(**values)


def _patch(written: DeviceInput) -> DevicePatch:
    values = given(written)
    for name in ("tags", "hosted_tenant_ids"):
        if values.get(name) is not None:
            values[name] = tuple(dict.fromkeys(values[name]))
    return DevicePatch(**values)


def _chosen(written: DeviceFilter | None) -> Chosen:
    if written is None:
        return Chosen()
    return Chosen(**{name: listed(value) for name, value in given(written).items() if value is not None})
