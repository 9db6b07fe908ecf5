"""Services as their monitors last saw them."""

from collections.abc import Sequence
from datetime import datetime

from app.domain.beat import HealthStatus
from app.domain.service import Service
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import from_document, to_document
from app.store.mongo import Mongo


class ServiceStore:
    """`services`."""

    def __init__(self, mongo: Mongo) -> None:
        self._services = mongo.tenant_collection("services")

    async def save(self, service: Service) -> None:
        """Keeps a service as it now is."""
        document = to_document(service)
        del document["_id"]
        await self._services.update_each(only(service.tenant_id), [({"_id": service.id}, {"$set": document})], upsert=True)

    async def in_trouble_or_changed(self, lane: int, after: datetime) -> list[Service]:
        """Those that are not healthy, and those that changed since; the others can be in no alert that is new."""
        where = {"lane": lane, "$or": [{"status": {"$ne": HealthStatus.HEALTHY.value}}, {"changed_at": {"$gt": after}}]}
        return [from_document(document, Service) for document in await self._services.find(EVERY_TENANT, where)]

    async def of_tenant(self, scope: Scope) -> list[Service]:
        found = await self._services.find(scope, {}, sort=[("key", 1)])
        return [from_document(document, Service) for document in found]

    async def get_many(self, service_ids: Sequence[str]) -> dict[str, Service]:
        found = await self._services.find(EVERY_TENANT, {"_id": {"$in": list(service_ids)}})
        return {document["_id"]: from_document(document, Service) for document in found}
