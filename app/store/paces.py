"""When recipients were last told something: who may send to one next is decided here, by compare-and-set."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.tenant import EVERY_TENANT
from app.store.mongo import Mongo

_KEPT = timedelta(days=365)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient's times of messages as they were found, and as they are with one more. Oldest first."""

    recipient: str
    tenant_id: str
    before: Sequence[datetime]
    after: Sequence[datetime]


class PaceStore:
    """`paces`, by recipient; each has an id of its own in every tenant that tells it something."""

    def __init__(self, mongo: Mongo) -> None:
        self._paces = mongo.tenant_collection("paces")

    async def sent(self, recipients: Collection[str]) -> dict[str, tuple[datetime, ...]]:
        """The times of the last messages; who was told nothing of late is left out."""
        found = await self._paces.find(EVERY_TENANT, {"_id": {"$in": sorted(recipients)}})
        return {document["_id"]: tuple(document["sent"]) for document in found}

    async def take(self, turns: Sequence[Turn], lease: str) -> set[str]:
        """Takes turns; the recipients for whom nobody was faster."""
        fresh = [
            {"_id": turn.recipient, "tenant_id": turn.tenant_id, **_values(turn, lease)} for turn in turns if not turn.before
        ]
        changes = [
            ({"_id": turn.recipient, "sent": list(turn.before)}, {"$set": _values(turn, lease)}) for turn in turns if turn.before
        ]
        ours = await self._paces.insert_new(EVERY_TENANT, fresh) + await self._paces.update_each(EVERY_TENANT, changes)
        everybody = {turn.recipient for turn in turns}
        if ours == len(everybody):
            return everybody
        where = {"_id": {"$in": sorted(everybody)}, "lease": lease}
        return {document["_id"] for document in await self._paces.find(EVERY_TENANT, where, projection={"_id": 1})}


def _values(turn: Turn, lease: str) -> dict[str, object]:
    return {"sent": list(turn.after), "lease": lease, "expire_at": turn.after[-1] + _KEPT}
