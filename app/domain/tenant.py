"""A tenant, its settings, its sites, and whose data a caller may touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import msgspec

from app.domain.ids import LANES, lane_of
from app.domain.rule import Rule

PLATFORM = "platform"
"""The tenant of platform services and their alerts; only a super admin is in it."""


class Role(Enum):
    """What a person or a program may do, in rising order."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    def covers(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenants that an operation covers; `None` is every tenant."""

    tenant_ids: frozenset[str] | None

    def covers(self, tenant_id: str) -> bool:
        return self.tenant_ids is None or tenant_id in self.tenant_ids


EVERY_TENANT = Scope(None)


def only(tenant_id: str) -> Scope:
    return Scope(frozenset((tenant_id,)))


def lanes_of(scope: Scope) -> list[int]:
    """The lanes in which the tenants of a scope live."""
    if scope.tenant_ids is None:
        return list(range(LANES))
    return sorted({lane_of(tenant_id) for tenant_id in scope.tenant_ids})


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's settings; what is `None` follows the platform's setting. Durations are in seconds.

    `max_alerts_per_hour` bounds every rule for every subject; None leaves it to the rules. `shared_fate_ratio` (0..1) and
    `shared_fate_min` say how many of the devices in one place are in trouble before it is the place's trouble. `default_channel_ids`
    are told where a rule names no channels of its own: None is every shared channel, () is none.
    """

    id: str
    name: str
    timezone: str = "UTC"
    offline_after_sec: int | None = None
    sync_lag_warn_sec: int | None = None
    heartbeat_retention_days: int = 7
    device_auth: bool = True
    max_devices: int = 10_000
    cooldown_sec: int = 900
    max_alerts_per_hour: int | None = None
    shared_fate_ratio: float = 0.6
    shared_fate_min: int = 5
    default_channel_ids: tuple[str, ...] | None = None
    created_at: datetime


def default_channels(tenant: Tenant, shared_ids: Sequence[str]) -> list[str]:
    """Of the shared channels that there are, those that are told by default."""
    chosen = tenant.default_channel_ids
    return list(shared_ids) if chosen is None else [one for one in chosen if one in shared_ids]


def most_alerts_per_hour(rule: Rule, tenant: Tenant) -> int | None:
    """How many alerts of a rule and a subject are told of in an hour; None is as many as there are."""
    bounds = [bound for bound in (rule.max_alerts_per_hour, tenant.max_alerts_per_hour) if bound is not None]
    return min(bounds, default=None)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A store, as the contract calls it: where devices stand."""

    id: str
    tenant_id: str
    store_id: str
    name: str | None = None
    timezone: str | None = None
    created_at: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person who has been here, as the last token said."""

    id: str
    email: str | None
    role: Role
    tenant_ids: list[str]
    last_seen: datetime


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A program's key: its secret is kept as a hash alone."""

    id: str
    tenant_id: str
    name: str
    role: Role
    device_ids: list[str]
    token_hash: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a person or a program, with what it changed."""

    id: str
    tenant_id: str
    at: datetime
    actor: str
    action: str
    target: str
    before: dict[str, object] | None = None
    after: dict[str, object] | None = None
    ip: str | None = None
