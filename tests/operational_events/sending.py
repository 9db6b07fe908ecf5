"""Sending events, and reading what they count to."""

from datetime import datetime, timedelta
from typing import Any

from app.context import Context
from app.domain.counts import Tally
from app.domain.event_input import EventInput
from app.domain.operational_event import EventKind
from app.domain.subject import SubjectKind
from app.operational_events import EventBatchAck, record_events
from app.principal import Principal
from tests.cast import NOW, mate

RECORD = """mutation($events: [OperationalEventInput!]!) {
  recordEvents(events: $events) { accepted rejected { index deviceId code message } } }"""
A_YEAR = timedelta(days=365)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def sale(**fields: Any) -> EventInput:
    return EventInput(**{"kind": EventKind.SALE, **fields})


async def send(context: Context, *events: EventInput, by: Principal = mate) -> EventBatchAck:
    return await record_events(context, by, events)


async def buckets(
    context: Context,
    place: SubjectKind = SubjectKind.TENANT,
    subject_id: str = "acme",
    event: EventKind = EventKind.SALE,
    tenant_id: str = "acme",
) -> dict[datetime, Tally]:
    """All that was ever counted at a place."""
    found = await context.store.event_counts.window(tenant_id, place, [subject_id], event, NOW - A_YEAR, NOW + A_YEAR)
    return found.get(subject_id, {})


async def total(context: Context, place: SubjectKind = SubjectKind.TENANT, subject_id: str = "acme", **where: Any) -> Tally:
    found = (await buckets(context, place, subject_id, **where)).values()
    return Tally(sum(one.success for one in found), sum(one.failure for one in found))
