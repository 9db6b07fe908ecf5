"""The people who have been here, as their last token said."""

from collections.abc import Collection, Sequence

from app.domain.tenant import Member, Role, Scope
from app.store.encoding import Document, from_document, readable, to_document
from app.store.mongo import Mongo, Session


class MemberStore:
    """`members`; a person may be in several tenants, so the scope is in the filter by hand."""

    def __init__(self, mongo: Mongo) -> None:
        self._members = mongo.platform_collection("members")

    async def note(self, member: Member) -> None:
        document = to_document(member)
        await self._members.update({"_id": document.pop("_id")}, {"$set": document}, upsert=True)

    async def of_tenant(self, tenant_id: str, session: Session | None = None) -> list[Member]:
        """Its members, in the order of their ids; super admins are in no tenant."""
        found = await self._members.find({"tenant_ids": tenant_id}, session=session, sort=[("_id", 1)])
        return readable(found, Member)

    async def of_tenants(self, tenant_ids: Collection[str], session: Session | None = None) -> Sequence[Member]:
        """Whoever may be told of what happens in one of them: their members, and super admins."""
        where: Document = {"$or": [{"tenant_ids": {"$in": sorted(tenant_ids)}}, {"role": Role.SUPER_ADMIN.value}]}
        found = await self._members.find(where, session=session, sort=[("_id", 1)])
        return readable(found, Member)

    async def super_admins(self) -> list[Member]:
        found = await self._members.find({"role": Role.SUPER_ADMIN.value}, sort=[("_id", 1)])
        return readable(found, Member)

    async def get_many(self, member_ids: Collection[str]) -> dict[str, Member]:
        """Raises where one of them cannot be read."""
        found = await self._members.find({"_id": {"$in": sorted(member_ids)}})
        return {document["_id"]: from_document(document, Member) for document in found}

    async def list(self, scope: Scope) -> list[Member]:
        """Who was here last comes first. Super admins are in no tenant, and so are seen over every tenant alone."""
        where: Document = {} if scope.tenant_ids is None else {"tenant_ids": {"$in": sorted(scope.tenant_ids)}}
        found = await self._members.find(where, sort=[("last_seen", -1), ("_id", 1)])
        return [from_document(document, Member) for document in found]
