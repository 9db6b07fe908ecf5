"""A service behind the devices, as a monitor last saw it."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.subject import Subject, SubjectKind


class ServiceTier(Enum):
    """How much hangs on it."""

    CRITICAL = "critical"
    CORE = "core"
    INTEGRATION = "integration"
    EXTERNAL = "external"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A monitored service: its state since when, and how long the last check took (milliseconds).

    `key` is unique inside the tenant. `changed_at` moves with whatever a rule may look at.
    """

    id: str
    tenant_id: str
    lane: int
    key: str
    name: str
    tier: ServiceTier
    status: HealthStatus
    since: datetime
    changed_at: datetime
    latency_ms: float | None = None
    last_checked_at: datetime | None = None
    enabled: bool = True


SEVERITY_OF_TIER = {
    ServiceTier.CRITICAL: Severity.CRITICAL,
    ServiceTier.CORE: Severity.HIGH,
    ServiceTier.INTEGRATION: Severity.MEDIUM,
    ServiceTier.EXTERNAL: Severity.LOW,
}


def service_id(tenant_id: str, key: str) -> str:
    """A service's id over all tenants."""
    return f"{tenant_id}:{key}"


def of_service(service: Service) -> Subject:
    return Subject(tenant_id=service.tenant_id, kind=SubjectKind.SERVICE, id=service.key, name=service.name)
