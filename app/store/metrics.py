"""The gauges that devices have sent, by tenant."""

from collections.abc import Collection, Sequence

from app.domain.seen_metric import KEPT, SeenMetric
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document
from app.store.mongo import Mongo


class MetricStore:
    """`metrics`."""

    def __init__(self, mongo: Mongo) -> None:
        self._metrics = mongo.tenant_collection("metrics")

    async def known(self, tenant_ids: Collection[str]) -> dict[str, set[str]]:
        """The names in each tenant's list; tenants without any are left out."""
        where = {"tenant_id": {"$in": sorted(tenant_ids)}}
        names: dict[str, set[str]] = {}
        for document in await self._metrics.find(EVERY_TENANT, where, projection={"_id": 0, "tenant_id": 1, "name": 1}):
            names.setdefault(document["tenant_id"], set()).add(document["name"])
        return names

    async def note(self, seen: Sequence[SeenMetric]) -> None:
        changes = []
        for one in seen:
            change: Document = {"$max": {"last_at": one.last_at, "expire_at": one.last_at + KEPT}}
            if one.unit is not None:
                change["$set"] = {"unit": one.unit}
            changes.append(({"tenant_id": one.tenant_id, "name": one.name}, change))
        await self._metrics.update_each(EVERY_TENANT, changes, upsert=True)

    async def list(self, scope: Scope) -> list[SeenMetric]:
        """By name, and then by tenant."""
        found = await self._metrics.find(scope, {}, sort=[("name", 1), ("tenant_id", 1)])
        return [from_document({"unit": None, **document}, SeenMetric) for document in found]
