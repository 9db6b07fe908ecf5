"""The workers that are there, as they say themselves."""

from datetime import datetime, timedelta

import msgspec

from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process and its jobs since its start."""

    id: str
    last_seen: datetime
    jobs_done: int
    jobs_failed: int
    jobs_ongoing: int


class WorkerStore:
    """`workers`."""

    def __init__(self, mongo: Mongo) -> None:
        self._workers = mongo.platform_collection("workers")

    async def report(self, record: WorkerRecord) -> None:
        document = to_document(record)
        del document["_id"]
        document["expire_at"] = record.last_seen + timedelta(minutes=5)
        await self._workers.update({"_id": record.id}, {"$set": document}, upsert=True)

    async def leave(self, worker_id: str) -> None:
        await self._workers.delete({"_id": worker_id})

    async def alive(self, now: datetime) -> list[WorkerRecord]:
        found = await self._workers.find({"last_seen": {"$gte": now - timedelta(seconds=15)}}, sort=[("_id", 1)])
        return [from_document(row, WorkerRecord) for row in found]
