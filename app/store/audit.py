"""The record of what people and programs did."""

from collections.abc import Sequence
from datetime import datetime

from app.domain.tenant import AuditEntry, Scope
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session


class AuditStore:
    """`audit_log`; what is in it is never changed."""

    def __init__(self, mongo: Mongo) -> None:
        self._entries = mongo.tenant_collection("audit_log")

    async def insert(self, entries: Sequence[AuditEntry], session: Session | None = None) -> None:
        tenants = Scope(frozenset(entry.tenant_id for entry in entries))
        await self._entries.insert(tenants, [to_document(entry) for entry in entries], session=session)

    async def page(self, scope: Scope, after: tuple[datetime, str] | None, limit: int) -> list[AuditEntry]:
        """At most `limit` entries, newest first, older than the place (`at`, `id`)."""
        where: Document = {}
        if after is not None:
            at, entry_id = after
            where = {"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": entry_id}}]}
        found = await self._entries.find(scope, where, sort=[("at", -1), ("_id", -1)], limit=limit)
        return [from_document(document, AuditEntry) for document in found]
