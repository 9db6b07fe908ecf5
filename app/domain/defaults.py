"""The rules that every tenant inherits. More families bring more of them."""

from datetime import datetime

from app.domain.alert import Severity
from app.domain.rule import AbsenceCondition, Comparison, Condition, MetricCondition, Rule

OFFLINE_KEY = "device_offline"
"""The rule whose alerts are the outages that uptime is made of."""

SYNC_LAG_KEY = "sync_lag_high"
"""The rule whose threshold follows the tenant's `syncLagWarnSec`."""

_NAMES = {
    OFFLINE_KEY: "Device offline",
    SYNC_LAG_KEY: "Sync lag high",
    "cpu_high": "CPU high",
    "disk_full": "Disk full",
    "memory_high": "Memory high",
    "slow_api": "Slow API",
    "error_rate_high": "Error rate high",
}


def platform_rules(sync_lag_warn_sec: int, now: datetime) -> list[Rule]:
    """Key, severity, condition, `for` and cooldown in seconds, as operators expect them out of the box."""
    return [
        _rule(OFFLINE_KEY, Severity.HIGH, AbsenceCondition(), cooldown=300, now=now),
        _rule(SYNC_LAG_KEY, Severity.MEDIUM, _over("syncLagSec", sync_lag_warn_sec), cooldown=600, now=now),
        _rule("cpu_high", Severity.MEDIUM, _over("cpuUsage", 90, 80), hold=300, cooldown=900, now=now),
        _rule("disk_full", Severity.HIGH, _over("diskUsage", 90, 85), cooldown=3600, now=now),
        _rule("memory_high", Severity.MEDIUM, _over("memoryUsage", 85, 80), hold=300, cooldown=900, now=now),
        _rule("slow_api", Severity.MEDIUM, _over("requestLatencyP95", 1000), hold=180, cooldown=900, now=now),
        _rule("error_rate_high", Severity.HIGH, _over("errorRate5m", 0.05), hold=300, cooldown=900, now=now),
    ]


def _over(metric: str, threshold: float, recovery: float | None = None) -> MetricCondition:
    return MetricCondition(metric=metric, comparison=Comparison.GT, threshold=threshold, recovery_threshold=recovery)


def _rule(key: str, severity: Severity, condition: Condition, *, hold: int = 0, cooldown: int, now: datetime) -> Rule:
    return Rule(
        id=f"default-{key}",
        tenant_id=None,
        key=key,
        name=_NAMES[key],
        severity=severity,
        condition=condition,
        for_sec=hold,
        cooldown_sec=cooldown,
        created_at=now,
        updated_at=now,
        updated_by="fleetbeat",
    )
