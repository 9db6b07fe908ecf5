"""Taking beats: who may, what is wrong with them, and where they go."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

import msgspec

from app.context import Context
from app.devices import DeviceProfile, auto_register
from app.domain.beat import Beat
from app.domain.beat_input import BeatInput, check_beat
from app.domain.clock_skew import Place
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, is_device_id, is_tenant_id, lane_of, new_id
from app.domain.tenant import Role, Tenant
from app.errors import (
    BadInputError,
    ErrorCode,
    FleetbeatError,
    ForbiddenError,
    NotFoundError,
    bad_field,
)
from app.principal import Principal, PrincipalKind
from app.realtime.arrived_beat import ArrivedBeat
from app.senders import no_token, own_tenant, require_open_door, require_sender
from app.store.connectivity import SeenDevice

MOST_BEATS = 1_000
"""Beats in one call."""

WHAT = "heartbeats"


class BeatAck(msgspec.Struct, frozen=True, gc=False):
    """What a device is told; `next_within_sec` is half of its offline time."""

    accepted: bool
    received_at: datetime
    status: DeviceStatus
    next_within_sec: int


class BeatRejection(msgspec.Struct, frozen=True):
    index: int
    device_id: str | None
    code: ErrorCode
    message: str


class BeatBatchAck(msgspec.Struct, frozen=True):
    accepted: int
    rejected: list[BeatRejection]
    received_at: datetime


async def record(context: Context, principal: Principal, beat: BeatInput) -> BeatAck:
    """Stores one beat and says when the next one is due. Raises BadInputError with every bad field."""
    now = context.clock.now()
    require_sender(context, principal, WHAT)
    arrived = await _admit(context, principal, beat, now)
    seen = await context.intake.take([arrived])
    device = _found(seen, arrived)
    return BeatAck(True, now, device.status, max(1, device.offline_after // 2))


async def record_many(context: Context, principal: Principal, beats: Sequence[BeatInput]) -> BeatBatchAck:
    """Stores what is good of many beats, and says of each bad one why; one bad beat does not hurt the others."""
    now = context.clock.now()
    require_sender(context, principal, WHAT)
    if len(beats) > MOST_BEATS:
        raise bad_field("inputs", f"has {len(beats)} beats; at most {MOST_BEATS} in one call")
    rejected: list[BeatRejection] = []
    admitted: list[ArrivedBeat] = []
    outcomes = await _admit_many(context, principal, beats, now)
    for index, (beat, outcome) in enumerate(zip(beats, outcomes, strict=True)):
        if isinstance(outcome, FleetbeatError):
            rejected.append(BeatRejection(index, beat.device_id, outcome.code, outcome.message))
        else:
            admitted.append(outcome)
    if admitted:
        await context.intake.take(admitted)
    return BeatBatchAck(len(admitted), rejected, now)


async def _admit_many(
    context: Context, principal: Principal, beats: Sequence[BeatInput], now: datetime
) -> list[ArrivedBeat | FleetbeatError]:
    named = [(beat.tenant_id or own_tenant(principal), beat.device_id) for beat in beats]
    keys = [device_key(tenant, device) for tenant, device in named if tenant and is_tenant_id(tenant) and is_device_id(device)]
    await context.intake.roll.learn(context.store, keys, time.monotonic())
    outcomes: list[ArrivedBeat | FleetbeatError] = []
    for beat in beats:
        try:
            outcomes.append(await _admit(context, principal, beat, now))
        except FleetbeatError as error:
            outcomes.append(error)
    return outcomes


async def _admit(context: Context, principal: Principal, beat: BeatInput, now: datetime) -> ArrivedBeat:
    """Authorises, checks and places a beat of somebody who may send some."""
    tenant_id = beat.tenant_id or own_tenant(principal)
    if tenant_id is None:
        if principal.kind is PrincipalKind.ANONYMOUS:
            raise no_token(WHAT)
        raise bad_field("input.tenantId", "say which tenant: the caller does not have exactly one")
    if principal.kind is not PrincipalKind.ANONYMOUS and not principal.covers(tenant_id):
        raise ForbiddenError(f"tenant {tenant_id!r} is not one of the caller's")
    roll, seconds = context.intake.roll, time.monotonic()
    tenant = roll.recall(tenant_id, seconds) or await roll.tenant(context.store, tenant_id, seconds)
    _require_allowed(principal, tenant, tenant_id, beat.device_id)
    errors = check_beat(beat, now)
    if errors:
        raise BadInputError(errors)
    if tenant is None:
        raise NotFoundError(f"tenant {tenant_id!r} does not exist; a super admin makes it with createTenant")
    key = device_key(tenant.id, beat.device_id)
    if principal.kind is not PrincipalKind.DEVICE and not roll.recalls(key, seconds):
        await _require_device(context, principal, tenant, beat)
    if beat.sent_at is None:
        return _arrived(tenant, key, beat, now, Place(now, late=False), None)
    place, skew = await context.intake.clocks.place(context.store, key, beat.sent_at, now)
    return _arrived(tenant, key, beat, now, place, skew)


def _require_allowed(principal: Principal, tenant: Tenant | None, tenant_id: str, device_id: str) -> None:
    require_open_door(principal, tenant, WHAT)
    if principal.kind is not PrincipalKind.ANONYMOUS and not principal.may_beat_for(tenant_id, device_id):
        raise ForbiddenError(f"this token is not for device {device_id!r} of tenant {tenant_id!r}")


async def _require_device(context: Context, principal: Principal, tenant: Tenant, beat: BeatInput) -> None:
    """A device with its own token is known; for anyone else's beats the roll is asked, and who may register does so."""
    key = device_key(tenant.id, beat.device_id)
    if await context.intake.roll.knows(context.store, key, time.monotonic()):
        return
    may_register = principal.kind is PrincipalKind.ANONYMOUS or (principal.role is not None and principal.role.covers(Role.ADMIN))
    if not may_register:
        raise NotFoundError(
            f"device {beat.device_id!r} is not registered in tenant {tenant.id!r}; an ADMIN does that with registerDevice"
        )
    profile = DeviceProfile(store_id=beat.store_id, name=beat.name, hostname=beat.hostname, kind=beat.kind)
    device: Device = await auto_register(context, tenant, beat.device_id, profile)
    context.intake.roll.note(device.id, time.monotonic())


