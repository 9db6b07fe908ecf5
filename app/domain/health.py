"""Health: one word for a device, and one for a fleet."""

from collections.abc import Iterable, Mapping

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus

UNHEALTHY_SEVERITIES = frozenset((Severity.CRITICAL, Severity.HIGH))
DEGRADED_SEVERITIES = frozenset((Severity.MEDIUM,))


def device_health(status: DeviceStatus, services: HealthStatus, live: Iterable[Severity]) -> HealthStatus:
    """UNKNOWN before the first beat; UNHEALTHY when offline or with a live CRITICAL or HIGH alert; DEGRADED with a live
    MEDIUM alert or a service of its own that is not healthy; else HEALTHY."""
    severities = set(live)
    if status is DeviceStatus.UNKNOWN:
        return HealthStatus.UNKNOWN
    if status is DeviceStatus.OFFLINE or severities & UNHEALTHY_SEVERITIES:
        return HealthStatus.UNHEALTHY
    if severities & DEGRADED_SEVERITIES or services is not HealthStatus.HEALTHY:
        return HealthStatus.DEGRADED
    return HealthStatus.HEALTHY


def fleet_score(counts: Mapping[HealthStatus, int]) -> float:
    """0..100: healthy devices count whole, degraded ones half; devices never heard of do not count. 100 for an empty fleet."""
    judged = sum(counts.get(health, 0) for health in HealthStatus if health is not HealthStatus.UNKNOWN)
    if judged == 0:
        return 100.0
    good = counts.get(HealthStatus.HEALTHY, 0) + counts.get(HealthStatus.DEGRADED, 0) / 2
    return round(100 * good / judged, 1)


def fleet_health(counts: Mapping[HealthStatus, int], live: Mapping[Severity, int]) -> HealthStatus:
    """UNHEALTHY with a live CRITICAL alert or a fifth of the fleet unhealthy; DEGRADED with anything less than well;
    UNKNOWN for a fleet that was never heard of."""
    judged = sum(counts.get(health, 0) for health in HealthStatus if health is not HealthStatus.UNKNOWN)
    unhealthy = counts.get(HealthStatus.UNHEALTHY, 0)
    if live.get(Severity.CRITICAL, 0) or (judged and unhealthy * 5 >= judged):
        return HealthStatus.UNHEALTHY
    if unhealthy or counts.get(HealthStatus.DEGRADED, 0) or live.get(Severity.HIGH, 0) or live.get(Severity.MEDIUM, 0):
        return HealthStatus.DEGRADED
    return HealthStatus.HEALTHY if judged else HealthStatus.UNKNOWN
