"""Taking operational events: who may, what is wrong with them, and where they count."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.context import Context
from app.domain.event_input import KEPT, EventInput, check_event
from app.domain.ids import device_key, lane_of, new_id
from app.domain.operational_event import OperationalEvent
from app.domain.tenant import EVERY_TENANT, Tenant
from app.errors import BadInputError, ErrorCode, FleetbeatError, ForbiddenError, NotFoundError, bad_field
from app.principal import Principal, PrincipalKind
from app.senders import no_token, own_tenant, require_open_door, require_sender

MOST_EVENTS = 1_000
"""Events in one call."""

WHAT = "operational events"


@dataclass(frozen=True, slots=True)
class EventRejection:
    index: int
    device_id: str | None
    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class EventBatchAck:
    accepted: int
    rejected: list[EventRejection]


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An event that may be taken, with its tenant and, where it is of one, its device."""

    event: EventInput
    tenant_id: str
    device_id: str | None

    @property
    def device_key(self) -> str | None:
        return None if self.device_id is None else device_key(self.tenant_id, self.device_id)


async def record_events(context: Context, principal: Principal, events: Sequence[EventInput]) -> EventBatchAck:
    """Keeps and counts what is good of many events, and says of each bad one why; one bad event does not hurt the others."""
    now = context.clock.now()
    require_sender(context, principal, WHAT)
    if len(events) > MOST_EVENTS:
        raise bad_field("events", f"has {len(events)} events; at most {MOST_EVENTS} in one call")
    rejected: list[EventRejection] = []
    admitted: list[_Admitted] = []
    for index, event in enumerate(events):
        try:
            admitted.append(await _admit(context, principal, event, f"events[{index}]", now))
        except FleetbeatError as error:
            rejected.append(EventRejection(index, event.device_id, error.code, error.message))
    if admitted:
        stores = await _stores_of_devices(context, admitted)
        await context.event_intake.take([_place(one, stores, now) for one in admitted])
    return EventBatchAck(len(admitted), rejected)


async def _admit(context: Context, principal: Principal, event: EventInput, path: str, now: datetime) -> _Admitted:
    tenant_id = event.tenant_id or own_tenant(principal)
    if tenant_id is None:
        if principal.kind is PrincipalKind.ANONYMOUS:
            raise no_token(WHAT)
        raise bad_field(f"{path}.tenantId", "say which tenant: the caller does not have exactly one")
    if principal.kind is not PrincipalKind.ANONYMOUS and not principal.scope.covers(tenant_id):
        raise ForbiddenError(f"tenant {tenant_id!r} is not one of the caller's")
    tenant: Tenant | None = await context.intake.roll.tenant(context.store, tenant_id, time.monotonic())
    require_open_door(principal, tenant, WHAT)
    device_id = _device_of(principal, event, tenant_id)
    errors = check_event(event, path, now)
    if errors:
        raise BadInputError(errors)
    if tenant is None:
        raise NotFoundError(f"tenant {tenant_id!r} does not exist; a super admin makes it with createTenant")
    return _Admitted(event, tenant_id, device_id)


def _device_of(principal: Principal, event: EventInput, tenant_id: str) -> str | None:
    """The device that an event is of; a device's own where it names none. Raises ForbiddenError for one that is not the caller's."""
    if principal.device_keys is None:
        return event.device_id
    if event.device_id is None:
        if principal.kind is PrincipalKind.DEVICE:
            return next(iter(principal.device_keys)).removeprefix(device_key(tenant_id, ""))
        raise ForbiddenError("this key is limited to its devices: name one as deviceId")
    if not principal.may_beat_for(tenant_id, event.device_id):
        raise ForbiddenError(f"this token is not for device {event.device_id!r} of tenant {tenant_id!r}")
    return event.device_id


async def _stores_of_devices(context: Context, admitted: Sequence[_Admitted]) -> dict[str, str]:
    """Where the registered devices stand whose events name no store, by device key."""
    keys = {key for one in admitted if one.event.store_id is None and (key := one.device_key) is not None}
    if not keys:
        return {}
    devices = await context.store.devices.get_many(EVERY_TENANT, keys)
    return {key: one.store_id for key, one in devices.items() if one.store_id and one.retired_at is None}


def _place(admitted: _Admitted, stores: Mapping[str, str], now: datetime) -> OperationalEvent:
    event, key = admitted.event, admitted.device_key
    at = event.at or now
    return OperationalEvent(
        id=_event_id(admitted, now),
        tenant_id=admitted.tenant_id,
        lane=lane_of(admitted.tenant_id),
        kind=event.kind,
        outcome=event.outcome,
        at=at,
        received_at=now,
        # As long as it may be sent again: what is forgotten must be too old to be taken.
        expire_at=max(at, now) + KEPT,
        count=event.count,
        amount=event.amount,
        device_id=admitted.device_id,
        store_id=event.store_id or (None if key is None else stores.get(key)),
        reference=event.reference,
    )


def _event_id(admitted: _Admitted, now: datetime) -> str:
    """The same for an event that is sent again under its reference, so that it counts once."""
    own = f"#{new_id(now)}" if admitted.event.reference is None else f":{admitted.event.reference}"
    return f"{admitted.tenant_id}:{admitted.event.kind.value}{own}"
