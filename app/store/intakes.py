"""Signs of life of the processes that take beats, and the gaps in them: what nobody could write is no device's fault."""

from datetime import datetime, timedelta

import msgspec

from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo

_ALL = "all"


class IntakeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A process that takes beats, as it last said; `stream_lag_sec` is how far its streams are behind the record."""

    id: str
    at: datetime
    beats_per_sec: float
    subscribers: int
    stream_lag_sec: float = 0.0


class IntakeSigns(msgspec.Struct, frozen=True, kw_only=True):
    """When any intake last wrote, and when the last gap in that ended."""

    alive_at: datetime
    gap_end: datetime


class IntakeStore:
    """`intakes`: one document a process, and one for all of them together."""

    def __init__(self, mongo: Mongo) -> None:
        self._intakes = mongo.platform_collection("intakes")

    async def sign(self, record: IntakeRecord, gap: timedelta) -> None:
        """Writes a sign of life. One that comes more than `gap` after the last one of any process ends a gap."""
        milliseconds = int(gap.total_seconds() * 1000)
        silent = {
            "$gt": [
                {"$subtract": [record.at, {"$ifNull": ["$alive_at", datetime.fromtimestamp(0, record.at.tzinfo)]}]},
                milliseconds,
            ]
        }
        together = {
            "$set": {"gap_end": {"$cond": [silent, record.at, "$gap_end"]}, "alive_at": {"$max": ["$alive_at", record.at]}}
        }
        await self._intakes.update({"_id": _ALL}, [together], upsert=True)
        own = to_document(record)
        del own["_id"]
        own["expire_at"] = record.at + timedelta(minutes=5)
        await self._intakes.update({"_id": record.id}, {"$set": own}, upsert=True)

    async def signs(self) -> IntakeSigns | None:
        row = await self._intakes.find_one({"_id": _ALL})
        return None if row is None else from_document(row, IntakeSigns)

    async def alive(self, now: datetime) -> list[IntakeRecord]:
        found = await self._intakes.find({"_id": {"$ne": _ALL}, "at": {"$gte": now - timedelta(seconds=10)}}, sort=[("_id", 1)])
        return [from_document(row, IntakeRecord) for row in found]
