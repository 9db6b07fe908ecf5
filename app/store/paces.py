"""When recipients were last told something: who may send to one next is decided here, by compare-and-set."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.domain.tenant import only
from app.store.mongo import Mongo

_KEPT = timedelta(hours=1)


class PaceStore:
    """`paces`, by recipient; each has an id of its own in every tenant that tells it something."""

    def __init__(self, mongo: Mongo) -> None:
        self._paces = mongo.tenant_collection("paces")

    async def sent(self, tenant_id: str, recipient: str) -> tuple[datetime, ...]:
        """The times of the last messages, oldest first."""
        document = await self._paces.find_one(only(tenant_id), {"_id": recipient})
        return () if document is None else tuple(document["sent"])

    async def take(self, tenant_id: str, recipient: str, before: Sequence[datetime], after: Sequence[datetime]) -> bool:
        """Takes the turn; False where another was faster."""
        values = {"sent": list(after), "expire_at": after[-1] + _KEPT}
        if not before:
            fresh = {"_id": recipient, "tenant_id": tenant_id, **values}
            if await self._paces.insert_new(only(tenant_id), [fresh]):
                return True
        where = {"_id": recipient, "sent": list(before)}
        return await self._paces.update(only(tenant_id), where, {"$set": values}) == 1
