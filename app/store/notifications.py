"""What people are told inside Fleetbeat: the record that lists and streams are read from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.notification import InAppNotification
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, is_duplicate

LOOK_BACK = timedelta(seconds=3)
"""What is written at the same time is not seen in that order: longer than a write takes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """That there is something for somebody."""

    id: str
    user_id: str
    written_at: datetime


class NotificationStore:
    """`notifications`."""

    def __init__(self, mongo: Mongo) -> None:
        self._notifications = mongo.tenant_collection("notifications")

    async def put(self, notifications: Sequence[InAppNotification]) -> None:
        """Writes what is not there yet; what is there stays as it is, read or not."""
        tenants = Scope(frozenset(one.tenant_id for one in notifications))
        changes = [({"_id": one.id}, _unless_there(one)) for one in notifications]
        try:
            await self._notifications.update_each(tenants, changes, upsert=True)
        except Exception as error:
            # Two made the same one at the same moment.
            if not is_duplicate(error):
                raise

    async def page(self, scope: Scope, user_id: str, unread_only: bool, limit: int) -> list[InAppNotification]:
        """The newest first."""
        where: Document = {"user_id": user_id, **({"read_at": None} if unread_only else {})}
        return await self._found(scope, where, sort=[("at", -1), ("_id", -1)], limit=limit)

    async def mark_read(self, scope: Scope, user_id: str, ids: Collection[str], now: datetime) -> int:
        """How many of a person's own were unread until now."""
        where = {"_id": {"$in": sorted(ids)}, "user_id": user_id, "read_at": None}
        return await self._notifications.update(scope, where, {"$set": {"read_at": now}})

    async def written(
        self, scope: Scope, user_id: str, since: datetime | None, but_for: Collection[str], limit: int
    ) -> list[InAppNotification]:
        """A person's, as they were written, from `since` on; None is from the beginning."""
        where: Document = {"user_id": user_id, **_from(since)}
        if but_for:
            where["_id"] = {"$nin": sorted(but_for)}
        return await self._found(scope, where, sort=[("written_at", 1), ("_id", 1)], limit=limit)

    async def head(self) -> datetime | None:
        """When the last one was written; None where none ever was."""
        last = await self._notifications.find(
            EVERY_TENANT, {}, sort=[("written_at", -1)], limit=1, projection={"written_at": 1, "_id": 0}
        )
        return last[0]["written_at"] if last else None

    async def marks(self, since: datetime | None) -> list[Mark]:
        """What was written for anybody from `since` on; read from an index alone."""
        shown = {"_id": 1, "user_id": 1, "written_at": 1}
        found = await self._notifications.find(EVERY_TENANT, _from(since), sort=[("written_at", 1)], projection=shown)
        return [Mark(document["_id"], document["user_id"], document["written_at"]) for document in found]

    async def _found(self, scope: Scope, where: Document, **options: Any) -> list[InAppNotification]:
        found = await self._notifications.find(scope, where, **options)
        return [from_document(document, InAppNotification) for document in found]


def _from(since: datetime | None) -> Document:
    return {} if since is None else {"written_at": {"$gte": since}}


def _unless_there(notification: InAppNotification) -> list[Document]:
    """The database says when it was written: clocks of those who write differ, and some are slow to come through."""
    document = {name: value for name, value in to_document(notification).items() if name != "written_at"}
    return [{"$replaceWith": {"$mergeObjects": [{"$literal": document}, {"written_at": "$$NOW"}, "$$ROOT"]}}]
