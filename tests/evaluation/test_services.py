"""Service rules: what monitors found, judged by the rule tick."""

from typing import Any

import pytest

from app.domain.alert import Resolution, Severity
from app.domain.beat import HealthStatus
from app.domain.rule import RuleScope, ServiceCondition
from app.domain.service import Service, ServiceTier, service_id
from app.domain.subject import SubjectKind
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet


async def found(fleet: Fleet, key: str, status: HealthStatus, **fields: Any) -> None:
    """A monitor found a service like this just now."""
    now = fleet.clock.now()
    given = {"tier": ServiceTier.CORE, "name": key.title(), "since": now, **fields}
    await fleet.context.store.services.save(
        Service(
            id=service_id(fleet.tenant_id, key),
            tenant_id=fleet.tenant_id,
            lane=fleet.lane,
            key=key,
            status=status,
            changed_at=now,
            last_checked_at=now,
            **given,
        )
    )


async def watch(fleet: Fleet, condition: ServiceCondition, **fields: Any) -> None:
    await fleet.context.mongo.database["alert_rules"].delete_many({})
    await fleet.context.store.rules.insert(a_rule(condition, **{"key": "down", "id": "r-9", **fields}))


async def look(fleet: Fleet, seconds: float) -> list[str]:
    await fleet.pass_time(seconds)
    before = len(await fleet.record())
    await fleet.judge()
    return [f"{event.alert.subject_id} {event.type.name}" for event in (await fleet.record())[before:]]


async def test_a_service_that_is_unhealthy_for_long_enough_opens_and_recovers(fleet: Fleet) -> None:
    await watch(fleet, ServiceCondition(service="database"), for_sec=60)
    await found(fleet, "database", HealthStatus.UNHEALTHY)
    assert await look(fleet, 59) == []
    assert await look(fleet, 1) == ["database OPENED"]
    [opened] = await fleet.record()
    assert (opened.alert.subject_kind, opened.alert.title) == (SubjectKind.SERVICE, "Quiet: Database")
    assert opened.alert.message == "Database unhealthy for 60 s; bad is unhealthy"
    await found(fleet, "database", HealthStatus.HEALTHY)
    assert await look(fleet, 1) == ["database RESOLVED"]
    assert (await fleet.record())[-1].alert.resolution is Resolution.RECOVERED


async def test_a_rule_about_one_service_is_not_about_another(fleet: Fleet) -> None:
    await watch(fleet, ServiceCondition(service="database"))
    await found(fleet, "cache", HealthStatus.UNHEALTHY)
    assert await look(fleet, 1) == []


@pytest.mark.parametrize(
    ("tier", "step", "severity"),
    [
        (ServiceTier.CRITICAL, 0, Severity.CRITICAL),
        (ServiceTier.CORE, 0, Severity.HIGH),
        (ServiceTier.INTEGRATION, 0, Severity.MEDIUM),
        (ServiceTier.EXTERNAL, 0, Severity.LOW),
        (ServiceTier.CRITICAL, 1, Severity.HIGH),
        (ServiceTier.EXTERNAL, 1, Severity.INFO),
    ],
)
async def test_of_any_service_the_severity_is_that_of_its_tier(
    fleet: Fleet, tier: ServiceTier, step: int, severity: Severity
) -> None:
    await watch(fleet, ServiceCondition(severity_step=step))
    await found(fleet, "mail", HealthStatus.UNHEALTHY, tier=tier)
    assert await look(fleet, 1) == ["mail OPENED"]
    assert (await fleet.record())[-1].alert.severity is severity


async def test_a_live_alert_follows_the_tier_of_its_service(fleet: Fleet) -> None:
    await watch(fleet, ServiceCondition())
    await found(fleet, "mail", HealthStatus.UNHEALTHY, tier=ServiceTier.EXTERNAL)
    assert await look(fleet, 1) == ["mail OPENED"]
    await found(fleet, "mail", HealthStatus.UNHEALTHY, tier=ServiceTier.CRITICAL)
    assert await look(fleet, 15) == ["mail SEVERITY_CHANGED"]


async def test_a_slow_service_opens_where_the_rule_minds(fleet: Fleet) -> None:
    await watch(fleet, ServiceCondition(status=(), latency_ms=500))
    await found(fleet, "mail", HealthStatus.HEALTHY, latency_ms=500)
    assert await look(fleet, 1) == []
    await found(fleet, "mail", HealthStatus.HEALTHY, latency_ms=501)
    assert await look(fleet, 15) == ["mail OPENED"]
    await found(fleet, "mail", HealthStatus.HEALTHY, latency_ms=100)
    assert await look(fleet, 15) == ["mail RESOLVED"]


async def test_a_rule_made_after_the_trouble_began_sees_it(fleet: Fleet) -> None:
    await found(fleet, "mail", HealthStatus.UNHEALTHY)
    await look(fleet, 900)
    await watch(fleet, ServiceCondition())
    assert await look(fleet, 15) == ["mail OPENED"]


async def test_a_scope_of_services_holds(fleet: Fleet) -> None:
    await watch(fleet, ServiceCondition(), scope=RuleScope(service_keys=("mail",)))
    await found(fleet, "cache", HealthStatus.UNHEALTHY)
    await found(fleet, "mail", HealthStatus.UNHEALTHY)
    assert await look(fleet, 1) == ["mail OPENED"]
