"""Leases: who may run a tick, who may work on a lane, and how each tick last went."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.store.encoding import from_document
from app.store.mongo import Mongo, is_duplicate


class TickRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a tick last went, and when it last ended without an error; durations in seconds."""

    name: str
    interval_sec: float
    claimed_at: datetime | None = None
    last_finished_at: datetime | None = None
    last_good_at: datetime | None = None
    duration_sec: float | None = None
    last_error: str | None = None


class LeaseStore:
    """`leases`: `tick:NAME`, `lane:KIND:N`, `mark:KIND:N`, and what else one alone may do."""

    def __init__(self, mongo: Mongo) -> None:
        self._leases = mongo.platform_collection("leases")

    async def claim_tick(self, name: str, interval_sec: float, now: datetime) -> bool:
        """Whether this process is the one to run the tick now: at most one claim in an interval, whoever asks."""
        # A tenth of slack: two ticks of a timer are never exactly an interval apart.
        free = now - timedelta(seconds=interval_sec * 0.9)
        change = {"$set": {"name": name, "interval_sec": interval_sec, "claimed_at": now}}
        where = {"_id": f"tick:{name}", "$or": [{"claimed_at": None}, {"claimed_at": {"$lte": free}}]}
        return await self._take_or_make(where, change)

    async def finish_tick(self, name: str, started: datetime, now: datetime, error: str | None) -> None:
        duration = (now - started).total_seconds()
        change = {"last_finished_at": now, "duration_sec": duration, "last_error": error}
        if error is None:
            change["last_good_at"] = now
        await self._leases.update({"_id": f"tick:{name}"}, {"$set": change})

    async def ticks(self) -> list[TickRecord]:
        return [
            from_document(row, TickRecord) for row in await self._leases.find({"_id": {"$regex": "^tick:"}}, sort=[("_id", 1)])
        ]

    async def hold_lane(self, kind: str, lane: int, owner: str, now: datetime, seconds: float) -> bool:
        """Whether `owner` may work on the lane until `seconds` from now; a dead owner's hold simply ends."""
        return await self.hold(f"lane:{kind}:{lane}", owner, now, seconds)

    async def release_lane(self, kind: str, lane: int, owner: str, now: datetime) -> None:
        await self.release(f"lane:{kind}:{lane}", owner, now)

    async def hold(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """The same for anything that one alone may do."""
        where = {"_id": name, "$or": [{"owner": owner}, {"until": {"$lte": now}}]}
        return await self._take_or_make(where, {"$set": {"owner": owner, "until": now + timedelta(seconds=seconds)}})

    async def release(self, name: str, owner: str, now: datetime) -> None:
        await self._leases.update({"_id": name, "owner": owner}, {"$set": {"until": now}})

    async def watermark(self, kind: str, lane: int) -> datetime | None:
        """Up to when a lane was judged."""
        row = await self._leases.find_one({"_id": f"mark:{kind}:{lane}"})
        at: datetime | None = None if row is None else row["at"]
        return at

    async def watermarks(self, kind: str) -> dict[str, datetime]:
        return {row["_id"]: row["at"] for row in await self._leases.find({"_id": {"$regex": f"^mark:{kind}:"}})}

    async def advance(self, kind: str, lane: int, at: datetime) -> None:
        await self._leases.update({"_id": f"mark:{kind}:{lane}"}, {"$max": {"at": at}}, upsert=True)

    async def _take_or_make(self, where: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
        try:
            return await self._leases.take(where, change, upsert=True) is not None
        except Exception as error:
            # It is there, and held: the filter did not match, so the upsert met the holder's own document.
            if is_duplicate(error):
                return False
            raise
