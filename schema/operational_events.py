"""Operational events on the wire: what devices report beside their beats."""

from datetime import datetime

import strawberry
from strawberry import ID, UNSET

from app import operational_events
from app.domain.event_input import EventInput
from app.domain.operational_event import EventKind, EventOutcome
from schema.context import Info
from schema.devices import HeartbeatRejection
from schema.given import given


@strawberry.input
class OperationalEventInput:
    kind: EventKind
    outcome: EventOutcome | None = EventOutcome.SUCCESS
    at: datetime | None = UNSET
    device_id: ID | None = UNSET
    store_id: ID | None = UNSET
    tenant_id: ID | None = UNSET
    amount: float | None = UNSET
    count: int | None = 1
    reference: str | None = UNSET


@strawberry.type
class EventBatchAck:
    accepted: int
    rejected: list[HeartbeatRejection]


@strawberry.type
class OperationalEventMutation:
    @strawberry.mutation
    async def record_events(self, info: Info, events: list[OperationalEventInput]) -> EventBatchAck:
        ack = await operational_events.record_events(
            info.context.context, info.context.principal, [event_input(one) for one in events]
        )
        rejected = [
            HeartbeatRejection(
                index=one.index,
                device_id=None if one.device_id is None else ID(one.device_id),
                code=one.code,
                message=one.message,
            )
            for one in ack.rejected
        ]
        return EventBatchAck(accepted=ack.accepted, rejected=rejected)


def event_input(written: OperationalEventInput) -> EventInput:
    return EventInput(**{name: value for name, value in given(written).items() if value is not None})
