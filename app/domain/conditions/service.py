"""Service: a monitored service in a bad state, or too slow."""

from collections.abc import Sequence
from datetime import datetime

from app.domain.alert import SEVERITY_RANK, Severity
from app.domain.beat import HealthStatus
from app.domain.conditions.observation import Nothing, Observation
from app.domain.conditions.words import amount
from app.domain.rule import Rule, ServiceCondition
from app.domain.service import SEVERITY_OF_TIER, Service


def is_for(condition: ServiceCondition, service: Service) -> bool:
    """Whether a condition means this service: the one that it names, else every one."""
    return condition.service is None or condition.service == service.key


def severity_of(rule: Rule, service: Service) -> Severity:
    """The rule's severity; for a condition of any service that of the service's tier, `severity_step` steps milder.

    Never milder than INFO.
    """
    condition = rule.condition
    if not isinstance(condition, ServiceCondition) or condition.service is not None:
        return rule.severity
    rank = SEVERITY_RANK[SEVERITY_OF_TIER[service.tier]] + condition.severity_step
    ranked = list(Severity)
    return ranked[min(max(rank, 0), len(ranked) - 1)]


def observe_service(condition: ServiceCondition, service: Service, now: datetime) -> Observation | Nothing:
    """The state first, then how long the last check took; the limit met exactly is not a breach.

    Nothing for a service that is switched off, and for one whose only judged figure, the latency, nobody knows. An UNKNOWN
    state that is not listed is neither bad nor good: it says nothing of how fast the service is, either.
    """
    if not service.enabled:
        return Nothing(reason=f"{service.name} is switched off")
    if service.status in condition.status:
        return _of_state(condition, service, now, breach=True)
    if service.status is HealthStatus.UNKNOWN or condition.latency_ms is None:
        return _of_state(condition, service, now, breach=False)
    if service.latency_ms is None:
        if not condition.status:
            return Nothing(reason=f"nobody knows how long {service.name} takes to answer")
        return _of_state(condition, service, now, breach=False)
    return _of_latency(service, service.latency_ms, condition.latency_ms, now)


def _of_state(condition: ServiceCondition, service: Service, now: datetime, *, breach: bool) -> Observation:
    held = max((now - service.since).total_seconds(), 0)
    bound = f"bad is {_either(condition.status)}" if condition.status else "no state is bad"
    return Observation(
        at=now,
        breach=breach,
        good=not breach and service.status is not HealthStatus.UNKNOWN,
        reason=f"{service.name} {service.status.value} for {held:.0f} s; {bound}",
        since=min(service.since, now),
    )


def _of_latency(service: Service, latency: float, limit: float, now: datetime) -> Observation:
    breach = latency > limit
    words = "over" if breach else "not over"
    answered = f"{service.name} {service.status.value}, answered in {amount(latency, 'ms', beside=limit)}"
    return Observation(
        at=now,
        breach=breach,
        good=not breach,
        reason=f"{answered}, {words} {amount(limit, 'ms', beside=latency)}",
        since=now if service.last_checked_at is None else min(service.last_checked_at, now),
        value=latency,
        threshold=limit,
        unit="ms",
    )


def _either(states: Sequence[HealthStatus]) -> str:
    return " or ".join(state.value for state in states)
