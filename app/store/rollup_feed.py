"""What roll-ups are made of: the beats of a lane as they came, and of devices as they were sent."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Any

from app.domain.beat import METRIC_FIELDS, METRIC_UNITS, Beat
from app.domain.rollup import Place, Resolution, Spans
from app.domain.seen_metric import SeenMetric
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document
from app.store.mongo import Mongo

MOST_NAMES = 1_000
"""Names of a tenant's gauges that are looked at in one go: a flood of one tenant must not push out those of another."""

_FEED = {"hint": "changed_feed"}
_UNREAD = {"services": 0}
_BUCKET = {"$dateTrunc": {"date": "$timestamp", "unit": "minute", "binSize": Resolution.FIVE_MINUTES.span.seconds // 60}}


class RollupFeed:
    """`device_heartbeats`, and the ids in `devices`."""

    def __init__(self, mongo: Mongo) -> None:
        self._beats = mongo.tenant_collection("device_heartbeats")
        self._devices = mongo.tenant_collection("devices")

    async def first_received(self, lane: int, since: datetime | None) -> datetime | None:
        """When the first beat came that is kept of a lane, of those since a moment where one is given."""
        options: dict[str, Any] = {"sort": [("received_at", 1)], "projection": {"received_at": 1}, "hint": "changed_feed"}
        where: Document = {"lane": lane} if since is None else {"lane": lane, "received_at": {"$gte": since}}
        found = await self._beats.find_one(EVERY_TENANT, where, **options)
        at: datetime | None = None if found is None else found["received_at"]
        return at

    async def touched(self, lane: int, start: datetime, end: datetime) -> AsyncIterator[tuple[str, Place]]:
        """(tenant, bucket of five minutes) of whatever came in [start, end), each once, by tenant and device."""
        where = {"lane": lane, "received_at": {"$gte": start, "$lt": end}}
        group = {"$group": {"_id": {"tenant": "$tenant_id", "device": "$device_id"}, "starts": {"$addToSet": _BUCKET}}}
        async for row in self._beats.stream_aggregate(EVERY_TENANT, where, [group, {"$sort": {"_id": 1}}], **_FEED):
            for at in sorted(row["starts"]):
                yield row["_id"]["tenant"], (row["_id"]["device"], at)

    async def beats(self, tenant_id: str, spans: Spans) -> AsyncIterator[Beat]:
        """The beats that were sent in these spans, as far as they are kept; without what they say of services."""
        where = in_spans("timestamp", spans)
        async for document in self._beats.stream(only(tenant_id), where, projection=_UNREAD):
            yield from_document(document, Beat)

    async def devices(self, tenant_ids: Collection[str]) -> AsyncIterator[tuple[str, str]]:
        """(tenant, device) of all that were ever registered."""
        options = {"projection": {"_id": 0, "tenant_id": 1, "device_id": 1}, "sort": [("tenant_id", 1), ("device_id", 1)]}
        async for document in self._devices.stream(Scope(frozenset(tenant_ids)), {}, **options):
            yield document["tenant_id"], document["device_id"]

    async def seen_metrics(self, lane: int, after: datetime, until: datetime) -> list[SeenMetric]:
        """The gauges in the beats that came in (after, until], each once a tenant."""
        where = {"lane": lane, "received_at": {"$gt": after, "$lte": until}}
        return [*await self._standard(where), *await self._custom({**where, "metrics.0": {"$exists": True}})]

    async def _standard(self, where: Document) -> list[SeenMetric]:
        newest = {
            field: {"$max": {"$cond": [{"$isNumber": f"${field}"}, "$timestamp", None]}} for field in METRIC_FIELDS.values()
        }
        rows = self._beats.stream_aggregate(EVERY_TENANT, where, [{"$group": {"_id": "$tenant_id", **newest}}], **_FEED)
        return [
            SeenMetric(tenant_id=row["_id"], name=name, unit=METRIC_UNITS[name] or None, last_at=row[field])
            async for row in rows
            for name, field in METRIC_FIELDS.items()
            if row[field] is not None
        ]

    async def _custom(self, where: Document) -> list[SeenMetric]:
        group = {
            "_id": {"tenant": "$tenant_id", "name": "$metrics.name"},
            "unit": {"$last": "$metrics.unit"},
            "last_at": {"$max": "$timestamp"},
        }
        place = {"partitionBy": "$_id.tenant", "sortBy": {"_id.name": 1}, "output": {"place": {"$documentNumber": {}}}}
        few: list[Document] = [{"$setWindowFields": place}, {"$match": {"place": {"$lte": MOST_NAMES}}}]
        stages: list[Document] = [{"$unwind": "$metrics"}, {"$group": group}, *few]
        rows = self._beats.stream_aggregate(EVERY_TENANT, where, stages, **_FEED)
        return [
            SeenMetric(tenant_id=row["_id"]["tenant"], name=row["_id"]["name"], unit=row["unit"], last_at=row["last_at"])
            async for row in rows
            # A gauge with a field of its own is read from that alone.
            if row["_id"]["name"] not in METRIC_FIELDS
        ]


def in_spans(field: str, spans: Spans) -> Document:
    """Documents of these devices whose `field` is in their spans; each of the alternatives is a stretch of an index."""
    each = [
        {"device_id": {"$in": list(device_ids)}, field: {"$gte": begin, "$lt": end}} for (begin, end), device_ids in spans.items()
    ]
    return each[0] if len(each) == 1 else {"$or": each}
