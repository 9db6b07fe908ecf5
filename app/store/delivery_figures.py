"""How the outbox is doing, over all tenants: how much is in it, how old it is, and what became of what was tried."""

from collections.abc import Mapping
from datetime import UTC, datetime

from app.domain.delivery import UNFINISHED, DeliveryStatus
from app.domain.tenant import EVERY_TENANT
from app.store.mongo import Mongo

_OUTCOMES = "deliveries"
_EVER = datetime.fromtimestamp(0, UTC)


class DeliveryFigureStore:
    """Reads `deliveries` by its indexes alone, and keeps the counts in the document `deliveries` of `leases`."""

    def __init__(self, mongo: Mongo) -> None:
        self._deliveries = mongo.tenant_collection("deliveries")
        self._counts = mongo.platform_collection("leases")

    async def unfinished(self) -> int:
        """All that are on their way, also those that are held on purpose."""
        return await self._deliveries.count(EVERY_TENANT, {"status": {"$in": [status.value for status in UNFINISHED]}})

    async def oldest_due_at(self, now: datetime) -> datetime | None:
        """Since when the one that has been due for longest is due; what is held, or waits for another, is not."""
        # Without the lower bound the index, which holds only what has such a time, could not serve it.
        where = {"next_attempt_at": {"$gt": _EVER, "$lte": now}}
        shown = {"_id": 0, "next_attempt_at": 1}
        found = await self._deliveries.find(EVERY_TENANT, where, sort=[("next_attempt_at", 1)], limit=1, projection=shown)
        at: datetime | None = found[0]["next_attempt_at"] if found else None
        return at

    async def taken_in_vain(self, times: int) -> int:
        """Those that were taken so often and came to nothing, not even to a failure: their leases only ever run out."""
        where = {"status": DeliveryStatus.SENDING.value, "attempts": {"$gte": times}, "error": None}
        return await self._deliveries.count(EVERY_TENANT, where)

    async def add_outcomes(self, counts: Mapping[tuple[str, str], int]) -> None:
        """By kind of channel and outcome."""
        change = {"$inc": {f"counts.{kind}.{outcome}": count for (kind, outcome), count in counts.items()}}
        await self._counts.update({"_id": _OUTCOMES}, change, upsert=True)

    async def outcomes(self) -> dict[tuple[str, str], int]:
        row = await self._counts.find_one({"_id": _OUTCOMES})
        counts: dict[str, dict[str, int]] = {} if row is None else row["counts"]
        return {(kind, outcome): count for kind, of_kind in counts.items() for outcome, count in of_kind.items()}
