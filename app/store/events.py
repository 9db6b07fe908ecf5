"""The record: every transition of an alert, in lanes whose counters make the order of commits the order of events."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from app.domain.alert import AlertEvent, Change
from app.domain.alert_filter import filterable
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

    async def append(
        self, lane: int, seq: int, changes: Sequence[Change], *, keep: timedelta, session: Session
    ) -> list[AlertEvent]:
        """Writes the record of changes behind `seq`, which `fence` gave, and moves the counter."""
        events = [_event(lane, seq + place, change) for place, change in enumerate(_recorded(changes), start=1)]
        if events:
            await self._events.insert(EVERY_TENANT, [_kept(event, keep) for event in events], session=session)
            await self._lanes.update({"_id": lane}, {"$set": {"seq": events[-1].seq}}, session=session)
        return events

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

    async def at(self, lane: int, seq: int) -> AlertEvent | None:
        found = await self._events.find(EVERY_TENANT, {"lane": lane, "seq": seq})
        return from_document(found[0], AlertEvent) if found else None

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


def _recorded(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if change.type is not None]


def _event(lane: int, seq: int, change: Change) -> AlertEvent:
    if change.type is None:
        raise ValueError("a change without a type leaves no record")
    before = change.before
    return AlertEvent(
        id=f"{lane}-{seq}",
        lane=lane,
        seq=seq,
        tenant_id=change.after.tenant_id,
        alert_id=change.after.id,
        type=change.type,
        at=change.at,
        alert=change.after,
        before=None if before is None else filterable(before),
        actor=change.actor,
        reason=change.reason,
        detail=change.detail,
    )


def _kept(event: AlertEvent, keep: timedelta) -> Document:
    return {**to_document(event), "expire_at": event.at + keep}
