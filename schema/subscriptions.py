"""Subscriptions: what happens, as it happens, on the wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial

import strawberry
from strawberry import ID, UNSET

from app import overview
from app.domain.beat import HealthStatus
from app.domain.health_filter import HealthFilter as Followed
from app.errors import BadInputError, FieldError
from app.principal import read_scope
from app.realtime.alert_stream import StreamItem, alert_events
from app.realtime.health_stream import HealthChange, health_updates
from app.realtime.notification_stream import notification_stream
from app.realtime.overview_stream import pictures
from schema.alerts import AlertEvent, AlertFilter, alert_event, chosen_alerts
from schema.context import Info, OperationContext
from schema.devices import Device, device
from schema.given import given, listed
from schema.notifications import InAppNotification, notification
from schema.overview import Overview, show_overview
from schema.scalars import Cursor

MOST_IN_LIST = 1_000


@strawberry.interface
class HealthUpdate:
    at: datetime
    tenant_id: ID | None
    status: HealthStatus
    previous: HealthStatus


@strawberry.type
class DeviceHealthUpdate(HealthUpdate):
    device: Device


@strawberry.input
class HealthFilter:
    tenant_id: ID | None = UNSET
    store_ids: list[ID] | None = UNSET
    device_ids: list[ID] | None = UNSET
    only_transitions: bool | None = False
    snapshot: bool | None = True


@strawberry.type
class Subscription:
    @strawberry.subscription(  # type: ignore[untyped-decorator]  # its overloads forget the type once an argument is given
        description="Every alert transition the caller may see, in order, each once. Resume with `after`; "
        "a RESYNC event says the cursor is too old and a fresh query is due."
    )
    async def alert_events(
        self,
        info: Info,
        filter: AlertFilter | None = None,  # noqa: A002
        after: Cursor | None = None,
    ) -> AsyncIterator[AlertEvent]:
        context = info.context
        place = context.resume_from or after
        async with aclosing(alert_events(context.hub, context.principal, chosen_alerts(filter), place, context.post)) as items:
            async for item in items:
                context.loaders.clear()
                yield _alert_event(item)

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="Health as it changes; the newest state per device or service wins when a client is slow, and nothing ends "
        "stale. Starts with the current state of what the filter selects unless `snapshot` is false."
    )
    async def health_updates(
        self,
        info: Info,
        filter: HealthFilter | None = None,  # noqa: A002
    ) -> AsyncIterator[HealthUpdate]:
        context = info.context
        async with aclosing(health_updates(context.hub, context.principal, _followed(filter))) as changes:
            async for change in changes:
                yield _health_update(context, change)

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="The overview, when it changes and at least every 5 s."
    )
    async def overview(self, info: Info, tenant_id: ID | None = None) -> AsyncIterator[Overview]:
        context = info.context
        scope = read_scope(context.principal, tenant_id)
        read = partial(overview.overview, context.context, context.principal, tenant_id)
        async with aclosing(pictures(context.hub, scope, "overview", read, _same_figures)) as shown:
            async for picture in shown:
                context.loaders.clear()
                yield show_overview(picture)

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="The caller's in-app notifications."
    )
    async def notifications(self, info: Info) -> AsyncIterator[InAppNotification]:
        async with aclosing(notification_stream(info.context.hub, info.context.principal)) as told:
            async for one in told:
                yield notification(one)


def _alert_event(item: StreamItem) -> AlertEvent:
    if item.event is not None:
        return alert_event(item.event, item.cursor)
    return AlertEvent(
        id=ID(f"{item.type.value}-{item.cursor}"),
        cursor=Cursor(item.cursor),
        type=item.type,
        at=item.at,
        actor=None,
        reason=None,
        detail=None,
        alert=None,
    )


def _health_update(context: OperationContext, change: HealthChange) -> DeviceHealthUpdate:
    state = change.state
    context.loaders.clear()
    # The health that `status` says is what `device.health` says.
    context.loaders.health.prime(state.device, state.health)
    return DeviceHealthUpdate(
        at=state.at,
        tenant_id=ID(state.device.tenant_id),
        status=state.health,
        previous=change.previous,
        device=device(state.device),
    )


def _followed(written: HealthFilter | None) -> Followed:
    if written is None:
        return Followed()
    values = {name: value for name, value in given(written).items() if value is not None}
    errors = [
        FieldError(f"filter.{path}", f"has {len(values[name])} entries; at most {MOST_IN_LIST}")
        for name, path in (("store_ids", "storeIds"), ("device_ids", "deviceIds"))
        if len(values.get(name, ())) > MOST_IN_LIST
    ]
    if errors:
        raise BadInputError(errors)
    return Followed(**{name: listed(value) for name, value in values.items()})


def _same_figures(one: overview.Overview, other: overview.Overview) -> bool:
    return replace(one, at=other.at) == other
