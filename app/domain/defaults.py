"""The rules that every tenant inherits. More families bring more of them."""

from datetime import datetime

from app.domain.alert import Severity
from app.domain.rule import AbsenceCondition, Comparison, Condition, MetricCondition, Rule

SYNC_LAG_KEY = "sync_lag_high"
"""The rule whose threshold follows the tenant's `syncLagWarnSec`."""


def platform_rules(sync_lag_warn_sec: int, now: datetime) -> list[Rule]:
    """Key, name, severity, condition, `for` and cooldown in seconds, as operators expect them out of the box."""
    over = _over
    return [
        _rule("device_offline", "Device offline", Severity.HIGH, AbsenceCondition(), cooldown=300, now=now),
        _rule(SYNC_LAG_KEY, "Sync lag high", Severity.MEDIUM, over("syncLagSec", sync_lag_warn_sec), cooldown=600, now=now),
        _rule("cpu_high", "CPU high", Severity.MEDIUM, over("cpuUsage", 90, 80), hold=300, cooldown=900, now=now),
        _rule("disk_full", "Disk full", Severity.HIGH, over("diskUsage", 90, 85), cooldown=3600, now=now),
        _rule("memory_high", "Memory high", Severity.MEDIUM, over("memoryUsage", 85, 80), hold=300, cooldown=900, now=now),
        _rule("slow_api", "Slow API", Severity.MEDIUM, over("requestLatencyP95", 1000), hold=180, cooldown=900, now=now),
        _rule("error_rate_high", "Error rate high", Severity.HIGH, over("errorRate5m", 0.05), hold=300, cooldown=900, now=now),
    ]


def _over(metric: str, threshold: float, recovery: float | None = None) -> MetricCondition:
    return MetricCondition(metric=metric, comparison=Comparison.GT, threshold=threshold, recovery_threshold=recovery)


def _rule(
    key: str, name: str, severity: Severity, condition: Condition, *, hold: int = 0, cooldown: int, now: datetime
) -> Rule:
    return Rule(
        id=f"default-{key}",
        tenant_id=None,
        key=key,
        name=name,
        severity=severity,
        condition=condition,
        for_sec=hold,
        cooldown_sec=cooldown,
        created_at=now,
        updated_at=now,
        updated_by="fleetbeat",
    )
