"""The record: every transition of an alert, in lanes whose counters make the order of commits the order of events."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from app.domain.alert import AlertEvent
from app.domain.ids import LANES
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session

_EPOCH = "epoch"


class EventStore:
    """`alert_events` and `lanes`."""

    def __init__(self, mongo: Mongo) -> None:
        self._events = mongo.tenant_collection("alert_events")
        self._lanes = mongo.platform_collection("lanes")

    async def fence(self, lane: int, session: Session) -> int:
        """The lane's counter, held until the transaction ends: no other writer of the lane can commit in between."""
        row = await self._lanes.take({"_id": lane}, {"$inc": {"fence": 1}}, upsert=True, session=session)
        return 0 if row is None else int(row.get("seq", 0))

    async def append(self, lane: int, events: Sequence[AlertEvent], *, keep: timedelta, session: Session) -> None:
        """Writes the record of a transaction, and moves the lane's counter."""
        if events:
            await self._events.insert(EVERY_TENANT, [_kept(event, keep) for event in events], session=session)
            await self._lanes.update({"_id": lane}, {"$set": {"seq": events[-1].seq}}, session=session)

    async def positions(self) -> dict[int, int]:
        """Every lane's counter; 0 where nothing happened yet."""
        found = {row["_id"]: int(row.get("seq", 0)) for row in await self._lanes.find({"_id": {"$ne": _EPOCH}})}
        return {lane: found.get(lane, 0) for lane in range(LANES)}

    async def after(self, positions: Mapping[int, int], limit: int) -> list[AlertEvent]:
        """The events behind these positions, of these lanes alone, by lane and sequence."""
        if not positions:
            return []
        behind = [{"lane": lane, "seq": {"$gt": seq}} for lane, seq in positions.items()]
        found = await self._events.find(EVERY_TENANT, {"$or": behind}, sort=[("lane", 1), ("seq", 1)], limit=limit)
        return [from_document(document, AlertEvent) for document in found]

    async def at(self, places: Collection[tuple[int, int]]) -> dict[tuple[int, int], AlertEvent]:
        """The events at these places (lane, seq); what is no longer kept is left out."""
        if not places:
            return {}
        by_lane: dict[int, list[int]] = {}
        for lane, seq in places:
            by_lane.setdefault(lane, []).append(seq)
        where = {"$or": [{"lane": lane, "seq": {"$in": seqs}} for lane, seqs in by_lane.items()]}
        found = [from_document(document, AlertEvent) for document in await self._events.find(EVERY_TENANT, where)]
        return {(event.lane, event.seq): event for event in found}

    async def oldest(self, lanes: Sequence[int]) -> dict[int, int]:
        """The lowest sequence number that is still kept, by lane; lanes without any are left out."""
        rows = await self._events.aggregate(
            EVERY_TENANT,
            {"lane": {"$in": list(lanes)}},
            [{"$sort": {"lane": 1, "seq": 1}}, {"$group": {"_id": "$lane", "seq": {"$first": "$seq"}}}],
        )
        return {row["_id"]: int(row["seq"]) for row in rows}

    async def epoch(self) -> str:
        """The name of this history. A restored backup gets a new one, and every cursor of before is answered with RESYNC."""
        fresh = {"$setOnInsert": {"value": secrets.token_hex(4)}}
        row = await self._lanes.take({"_id": _EPOCH}, fresh, upsert=True)
        if row is None:
            raise RuntimeError("an upsert that gives back nothing")
        return str(row["value"])

    async def timeline(self, scope: Scope, alert_id: str, limit: int) -> list[AlertEvent]:
        """An alert's events, newest first."""
        found = await self._events.find(scope, {"alert_id": alert_id}, sort=[("seq", -1)], limit=limit)
        return [from_document(document, AlertEvent) for document in found]

    async def timelines(self, scope: Scope, alert_ids: Sequence[str], limit: int) -> dict[str, list[AlertEvent]]:
        """The newest `limit` events of each alert, newest first; alerts without any are left out."""
        place = {"partitionBy": "$alert_id", "sortBy": {"seq": -1}, "output": {"place": {"$documentNumber": {}}}}
        rows = await self._events.aggregate(
            scope,
            {"alert_id": {"$in": list(alert_ids)}},
            [{"$setWindowFields": place}, {"$match": {"place": {"$lte": limit}}}, {"$sort": {"seq": -1}}],
        )
        found: dict[str, list[AlertEvent]] = {}
        for row in rows:
            found.setdefault(row["alert_id"], []).append(from_document(row, AlertEvent))
        return found


def _kept(event: AlertEvent, keep: timedelta) -> Document:
    return {**to_document(event), "expire_at": event.at + keep}
