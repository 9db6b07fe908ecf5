"""Where devices stand: the stores of the contract."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.domain.tenant import Scope, Site, only
from app.store.encoding import from_document
from app.store.mongo import Mongo


class SiteStore:
    """`stores`."""

    def __init__(self, mongo: Mongo) -> None:
        self._sites = mongo.tenant_collection("stores")

    async def get(self, scope: Scope, tenant_id: str, store_id: str) -> Site | None:
        document = await self._sites.find_one(scope, {"tenant_id": tenant_id, "store_id": store_id})
        return None if document is None else from_document(document, Site)

    async def save(self, tenant_id: str, store_id: str, fields: Mapping[str, Any], now: datetime) -> Site:
        """Makes the site, or sets these fields of the one that is there."""
        created = {"store_id": store_id, "created_at": now}
        change: dict[str, Any] = {"$setOnInsert": created}
        if fields:
            change["$set"] = dict(fields)
        where = {"_id": site_id(tenant_id, store_id)}
        document = await self._sites.take(only(tenant_id), where, change, upsert=True)
        if document is None:
            raise RuntimeError("an upsert gave nothing back")
        return from_document(document, Site)

    async def list(self, scope: Scope) -> list[Site]:
        """Newest first."""
        found = await self._sites.find(scope, {}, sort=[("created_at", -1), ("_id", 1)])
        return [from_document(document, Site) for document in found]


def site_id(tenant_id: str, store_id: str) -> str:
    return f"{tenant_id}:{store_id}"