def _arrived(tenant: Tenant, key: str, beat: BeatInput, now: datetime, place: Place, skew: float | None) -> ArrivedBeat:
    kept = Beat(
        id=_beat_id(key, beat, now),
        tenant_id=tenant.id,
        device_id=beat.device_id,
        lane=_lane_of(tenant.id),
        timestamp=place.timestamp,
        received_at=now,
        expire_at=now + _days(tenant.heartbeat_retention_days),
        store_id=beat.store_id,
        status=beat.status or "online",
        sent_at=beat.sent_at,
        late=place.late,
        sequence=beat.sequence,
        boot_id=beat.boot_id,
        error_rate_5m=beat.error_rate5m,
        request_latency_p95=beat.request_latency_p95,
        sync_lag_sec=beat.sync_lag_sec,
        app_version=beat.app_version,
        memory_usage=beat.memory_usage,
        cpu_usage=beat.cpu_usage,
        disk_usage=beat.disk_usage,
        metrics=tuple(beat.metrics),
        services=tuple(beat.services),
    )
    return ArrivedBeat(beat=kept, key=key, name=beat.name, hostname=beat.hostname, kind=beat.kind, clock_skew_sec=skew)


def _beat_id(key: str, beat: BeatInput, now: datetime) -> str:
    """The same for a beat of the device of `key` that is sent again, so that it is stored once."""
    # Device ids hold colons. Nothing behind them does, so no two devices can meet.
    boot_id = _quoted(beat.boot_id) if beat.boot_id else ""
    sequence = "" if beat.sequence is None else beat.sequence
    if beat.sent_at is not None and not (boot_id and sequence != ""):
        return f"{key}:{boot_id}:{sequence}:{int(beat.sent_at.timestamp() * 1000)}"
    if beat.sequence is None:
        return f"{key}:{new_id(now)}"
    # Without a boot id the counter starts anew unseen when the device does: then only ten minutes count as again.
    span = boot_id or f"@{int(now.timestamp()) // 600}"
    return f"{key}:{span}:{sequence}:"


_lane_of = lru_cache(maxsize=8_192)(lane_of)
_days = lru_cache(maxsize=1_024)(timedelta)


@lru_cache(maxsize=8_192)
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _found(seen: dict[str, SeenDevice], arrived: ArrivedBeat) -> SeenDevice:
    device = seen.get(arrived.key)
    if device is None:
        raise NotFoundError(f"device {arrived.beat.device_id!r} is gone")
    return device
