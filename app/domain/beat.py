"""A beat: one heartbeat, as a device sent it and as it is kept."""

from datetime import datetime
from enum import Enum

import msgspec


class HealthStatus(Enum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Metric(msgspec.Struct, frozen=True):
    """A gauge that has no field of its own."""

    name: str
    value: float
    unit: str | None = None


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a host says of a service that it runs."""

    name: str
    status: HealthStatus
    response_time_ms: float | None = None
    checks: object = None
    uptime_sec: float | None = None
    url: str | None = None


class Beat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One heartbeat. `timestamp` is its place in history, `received_at` when it came, `late` that the two are far apart.

    Units: `error_rate_5m` 0..1, `request_latency_p95` milliseconds, `sync_lag_sec` seconds, the usages percent.
    """

    id: str
    tenant_id: str
    device_id: str
    lane: int
    timestamp: datetime
    received_at: datetime
    expire_at: datetime
    store_id: str | None = None
    status: str = "online"
    sent_at: datetime | None = None
    late: bool = False
    sequence: int | None = None
    boot_id: str | None = None
    error_rate_5m: float | None = None
    request_latency_p95: float | None = None
    sync_lag_sec: float | None = None
    app_version: str | None = None
    memory_usage: float | None = None
    cpu_usage: float | None = None
    disk_usage: float | None = None
    metrics: tuple[Metric, ...] = ()
    services: tuple[ServiceReport, ...] = ()


METRIC_FIELDS = {
    "errorRate5m": "error_rate_5m",
    "requestLatencyP95": "request_latency_p95",
    "syncLagSec": "sync_lag_sec",
    "memoryUsage": "memory_usage",
    "cpuUsage": "cpu_usage",
    "diskUsage": "disk_usage",
}
"""The gauges with a field of their own: name in rules and on the wire -> field."""

METRIC_WORDS = {
    "errorRate5m": "error rate",
    "requestLatencyP95": "request latency p95",
    "syncLagSec": "sync lag",
    "memoryUsage": "memory usage",
    "cpuUsage": "CPU usage",
    "diskUsage": "disk usage",
}
"""What people call the gauges; any other goes by its own name."""

METRIC_UNITS = {
    "errorRate5m": "",
    "requestLatencyP95": "ms",
    "syncLagSec": "s",
    "memoryUsage": "%",
    "cpuUsage": "%",
    "diskUsage": "%",
}


def metric_words(name: str) -> str:
    return METRIC_WORDS.get(name, name)


def metric_value(beat: Beat, name: str) -> float | None:
    """The value of a gauge in a beat, by the name that rules use; None where the beat does not carry it."""
    field = METRIC_FIELDS.get(name)
    if field is not None:
        value: float | None = getattr(beat, field)
        return value
    for metric in beat.metrics:
        if metric.name == name:
            return metric.value
    return None


def worst_service(beat: Beat) -> HealthStatus:
    """The worst state among a host's own services; HEALTHY where it reports none."""
    order = [HealthStatus.HEALTHY, HealthStatus.UNKNOWN, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY]
    return max((service.status for service in beat.services), key=order.index, default=HealthStatus.HEALTHY)
