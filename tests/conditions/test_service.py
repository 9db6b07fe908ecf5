"""Services in a bad state, or too slow."""

from datetime import datetime
from typing import Any

import pytest

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.service import is_for, observe_service, severity_of
from app.domain.ids import lane_of
from app.domain.rule import ServiceCondition
from app.domain.service import Service, ServiceTier
from tests.domain.making import NOON, a_rule, at

HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN = HealthStatus


def a_service(status: HealthStatus = HEALTHY, **fields: Any) -> Service:
    given = {"key": "psp", "name": "Payments", "tier": ServiceTier.CORE, "since": NOON, "changed_at": NOON, **fields}
    return Service(id="acme:psp", tenant_id="acme", lane=lane_of("acme"), status=status, **given)


def seen(condition: ServiceCondition, service: Service, now: datetime | None = None) -> Observation:
    found = observe_service(condition, service, now or at(60))
    assert isinstance(found, Observation)
    return found


@pytest.mark.parametrize(
    ("listed", "status", "breach", "good"),
    [
        ((UNHEALTHY,), HEALTHY, False, True),
        ((UNHEALTHY,), DEGRADED, False, True),
        ((UNHEALTHY,), UNHEALTHY, True, False),
        ((UNHEALTHY,), UNKNOWN, False, False),
        ((UNHEALTHY, UNKNOWN), UNKNOWN, True, False),
        ((DEGRADED, UNHEALTHY), DEGRADED, True, False),
        ((DEGRADED,), UNHEALTHY, False, True),
        ((HEALTHY,), HEALTHY, True, False),
        ((), UNHEALTHY, False, True),
    ],
)
def test_a_listed_state_is_bad_and_an_unknown_one_neither(
    listed: tuple[HealthStatus, ...], status: HealthStatus, breach: bool, good: bool
) -> None:
    found = seen(ServiceCondition(status=listed), a_service(status))
    assert (found.breach, found.good) == (breach, good)


@pytest.mark.parametrize(("latency", "breach"), [(0.0, False), (799.9, False), (800.0, False), (800.1, True), (20_000.0, True)])
def test_only_a_check_that_took_longer_than_the_limit_is_a_breach(latency: float, breach: bool) -> None:
    found = seen(ServiceCondition(latency_ms=800), a_service(latency_ms=latency))
    assert (found.breach, found.good) == (breach, not breach)
    assert (found.value, found.threshold, found.unit) == (latency, 800, "ms")


def test_a_bad_state_counts_before_a_slow_answer() -> None:
    found = seen(ServiceCondition(latency_ms=800), a_service(UNHEALTHY, latency_ms=900))
    assert found.breach
    assert found.value is None


def test_an_unknown_state_says_nothing_of_how_fast_it_is() -> None:
    found = seen(ServiceCondition(latency_ms=800), a_service(UNKNOWN, latency_ms=900))
    assert (found.breach, found.good) == (False, False)


def test_without_a_latency_the_state_decides_alone() -> None:
    found = seen(ServiceCondition(latency_ms=800), a_service(HEALTHY))
    assert (found.breach, found.good) == (False, True)


def test_without_a_latency_nothing_can_be_judged_by_latency_alone() -> None:
    found = observe_service(ServiceCondition(status=(), latency_ms=800), a_service(HEALTHY), NOON)
    assert found == Nothing(reason="nobody knows how long Payments takes to answer")


@pytest.mark.parametrize("status", list(HealthStatus))
def test_a_service_that_is_switched_off_is_not_judged(status: HealthStatus) -> None:
    found = observe_service(ServiceCondition(latency_ms=1), a_service(status, latency_ms=5, enabled=False), NOON)
    assert found == Nothing(reason="Payments is switched off")


@pytest.mark.parametrize(
    ("service", "fields", "reason"),
    [
        (a_service(UNHEALTHY), {}, "Payments unhealthy for 60 s; bad is unhealthy"),
        (a_service(HEALTHY), {"status": (DEGRADED, UNHEALTHY)}, "Payments healthy for 60 s; bad is degraded or unhealthy"),
        (a_service(latency_ms=1240), {"latency_ms": 800}, "Payments healthy, answered in 1,240 ms, over 800 ms"),
        (a_service(latency_ms=80), {"latency_ms": 800}, "Payments healthy, answered in 80 ms, not over 800 ms"),
        (a_service(latency_ms=800.001), {"latency_ms": 800}, "Payments healthy, answered in 800.001 ms, over 800 ms"),
        (a_service(HEALTHY), {"status": ()}, "Payments healthy for 60 s; no state is bad"),
    ],
)
def test_the_reason_names_state_or_latency_and_what_is_bad(service: Service, fields: dict[str, Any], reason: str) -> None:
    assert seen(ServiceCondition(**fields), service).reason == reason


def test_a_state_is_bad_since_it_began_and_a_latency_since_it_was_measured() -> None:
    assert seen(ServiceCondition(), a_service(UNHEALTHY, since=at(10)), at(60)).since == at(10)
    slow = a_service(latency_ms=900, last_checked_at=at(40))
    assert seen(ServiceCondition(latency_ms=800), slow, at(60)).since == at(40)
    assert seen(ServiceCondition(latency_ms=800), a_service(latency_ms=900), at(60)).since == at(60)


def test_nothing_is_so_since_a_time_to_come() -> None:
    assert seen(ServiceCondition(), a_service(UNHEALTHY, since=at(61)), at(60)).since == at(60)
    slow = a_service(latency_ms=900, last_checked_at=at(61))
    assert seen(ServiceCondition(latency_ms=800), slow, at(60)).since == at(60)


@pytest.mark.parametrize(("named", "is_meant"), [(None, True), ("psp", True), ("crm", False)])
def test_a_condition_means_the_service_that_it_names_or_any(named: str | None, is_meant: bool) -> None:
    assert is_for(ServiceCondition(service=named), a_service()) is is_meant


@pytest.mark.parametrize(
    ("tier", "step", "severity"),
    [
        (ServiceTier.CRITICAL, 0, Severity.CRITICAL),
        (ServiceTier.CORE, 0, Severity.HIGH),
        (ServiceTier.INTEGRATION, 0, Severity.MEDIUM),
        (ServiceTier.EXTERNAL, 0, Severity.LOW),
        (ServiceTier.CRITICAL, 1, Severity.HIGH),
        (ServiceTier.EXTERNAL, 1, Severity.INFO),
        (ServiceTier.EXTERNAL, 2, Severity.INFO),
        (ServiceTier.CRITICAL, 99, Severity.INFO),
        (ServiceTier.CRITICAL, -1, Severity.CRITICAL),
    ],
)
def test_for_any_service_the_severity_follows_its_tier(tier: ServiceTier, step: int, severity: Severity) -> None:
    rule = a_rule(ServiceCondition(severity_step=step), severity=Severity.INFO)
    assert severity_of(rule, a_service(tier=tier)) is severity


def test_for_a_named_service_the_rule_says_how_severe_it_is() -> None:
    rule = a_rule(ServiceCondition(service="psp", severity_step=1), severity=Severity.MEDIUM)
    assert severity_of(rule, a_service(tier=ServiceTier.CRITICAL)) is Severity.MEDIUM


def test_a_rule_of_another_family_keeps_its_severity() -> None:
    assert severity_of(a_rule(severity=Severity.LOW), a_service()) is Severity.LOW
