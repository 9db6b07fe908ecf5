"""The overview: a fleet in a few figures."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from app.context import Context
from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.device import Device, DeviceStatus
from app.domain.health import device_health, fleet_health, fleet_score
from app.domain.tenant import Scope
from app.principal import Principal, read_scope

HOST_KIND = "host"
MOST_HOSTS = 50


@dataclass(frozen=True, slots=True)
class Overview:
    """`devices` counts them by health; retired ones are not counted. `score` is 0..100."""

    status: HealthStatus
    score: float
    at: datetime
    devices: dict[HealthStatus, int]
    devices_online: int
    devices_offline: int
    hosts: list[Device]
    active_alerts: int
    alerts_by_severity: dict[Severity, int]


async def overview(context: Context, principal: Principal, tenant_id: str | None) -> Overview:
    scope = read_scope(principal, tenant_id)
    counts = await context.store.devices.counts(scope)
    devices = await _by_health(context, scope, counts)
    alerts = await context.store.alert_lists.live_by_severity(scope)
    return Overview(
        status=fleet_health(devices, alerts),
        score=fleet_score(devices),
        at=context.clock.now(),
        devices=dict(devices),
        devices_online=sum(count for (status, _), count in counts.items() if status is DeviceStatus.ONLINE),
        devices_offline=sum(count for (status, _), count in counts.items() if status is DeviceStatus.OFFLINE),
        hosts=await context.store.devices.of_kind(scope, HOST_KIND, MOST_HOSTS),
        active_alerts=sum(alerts.values()),
        alerts_by_severity=alerts,
    )


async def _by_health(context: Context, scope: Scope, counts: dict[tuple[DeviceStatus, bool], int]) -> Counter[HealthStatus]:
    """All as if they had no alerts, corrected for the few that have."""
    devices: Counter[HealthStatus] = Counter()
    for (status, well), count in counts.items():
        devices[device_health(status, _services(well), ())] += count
    troubled = await context.store.alerts.severities_by_device(scope)
    there = await context.store.devices.get_many(scope, troubled)
    for key, device in there.items():
        if device.retired_at is None:
            devices[device_health(device.status, _services(device.services_health is HealthStatus.HEALTHY), ())] -= 1
            devices[device_health(device.status, device.services_health, troubled[key])] += 1
    return devices


def _services(well: bool) -> HealthStatus:
    return HealthStatus.HEALTHY if well else HealthStatus.DEGRADED
