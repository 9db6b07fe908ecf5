"""Counts of operational events in five-minute buckets: what rules look at instead of the events."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.domain.counts import BUCKET, Tally
from app.domain.ids import lane_of
from app.domain.operational_event import Addition, CountKey, EventKind
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, only
from app.store.encoding import Document
from app.store.mongo import Mongo, Session

KEPT = timedelta(days=400)
"""A year, and the weeks before it with which a window is compared."""

MOST_CHANGES = 20_000


class ChangedCount(msgspec.Struct, frozen=True, kw_only=True):
    """A place whose counts of a kind of event changed, last at `changed_at`."""

    tenant_id: str
    place: SubjectKind
    subject_id: str
    event: EventKind
    changed_at: datetime


class EventCountStore:
    """`event_counts`: one document for each bucket of a place and a kind of event."""

    def __init__(self, mongo: Mongo) -> None:
        self._counts = mongo.tenant_collection("event_counts")

    async def add(self, added: Mapping[CountKey, Addition], now: datetime, session: Session) -> None:
        """Adds to the buckets, which have then changed at `now`.

        Two transactions that meet in a bucket do not both commit: one has a conflict, or a duplicate key where both make it.
        """
        # In one order for all writers: of two that meet, one has lost at the first bucket and holds nothing that the other needs.
        changes: dict[str, Any] = {_id_of(key): _change(key, one, now) for key, one in added.items()}
        writes = [({"_id": bucket_id}, changes[bucket_id]) for bucket_id in sorted(changes)]
        await self._counts.update_each(EVERY_TENANT, writes, upsert=True, session=session)

    async def touch(self, keys: Collection[CountKey], now: datetime) -> None:
        """Says of these buckets that they changed at `now`."""
        where = {"_id": {"$in": [_id_of(key) for key in keys]}}
        await self._counts.update(EVERY_TENANT, where, {"$max": {"changed_at": now}})

    async def window(
        self,
        tenant_id: str,
        place: SubjectKind,
        subject_ids: Sequence[str],
        event: EventKind,
        start: datetime,
        end: datetime,
    ) -> dict[str, dict[datetime, Tally]]:
        """Every bucket that overlaps (start, end], by subject and by the start of the bucket; subjects without any are left out.

        Events that name no store are those of the subject "" of kind TENANT.
        """
        where = {
            "place": place.value,
            "subject_id": {"$in": list(subject_ids)},
            "kind": event.value,
            "start": {"$gt": start - BUCKET, "$lte": end},
        }
        shown = {"_id": 0, "subject_id": 1, "start": 1, "success": 1, "failure": 1}
        found = await self._counts.find(only(tenant_id), where, projection=shown)
        buckets: dict[str, dict[datetime, Tally]] = {}
        for row in found:
            buckets.setdefault(row["subject_id"], {})[row["start"]] = Tally(row["success"], row["failure"])
        return buckets

    async def known_from(self, tenant_id: str) -> datetime | None:
        """When the tenant's counting began: what was not counted before is not known, what was not counted since is none."""
        first = None
        for event in EventKind:
            # One look along the index for each kind.
            where = {"place": SubjectKind.TENANT.value, "subject_id": tenant_id, "kind": event.value}
            row = await self._counts.find_one(only(tenant_id), where, sort=[("start", 1)], projection={"start": 1})
            if row is not None and (first is None or row["start"] < first):
                first = row["start"]
        return first

    async def changed_in_lane(self, lane: int, after: datetime, until: datetime, limit: int = MOST_CHANGES) -> list[ChangedCount]:
        """What changed in the lane in (after, until], each place and kind once, oldest first.

        Of more than `limit` it gives the oldest, and then all of the last one's moment: who goes on behind that misses nothing.
        """
        found = await self._changes(lane, {"$gt": after, "$lte": until}, limit)
        if len(found) < limit:
            return found
        # One write changes many buckets at one moment.
        last = found[-1].changed_at
        return [one for one in found if one.changed_at < last] + await self._changes(lane, last)

    async def _changes(self, lane: int, changed_at: datetime | Document, limit: int | None = None) -> list[ChangedCount]:
        key = {name: f"${name}" for name in ("tenant_id", "place", "subject_id", "kind")}
        stages: list[Document] = [
            {"$group": {"_id": key, "changed_at": {"$max": "$changed_at"}}},
            {"$sort": {"changed_at": 1, "_id": 1}},
        ]
        stages += [] if limit is None else [{"$limit": limit}]
        rows = await self._counts.aggregate(EVERY_TENANT, {"lane": lane, "changed_at": changed_at}, stages)
        return [_changed(row["_id"], row["changed_at"]) for row in rows]


def _id_of(key: CountKey) -> str:
    # Subjects' ids hold colons. Nothing before them does, so no two buckets can meet.
    minutes = int(key.start.timestamp()) // 60
    return f"{key.tenant_id}:{key.event.value}:{minutes}:{key.place.value}:{key.subject_id}"


def _change(key: CountKey, added: Addition, now: datetime) -> Document:
    made = {
        "tenant_id": key.tenant_id,
        "lane": lane_of(key.tenant_id),
        "place": key.place.value,
        "subject_id": key.subject_id,
        "kind": key.event.value,
        "start": key.start,
        "expire_at": key.start + KEPT,
    }
    more = {"success": added.success, "failure": added.failure, "amount": added.amount}
    # Clocks of two processes may differ a little: what changed later must not look older.
    return {"$inc": more, "$max": {"changed_at": now}, "$setOnInsert": made}


def _changed(key: Document, changed_at: datetime) -> ChangedCount:
    return ChangedCount(
        tenant_id=key["tenant_id"],
        place=SubjectKind(key["place"]),
        subject_id=key["subject_id"],
        event=EventKind(key["kind"]),
        changed_at=changed_at,
    )
