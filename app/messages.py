"""What is said in deliveries, put together for many of them at once: events as they were, devices and names as they are."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import structlog

from app.also_told import AlsoTold, read_also_told
from app.context import Context
from app.domain.alert import Alert, AlertEvent, device_of
from app.domain.channel import Channel
from app.domain.delivery import Delivery
from app.domain.device import Device
from app.domain.message import Message, Note
from app.domain.tenant import EVERY_TENANT, Member, Tenant
from app.recipients import may_hear
from app.store.mongo import Session

Key = TypeVar("Key")
Value = TypeVar("Value")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one message carries: a delivery by itself, or a bundle with its members."""

    delivery: Delivery
    lease: str
    members: Sequence[Delivery] = ()

    @property
    def rows(self) -> Sequence[Delivery]:
        return self.members or (self.delivery,)


@dataclass(frozen=True, slots=True)
class Desk:
    """All that messages are written from."""

    context: Context
    channels: Mapping[str, Channel]
    alerts: Mapping[str, Alert]
    events: Mapping[tuple[int, int], AlertEvent]
    devices: Mapping[str, Device]
    tenants: Mapping[str, Tenant]
    told: AlsoTold
    people: Mapping[str, Member]
    unread: Set[object]
    unread_people: Set[str]

    def is_known(self, row: Delivery) -> bool:
        """Whether what it tells of is still kept, and can be read. A test tells of nothing."""
        return row.alert_id is None or (row.lane, row.seq) in self.events

    def is_unread(self, row: Delivery) -> bool:
        """Whether what it tells of cannot be read by this version."""
        return row.alert_id in self.unread or (row.lane, row.seq) in self.unread

    def is_whose(self, delivery: Delivery) -> bool:
        """Whether this version can tell whose own channel it goes to."""
        return delivery.user_id not in self.unread_people

    def is_here(self, delivery: Delivery) -> bool:
        """Whether the person whose own channel it goes to may still hear of the tenant."""
        if delivery.user_id is None:
            return True
        member, channel = self.people.get(delivery.user_id), self.channels.get(delivery.channel_id)
        return member is not None and channel is not None and may_hear(member, channel, delivery.tenant_id)

    def message(self, parcel: Parcel) -> Message:
        delivery = parcel.delivery
        tenant, channel = self.tenants.get(delivery.tenant_id), self.channels[delivery.channel_id]
        notes = [note for row in parcel.rows if (note := self._note(row, alone=not parcel.members)) is not None]
        return Message(
            id=delivery.id,
            tenant_id=delivery.tenant_id,
            tenant_name=delivery.tenant_id if tenant is None else tenant.name,
            timezone="UTC" if tenant is None else tenant.timezone,
            now=self.context.clock.now(),
            channel_name=channel.name,
            notes=tuple(notes),
            bundling=delivery.bundling,
            to=delivery.address or None,
            first_receipt=self.told.first_receipt(delivery.line, delivery.seq),
            dashboard_url=self.context.settings.public_url,
        )

    def _note(self, row: Delivery, *, alone: bool) -> Note | None:
        event = self.events.get((row.lane, row.seq))
        if event is None:
            return None
        also_told, others_told = self.told.beside(row) if alone else ((), 0)
        return Note(
            event=row.event,
            type=event.type,
            at=event.at,
            alert=event.alert,
            url=f"{self.context.settings.public_url}/alerts/{event.alert_id}",
            device=self.devices.get(device_of(event.alert) or ""),
            actor=event.actor,
            reason=event.reason,
            also_told=also_told,
            others_told=others_told,
        )


async def open_desk(context: Context, parcels: Sequence[Parcel], channels: Mapping[str, Channel]) -> Desk:
    """Reads what these parcels need, each kind in one go."""
    rows = [row for parcel in parcels for row in parcel.rows if row.alert_id is not None]
    store = context.store
    alerts, unread_alerts = await alerts_of(context, rows)
    events, unread_events = await what_is_readable(store.events.at, {(row.lane, row.seq) for row in rows})
    keys = {key for event in events.values() if (key := device_of(event.alert)) is not None}
    devices, _ = await what_is_readable(lambda some: store.devices.get_many(EVERY_TENANT, sorted(some)), keys)
    tenants, _ = await what_is_readable(store.tenants.get_many, {parcel.delivery.tenant_id for parcel in parcels})
    user_ids = {parcel.delivery.user_id for parcel in parcels if parcel.delivery.user_id is not None}
    people, unread_people = await what_is_readable(store.members.get_many, user_ids)
    return Desk(
        context=context,
        channels=channels,
        alerts=alerts,
        events=events,
        devices=devices,
        tenants=tenants,
        told=await read_also_told(context, [parcel.delivery for parcel in parcels if not parcel.members], channels),
        people=people,
        unread={*unread_alerts, *unread_events},
        unread_people=unread_people,
    )


async def alerts_of(
    context: Context, rows: Iterable[Delivery], session: Session | None = None
) -> tuple[dict[str, Alert], set[str]]:
    """The alerts of deliveries by id, and the ids of those that cannot be read."""

    async def find(alert_ids: Collection[str]) -> dict[str, Alert]:
        return await context.store.alerts.get_many(EVERY_TENANT, sorted(alert_ids), session=session)

    return await what_is_readable(find, {row.alert_id for row in rows if row.alert_id is not None})


async def what_is_readable(
    find: Callable[[Collection[Key]], Awaitable[dict[Key, Value]]], keys: Collection[Key]
) -> tuple[dict[Key, Value], set[Key]]:
    """What is found, and what cannot be read: one that a later version wrote takes no others with it."""
    if not keys:
        return {}, set()
    try:
        return await find(keys), set()
    except msgspec.ValidationError as error:
        if len(keys) == 1:
            _log.error("document.unreadable", key=str(next(iter(keys))), error=str(error))
            return {}, set(keys)
    found: dict[Key, Value] = {}
    unread: set[Key] = set()
    for key in keys:
        one, failed = await what_is_readable(find, {key})
        found |= one
        unread |= failed
    return found, unread
