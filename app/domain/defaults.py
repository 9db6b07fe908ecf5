"""The rules that every tenant inherits."""

from datetime import datetime

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.operational_event import EventKind
from app.domain.rule import (
    AbsenceCondition,
    Comparison,
    Condition,
    MetricCondition,
    OutsideHoursCondition,
    RatioCondition,
    Rule,
    ServiceCondition,
    SpikeCondition,
)

OFFLINE_KEY = "device_offline"
"""The rule whose alerts are the outages that uptime is made of."""

SYNC_LAG_KEY = "sync_lag_high"
"""The rule whose threshold follows the tenant's `syncLagWarnSec`."""

CHANCE, CHANCE_CRITICAL = 1e-5, 1e-6
"""What is more probable than that by chance alone wakes nobody. 25 shops have some 30,000 windows of a quarter of an hour a
month, and each is looked at many times while it moves on: 1 in 100,000 is still a false alert in some months."""

_NAMES = {
    OFFLINE_KEY: "Device offline",
    SYNC_LAG_KEY: "Sync lag high",
    "cpu_high": "CPU high",
    "disk_full": "Disk full",
    "memory_high": "Memory high",
    "slow_api": "Slow API",
    "error_rate_high": "Error rate high",
    "gate_fail_rate_high": "Gate fail rate high",
    "reprint_spike": "Reprint spike",
    "refund_spike": "Refund spike",
    "after_hours_sales": "Sales after hours",
    "webhook_failures": "Webhook failures",
    "payment_failure_rate": "Payment failure rate high",
    "database_down": "Database down",
    "service_unhealthy": "Service unhealthy",
    "service_degraded": "Service degraded",
}


def platform_rules(sync_lag_warn_sec: int, now: datetime) -> list[Rule]:
    """Key, severity, condition, `for` and cooldown in seconds, as operators expect them out of the box."""
    return [*_of_devices(sync_lag_warn_sec, now), *_of_events(now), *_of_services(now)]


def _of_devices(sync_lag_warn_sec: int, now: datetime) -> list[Rule]:
    return [
        _rule(OFFLINE_KEY, Severity.HIGH, AbsenceCondition(), cooldown=300, now=now),
        _rule(SYNC_LAG_KEY, Severity.MEDIUM, _over("syncLagSec", sync_lag_warn_sec), cooldown=600, now=now),
        _rule("cpu_high", Severity.MEDIUM, _over("cpuUsage", 90, 80), hold=300, cooldown=900, now=now),
        _rule("disk_full", Severity.HIGH, _over("diskUsage", 90, 85), cooldown=3600, now=now),
        _rule("memory_high", Severity.MEDIUM, _over("memoryUsage", 85, 80), hold=300, cooldown=900, now=now),
        _rule("slow_api", Severity.MEDIUM, _over("requestLatencyP95", 1000), hold=180, cooldown=900, now=now),
        _rule("error_rate_high", Severity.HIGH, _over("errorRate5m", 0.05), hold=300, cooldown=900, now=now),
    ]


def _of_events(now: datetime) -> list[Rule]:
    gates = _failing(EventKind.REDEMPTION, 0.1, 3600)
    webhooks, payments = _failing(EventKind.WEBHOOK_DELIVERY, 0.2, 1800), _failing(EventKind.PAYMENT, 0.05, 900, CHANCE_CRITICAL)
    closed = OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00")
    # A spike, or a sale at night, has happened: that it is over does not settle what it was.
    return [
        _rule("gate_fail_rate_high", Severity.MEDIUM, gates, cooldown=900, now=now),
        _rule("reprint_spike", Severity.MEDIUM, _thrice(EventKind.REPRINT), cooldown=1800, resolves=False, now=now),
        _rule("refund_spike", Severity.MEDIUM, _thrice(EventKind.REFUND), cooldown=1800, resolves=False, now=now),
        _rule("after_hours_sales", Severity.LOW, closed, cooldown=3600, resolves=False, now=now),
        _rule("webhook_failures", Severity.MEDIUM, webhooks, cooldown=900, now=now),
        _rule("payment_failure_rate", Severity.CRITICAL, payments, cooldown=900, now=now),
    ]


def _of_services(now: datetime) -> list[Rule]:
    """The severity of the last two is the service's tier's; theirs is for a service that has none."""
    degraded = ServiceCondition(status=(HealthStatus.DEGRADED,), severity_step=1)
    return [
        _rule("database_down", Severity.CRITICAL, ServiceCondition(service="database"), hold=60, cooldown=300, now=now),
        _rule("service_unhealthy", Severity.HIGH, ServiceCondition(), hold=60, cooldown=900, now=now),
        _rule("service_degraded", Severity.MEDIUM, degraded, hold=300, cooldown=900, now=now),
    ]


def _over(metric: str, threshold: float, recovery: float | None = None) -> MetricCondition:
    return MetricCondition(metric=metric, comparison=Comparison.GT, threshold=threshold, recovery_threshold=recovery)


def _failing(event: EventKind, share: float, window_sec: int, chance: float = CHANCE) -> RatioCondition:
    return RatioCondition(event=event, threshold=share, window_sec=window_sec, chance=chance)


def _thrice(event: EventKind) -> SpikeCondition:
    return SpikeCondition(event=event, factor=3, chance=CHANCE)


def _rule(  # noqa: PLR0913 - a row of the table of defaults
    key: str, severity: Severity, condition: Condition, *, hold: int = 0, cooldown: int, resolves: bool = True, now: datetime
) -> Rule:
    return Rule(
        id=f"default-{key}",
        tenant_id=None,
        key=key,
        name=_NAMES[key],
        severity=severity,
        condition=condition,
        for_sec=hold,
        cooldown_sec=cooldown,
        auto_resolve=resolves,
        created_at=now,
        updated_at=now,
        updated_by="fleetbeat",
    )
