"""The overview on the wire."""

from datetime import datetime

import strawberry
from strawberry import ID

from app import overview
from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from schema.context import Info
from schema.devices import Device, device
from schema.paging import Count


@strawberry.type
class StatusCount:
    total: int
    healthy: int
    degraded: int
    unhealthy: int
    unknown: int


@strawberry.type
class Overview:
    status: HealthStatus
    score: float
    at: datetime
    devices: StatusCount
    devices_online: int
    devices_offline: int
    hosts: list[Device]
    active_alerts: int
    alerts_by_severity: list[Count]


@strawberry.type
class OverviewQuery:
    @strawberry.field
    async def overview(self, info: Info, tenant_id: ID | None = None) -> Overview:
        return show_overview(await overview.overview(info.context.context, info.context.principal, tenant_id))


def show_overview(figures: overview.Overview) -> Overview:
    return Overview(
        status=figures.status,
        score=figures.score,
        at=figures.at,
        devices=_status_count(figures.devices),
        devices_online=figures.devices_online,
        devices_offline=figures.devices_offline,
        hosts=[device(one) for one in figures.hosts],
        active_alerts=figures.active_alerts,
        alerts_by_severity=[Count(key=severity.name, count=figures.alerts_by_severity.get(severity, 0)) for severity in Severity],
    )


def _status_count(counts: dict[HealthStatus, int]) -> StatusCount:
    return StatusCount(
        total=sum(counts.values()),
        healthy=counts.get(HealthStatus.HEALTHY, 0),
        degraded=counts.get(HealthStatus.DEGRADED, 0),
        unhealthy=counts.get(HealthStatus.UNHEALTHY, 0),
        unknown=counts.get(HealthStatus.UNKNOWN, 0),
    )
