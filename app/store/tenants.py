"""Tenants and their settings."""

from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.tenant import Scope, Tenant
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session, is_duplicate


class TenantStore:
    """`tenants`; a tenant's id is its `_id`, and never changes."""

    def __init__(self, mongo: Mongo) -> None:
        self._tenants = mongo.platform_collection("tenants")

    async def get(self, tenant_id: str, session: Session | None = None) -> Tenant | None:
        document = await self._tenants.find_one({"_id": tenant_id}, session=session)
        return None if document is None else from_document(document, Tenant)

    async def get_many(self, tenant_ids: Iterable[str], session: Session | None = None) -> dict[str, Tenant]:
        found = await self._tenants.find({"_id": {"$in": sorted(set(tenant_ids))}}, session=session)
        return {document["_id"]: from_document(document, Tenant) for document in found}

    async def insert(self, tenant: Tenant) -> bool:
        """False where there is one of this id already, which stays as it is."""
        try:
            await self._tenants.insert([to_document(tenant)])
        except Exception as error:
            if is_duplicate(error):
                return False
            raise
        return True

    async def change(self, tenant_id: str, fields: Mapping[str, Any], session: Session | None = None) -> Tenant | None:
        """Sets these fields alone, so that two who change different ones do not undo each other; the tenant as it then is."""
        document = await self._tenants.take({"_id": tenant_id}, {"$set": dict(fields)}, session=session)
        return None if document is None else from_document(document, Tenant)

    async def list(self, scope: Scope) -> list[Tenant]:
        """Newest first."""
        where: Document = {} if scope.tenant_ids is None else {"_id": {"$in": sorted(scope.tenant_ids)}}
        found = await self._tenants.find(where, sort=[("created_at", -1), ("_id", 1)])
        return [from_document(document, Tenant) for document in found]
