"""When recipients were last told something: who may send to one next is decided here, by compare-and-set."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.store.mongo import Mongo, is_duplicate

_KEPT = timedelta(hours=1)


class PaceStore:
    """`paces`, by recipient."""

    def __init__(self, mongo: Mongo) -> None:
        self._paces = mongo.platform_collection("paces")

    async def sent(self, recipient: str) -> tuple[datetime, ...]:
        """The times of the last messages, oldest first."""
        document = await self._paces.find_one({"_id": recipient})
        return () if document is None else tuple(document["sent"])

    async def take(self, recipient: str, before: Sequence[datetime], after: Sequence[datetime]) -> bool:
        """Takes the turn; False where another was faster."""
        change = {"$set": {"sent": list(after), "expire_at": after[-1] + _KEPT}}
        try:
            return await self._paces.update({"_id": recipient, "sent": list(before)}, change, upsert=not before) == 1
        except Exception as error:
            if is_duplicate(error):
                return False
            raise
