"""Operational events as they came; what rules look at are their counts."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from app.domain.operational_event import EventKind, OperationalEvent
from app.domain.tenant import EVERY_TENANT, only
from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo, Session


class OperationalEventStore:
    """`operational_events`."""

    def __init__(self, mongo: Mongo) -> None:
        self._events = mongo.tenant_collection("operational_events")

    async def kept(self, event_ids: Sequence[str], session: Session | None = None) -> set[str]:
        """Those of these ids that are there already."""
        found = await self._events.find(EVERY_TENANT, {"_id": {"$in": list(event_ids)}}, session=session, projection={"_id": 1})
        return {document["_id"] for document in found}

    async def insert(self, events: Sequence[OperationalEvent], session: Session | None = None) -> None:
        await self._events.insert(EVERY_TENANT, [to_document(event) for event in events], session=session)

    async def past(self, tenant_id: str, event: EventKind, start: datetime, end: datetime) -> AsyncIterator[OperationalEvent]:
        """What came in (start, end], in the order in which it came; events are kept for 30 days."""
        where = {"kind": event.value, "received_at": {"$gt": start, "$lte": end}}
        async for document in self._events.stream(
            only(tenant_id), where, sort=[("received_at", 1), ("_id", 1)], batch_size=1_000
        ):
            yield from_document(document, OperationalEvent)

    async def how_many(self, tenant_id: str, event: EventKind, start: datetime, end: datetime, at_most: int) -> int:
        """How many events `past` would read; counted no further than `at_most`."""
        where = {"kind": event.value, "received_at": {"$gt": start, "$lte": end}}
        rows = await self._events.aggregate(only(tenant_id), where, [{"$limit": at_most}, {"$count": "count"}])
        return int(rows[0]["count"]) if rows else 0
