"""What the watch over Fleetbeat itself remembers: one document for all workers, beside the leases."""

from datetime import datetime

from app.domain.watch import Watch
from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo, is_duplicate

_WATCH = "watch"


class WatchStore:
    """The document `watch` of `leases`."""

    def __init__(self, mongo: Mongo) -> None:
        self._leases = mongo.platform_collection("leases")

    async def get(self) -> Watch | None:
        row = await self._leases.find_one({"_id": _WATCH})
        return None if row is None else from_document(row, Watch)

    async def keep(self, watch: Watch, before: datetime | None) -> bool:
        """Writes it where nobody has looked since `before`, None where nobody ever did; False where somebody has."""
        if before is not None:
            return await self._leases.update({"_id": _WATCH, "looked_at": before}, {"$set": to_document(watch)}) == 1
        try:
            await self._leases.insert([{"_id": _WATCH, **to_document(watch)}])
        except Exception as error:
            if is_duplicate(error):
                return False
            raise
        return True
