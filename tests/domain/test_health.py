"""Health in one word."""

import pytest

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus
from app.domain.health import device_health, fleet_health, fleet_score

WELL = HealthStatus.HEALTHY


@pytest.mark.parametrize(
    ("status", "services", "live", "health"),
    [
        (DeviceStatus.UNKNOWN, WELL, [Severity.CRITICAL], HealthStatus.UNKNOWN),
        (DeviceStatus.OFFLINE, WELL, [], HealthStatus.UNHEALTHY),
        (DeviceStatus.ONLINE, WELL, [], HealthStatus.HEALTHY),
        (DeviceStatus.ONLINE, WELL, [Severity.LOW, Severity.INFO], HealthStatus.HEALTHY),
        (DeviceStatus.ONLINE, WELL, [Severity.MEDIUM], HealthStatus.DEGRADED),
        (DeviceStatus.ONLINE, WELL, [Severity.MEDIUM, Severity.HIGH], HealthStatus.UNHEALTHY),
        (DeviceStatus.ONLINE, HealthStatus.UNHEALTHY, [], HealthStatus.DEGRADED),
        (DeviceStatus.ONLINE, HealthStatus.UNKNOWN, [], HealthStatus.DEGRADED),
    ],
)
def test_a_devices_health(status: DeviceStatus, services: HealthStatus, live: list[Severity], health: HealthStatus) -> None:
    assert device_health(status, services, live) is health


def test_an_empty_fleet_scores_full_and_is_unknown() -> None:
    assert fleet_score({}) == 100.0
    assert fleet_health({}, {}) is HealthStatus.UNKNOWN


def test_a_fleet_is_unhealthy_from_a_fifth_on() -> None:
    assert fleet_health({WELL: 8, HealthStatus.UNHEALTHY: 2}, {}) is HealthStatus.UNHEALTHY
    assert fleet_health({WELL: 9, HealthStatus.UNHEALTHY: 1}, {}) is HealthStatus.DEGRADED
    assert fleet_score({WELL: 8, HealthStatus.DEGRADED: 2, HealthStatus.UNKNOWN: 5}) == 90.0
