"""Beats: written in batches, read by device."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.domain.beat import METRIC_FIELDS, Beat
from app.domain.conditions.anomaly import Sample
from app.domain.ids import device_key
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo

_READING = dict.fromkeys(
    ("tenant_id", "device_id", "lane", "timestamp", "received_at", "late", "metrics", *METRIC_FIELDS.values()), 1
)


class LateSpan(msgspec.Struct, frozen=True):
    """The timestamps of a device's late beats lie from `start` to `end`."""

    tenant_id: str
    device_id: str
    start: datetime
    end: datetime


class HeartbeatStore:
    """`device_heartbeats`."""

    def __init__(self, mongo: Mongo) -> None:
        self._beats = mongo.tenant_collection("device_heartbeats")
        self._devices = mongo.tenant_collection("devices")

    async def insert(self, beats: Sequence[Beat]) -> int:
        """Writes a batch of any tenants' beats; a repeated one is there already, and so a success. How many were new."""
        return await self._beats.insert_new(EVERY_TENANT, [to_document(beat) for beat in beats])

    async def latest(self, scope: Scope, devices: Sequence[tuple[str, str]], before: datetime | None = None) -> dict[str, Beat]:
        """The newest beat of each (tenant, device), of those before a time where one is given, by device key; devices without
        one are left out."""
        earlier = [] if before is None else [{"$lt": ["$timestamp", before]}]
        same = [{"$eq": ["$tenant_id", "$$tenant"]}, {"$eq": ["$device_id", "$$device"]}]
        newest = {
            "from": "device_heartbeats",
            "let": {"tenant": "$tenant_id", "device": "$device_id"},
            "pipeline": [
                {"$match": {"$expr": {"$and": [*same, *earlier]}}},
                {"$sort": {"tenant_id": 1, "device_id": 1, "timestamp": -1}},
                {"$limit": 1},
            ],
            "as": "beats",
        }
        keys = [device_key(tenant_id, device_id) for tenant_id, device_id in devices]
        # One look-up along the index a device: a sort-and-group would read every beat that is kept.
        rows = await self._devices.aggregate(
            scope, {"_id": {"$in": keys}}, [{"$project": {"tenant_id": 1, "device_id": 1}}, {"$lookup": newest}]
        )
        return {row["_id"]: from_document(row["beats"][0], Beat) for row in rows if row["beats"]}

    async def history(
        self, scope: Scope, tenant_id: str, device_id: str, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Beat]:
        """Newest first, from `start` until before `end`."""
        where: dict[str, Any] = {"tenant_id": tenant_id, "device_id": device_id, **_between("timestamp", start, end)}
        found = await self._beats.find(scope, where, sort=[("timestamp", -1)], limit=limit)
        return [from_document(document, Beat) for document in found]

    async def readings_in_lane(self, lane: int, after: datetime, until: datetime, limit: int) -> list[Document]:
        """What came in the lane in (after, until], oldest first, as kept and without what no rule looks at: the feed of what
        changed since a tick. `as_beat` makes a beat of one."""
        where = {"lane": lane, "received_at": {"$gt": after, "$lte": until}}
        return await self._beats.find(
            EVERY_TENANT, where, projection=_READING, sort=[("received_at", 1)], limit=limit, hint="changed_feed"
        )

    async def late_spans(self, lane: int, after: datetime, until: datetime) -> list[LateSpan]:
        """From when to when the late beats speak that came in the lane in (after, until], for each device."""
        where = {"lane": lane, "late": True, "received_at": {"$gt": after, "$lte": until}}
        group = {
            "_id": {"tenant_id": "$tenant_id", "device_id": "$device_id"},
            "start": {"$min": "$timestamp"},
            "end": {"$max": "$timestamp"},
        }
        rows = await self._beats.aggregate(EVERY_TENANT, where, [{"$group": group}])
        return [LateSpan(row["_id"]["tenant_id"], row["_id"]["device_id"], row["start"], row["end"]) for row in rows]

    async def window(self, tenant_id: str, device_ids: Sequence[str], after: datetime, until: datetime) -> dict[str, list[Beat]]:
        """The beats of devices with a timestamp in (after, until], oldest first, by device id."""
        where: Mapping[str, Any] = {"device_id": {"$in": list(device_ids)}, "timestamp": {"$gt": after, "$lte": until}}
        found = await self._beats.find(only(tenant_id), where, sort=[("device_id", 1), ("timestamp", 1)])
        beats: dict[str, list[Beat]] = {}
        for document in found:
            beats.setdefault(document["device_id"], []).append(from_document(document, Beat))
        return beats

    async def window_readings(
        self, tenant_id: str, device_ids: Sequence[str], metrics: Collection[str], after: datetime, until: datetime
    ) -> list[Document]:
        """What these gauges said in the beats of devices with a timestamp in (after, until], as kept, in no order."""
        fields = {METRIC_FIELDS.get(metric, "metrics") for metric in metrics}
        where = {"device_id": {"$in": list(device_ids)}, "timestamp": {"$gt": after, "$lte": until}}
        shown = dict.fromkeys(("tenant_id", "device_id", "timestamp", *fields), 1)
        return await self._beats.find(only(tenant_id), where, projection=shown)

    async def past(self, tenant_id: str, device_ids: Sequence[str], start: datetime, until: datetime) -> AsyncIterator[Beat]:
        """What devices said with a timestamp in [start, until], device by device, newest first; what no rule looks at is not
        in it."""
        where = {"device_id": {"$in": list(device_ids)}, "timestamp": {"$gte": start, "$lte": until}}
        order = [("device_id", 1), ("timestamp", -1)]
        found = self._beats.stream(only(tenant_id), where, projection=_READING, sort=order, batch_size=1_000)
        async for document in found:
            yield as_beat(document)

    async def how_many(self, tenant_id: str, device_ids: Sequence[str], start: datetime, until: datetime, at_most: int) -> int:
        """How many beats `past` would read; counted no further than `at_most`."""
        where = {"device_id": {"$in": list(device_ids)}, "timestamp": {"$gte": start, "$lte": until}}
        rows = await self._beats.aggregate(only(tenant_id), where, [{"$limit": at_most}, {"$count": "count"}])
        return int(rows[0]["count"]) if rows else 0

    async def means(
        self, tenant_id: str, device_ids: Sequence[str], metric: str, start: datetime, end: datetime
    ) -> dict[str, dict[datetime, Sample]]:
        """How many values a gauge had, and their mean, in each five minutes of [start, end), by device and by their start."""
        bucket = {"$dateTrunc": {"date": "$timestamp", "unit": "minute", "binSize": 5}}
        group = {
            "_id": {"device": "$device_id", "at": bucket},
            "count": {"$sum": {"$cond": [{"$isNumber": "$value"}, 1, 0]}},
            "mean": {"$avg": "$value"},
        }
        where = {"device_id": {"$in": list(device_ids)}, "timestamp": {"$gte": start, "$lt": end}}
        stages = [{"$project": {"device_id": 1, "timestamp": 1, "value": _gauge(metric)}}, {"$group": group}]
        found: dict[str, dict[datetime, Sample]] = {}
        for row in await self._beats.aggregate(only(tenant_id), where, stages):
            if row["count"]:
                found.setdefault(row["_id"]["device"], {})[row["_id"]["at"]] = Sample(row["count"], row["mean"])
        return found


def _gauge(metric: str) -> Any:
    """The value of a gauge in a beat, for a pipeline."""
    if metric in METRIC_FIELDS:
        return f"${METRIC_FIELDS[metric]}"
    named = {"$filter": {"input": {"$ifNull": ["$metrics", []]}, "cond": {"$eq": ["$$this.name", {"$literal": metric}]}}}
    return {"$first": {"$map": {"input": named, "in": "$$this.value"}}}


def as_beat(reading: Document) -> Beat:
    """A beat of a reading; what no rule looks at is not in it."""
    return from_document({**reading, "expire_at": reading["received_at"]}, Beat)


def _between(field: str, start: datetime | None, end: datetime | None) -> Document:
    bounds = {name: at for name, at in (("$gte", start), ("$lt", end)) if at is not None}
    return {field: bounds} if bounds else {}
