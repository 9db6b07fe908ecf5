"""The keys of programs."""

from datetime import datetime

from app.domain.tenant import EVERY_TENANT, ApiKey, Scope
from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo


class ApiKeyStore:
    """`api_keys`; the id is a part of the token, the secret is kept as a hash alone."""

    def __init__(self, mongo: Mongo) -> None:
        self._keys = mongo.tenant_collection("api_keys")

    async def by_id(self, key_id: str) -> ApiKey | None:
        """Whatever tenant it is of: this is how a token finds out whose it is."""
        document = await self._keys.find_one(EVERY_TENANT, {"_id": key_id})
        return None if document is None else from_document(document, ApiKey)

    async def insert(self, scope: Scope, key: ApiKey) -> None:
        await self._keys.insert(scope, [to_document(key)])

    async def get(self, scope: Scope, key_id: str) -> ApiKey | None:
        document = await self._keys.find_one(scope, {"_id": key_id})
        return None if document is None else from_document(document, ApiKey)

    async def revoke(self, scope: Scope, key_id: str, now: datetime) -> bool:
        """False where it was revoked before."""
        return await self._keys.update(scope, {"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": now}}) == 1

    async def note_used(self, scope: Scope, key_id: str, now: datetime) -> None:
        await self._keys.update(scope, {"_id": key_id}, {"$max": {"last_used_at": now}})

    async def list(self, scope: Scope) -> list[ApiKey]:
        """Those that were not revoked, newest first."""
        found = await self._keys.find(scope, {"revoked_at": None}, sort=[("created_at", -1), ("_id", 1)])
        return [from_document(document, ApiKey) for document in found]
