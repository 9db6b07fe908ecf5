"""A device, its connectivity, and when it next has to be looked at."""

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from app.domain.beat import HealthStatus


class DeviceStatus(Enum):
    """Connectivity alone; health is `HealthStatus`."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class DeviceToken(msgspec.Struct, frozen=True, kw_only=True):
    """A device's token, kept as a hash alone; an old one lives on for an overlap after a rotation."""

    id: str
    token_hash: str
    created_at: datetime
    expires_at: datetime | None = None


class TokenHolder(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a device as it takes to sign in."""

    id: str
    tenant_id: str
    tokens: tuple[DeviceToken, ...] = ()
    retired_at: datetime | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it is kept.

    `offline_after` is the effective time in seconds, `own_offline_after` the device's own (None follows the tenant).
    `wake_after` is the shortest time after which any absence rule or the connectivity itself wants a look, so a beat leaves
    `due_at` at `last_seen + wake_after`, or up to a quarter of that time earlier. `due_at` is a wake-up, never a verdict. `missed`
    says that the last look, at the beat of `judged_seen`, found it offline or a rule missing it. `first_seen` is when its first
    beat came.
    """

    id: str
    tenant_id: str
    device_id: str
    lane: int
    status: DeviceStatus
    since: datetime
    created_at: datetime
    offline_after: int
    wake_after: int
    own_offline_after: int | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    due_at: datetime | None = None
    missed: bool = False
    judged_seen: datetime | None = None
    changed_at: datetime | None = None
    store_id: str | None = None
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    timezone: str | None = None
    gateway_id: str | None = None
    hosted_tenant_ids: tuple[str, ...] = ()
    app_version: str | None = None
    clock_skew_sec: float | None = None
    services_health: HealthStatus = HealthStatus.HEALTHY
    tokens: tuple[DeviceToken, ...] = ()
    retired_at: datetime | None = None


def silent_since(device: Device, gap_end: datetime | None) -> datetime | None:
    """From when on silence counts against a device: its last beat, or the end of our own last gap in taking beats."""
    if device.last_seen is None:
        return None
    if device.missed and device.judged_seen == device.last_seen:
        # It was missed before, and nothing was heard of it since: a gap of ours does not bring it back.
        return device.last_seen
    return device.last_seen if gap_end is None else max(device.last_seen, gap_end)


def deadline(device: Device, gap_end: datetime | None = None) -> datetime | None:
    """When the device is offline if no beat comes by then; None before its first beat and after it was retired."""
    since = silent_since(device, gap_end)
    if since is None or device.retired_at is not None:
        return None
    return since + timedelta(seconds=device.offline_after)
