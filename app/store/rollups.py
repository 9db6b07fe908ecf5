"""Roll-ups: one document for each device and bucket, with all of its gauges."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.rollup import KEPT, Basis, Points, Resolution, Rollup, RollupPoint, Spans
from app.domain.sketch import decode_sketch
from app.domain.tenant import EVERY_TENANT, only
from app.store.encoding import Document
from app.store.mongo import Mongo
from app.store.rollup_feed import in_spans


class RollupStore:
    """`heartbeat_rollups`."""

    def __init__(self, mongo: Mongo) -> None:
        self._rollups = mongo.tenant_collection("heartbeat_rollups")

    async def write(self, rollups: Sequence[Rollup]) -> None:
        """Each in the place of what was kept of its bucket."""
        changes: list[tuple[Document, Any]] = [(_key(one), {"$set": _body(one)}) for one in rollups]
        await self._rollups.update_each(EVERY_TENANT, changes, upsert=True)

    async def within(self, tenant_id: str, spans: Spans, resolution: Resolution) -> AsyncIterator[Rollup]:
        """Those of these devices that begin in their spans, in no order."""
        where = {"resolution": resolution.value, **in_spans("start", spans)}
        async for document in self._rollups.stream(only(tenant_id), where):
            yield _rollup(document)

    async def series(
        self, tenant_id: str, device_ids: Sequence[str], metric: str, start: datetime, end: datetime, resolution: Resolution
    ) -> dict[str, list[RollupPoint]]:
        """What one gauge did in the buckets that begin in [start, end): by device id, oldest first.

        Devices and buckets without a value are left out, and so is what was not rolled up yet: the last minutes.
        """
        return await self._points(tenant_id, device_ids, metric, {"$gte": start, "$lt": end}, resolution)

    async def beats_heard(
        self, tenant_id: str, device_ids: Sequence[str], start: datetime, end: datetime, resolution: Resolution
    ) -> dict[str, list[tuple[datetime, int]]]:
        """How often devices beat in the buckets that begin in [start, end), by the gauge that came most often; by device id,
        oldest first."""
        where = {"device_id": {"$in": list(device_ids)}, "resolution": resolution.value, "start": {"$gte": start, "$lt": end}}
        shown = {"_id": 0, "device_id": 1, "start": 1, "metrics.count": 1}
        heard: dict[str, list[tuple[datetime, int]]] = {}
        async for document in self._rollups.stream(
            only(tenant_id), where, projection=shown, sort=[("device_id", 1), ("start", 1)]
        ):
            count = max(one["count"] for one in document["metrics"])
            heard.setdefault(document["device_id"], []).append((document["start"], count))
        return heard

    async def at_starts(
        self, tenant_id: str, device_ids: Sequence[str], metric: str, starts: Sequence[datetime], resolution: Resolution
    ) -> dict[str, list[RollupPoint]]:
        """As `series`, for the buckets that begin at these moments (the like hours of past weeks)."""
        return await self._points(tenant_id, device_ids, metric, {"$in": list(starts)}, resolution)

    async def _points(
        self, tenant_id: str, device_ids: Sequence[str], metric: str, start: Mapping[str, Any], resolution: Resolution
    ) -> dict[str, list[RollupPoint]]:
        one = {"name": metric}
        where = {"device_id": {"$in": list(device_ids)}, "resolution": resolution.value, "start": start}
        shown = {"_id": 0, "device_id": 1, "start": 1, "metrics": {"$elemMatch": one}}
        order = [("device_id", 1), ("start", 1)]
        points: dict[str, list[RollupPoint]] = {}
        async for document in self._rollups.stream(
            only(tenant_id), {**where, "metrics.name": metric}, projection=shown, sort=order
        ):
            point = _point(document["metrics"][0], document["start"])
            points.setdefault(document["device_id"], []).append(point)
        return points


def _key(rollup: Rollup) -> Document:
    return {
        "tenant_id": rollup.tenant_id,
        "device_id": rollup.device_id,
        "resolution": rollup.resolution.value,
        "start": rollup.start,
    }


def _body(rollup: Rollup) -> Document:
    body: Document = {"metrics": _written(rollup.metrics), "expire_at": rollup.start + KEPT[rollup.resolution]}
    if rollup.raw_until is not None:
        body |= {"raw_until": rollup.raw_until, "received_until": rollup.received_until}
    if rollup.basis is not None:
        body["basis"] = {"metrics": _written(rollup.basis.metrics), "received_until": rollup.basis.received_until}
    return body


def _written(metrics: Points) -> list[Document]:
    # A list, since names may hold dots and dollars; in order, so that the same roll-up is the same document.
    return [
        {
            "name": name,
            "count": point.count,
            "min": point.min,
            "max": point.max,
            "sum": point.sum,
            "last": point.last,
            "last_at": point.last_at,
            "sketch": point.sketch.encode(),
        }
        for name, point in sorted(metrics.items())
    ]


def _rollup(document: Document) -> Rollup:
    start, basis = document["start"], document.get("basis")
    return Rollup(
        tenant_id=document["tenant_id"],
        device_id=document["device_id"],
        resolution=Resolution(document["resolution"]),
        start=start,
        metrics=_read(document["metrics"], start),
        raw_until=document.get("raw_until"),
        received_until=document.get("received_until"),
        basis=basis and Basis(metrics=_read(basis["metrics"], start), received_until=basis["received_until"]),
    )


def _read(metrics: Sequence[Document], start: datetime) -> Points:
    return {document["name"]: _point(document, start) for document in metrics}


def _point(document: Document, start: datetime) -> RollupPoint:
    fields = {name: document[name] for name in ("count", "min", "max", "sum", "last", "last_at")}
    return RollupPoint(start=start, sketch=decode_sketch(document["sketch"]), **fields)
