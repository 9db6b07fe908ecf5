"""The outbox: what is to be told, written with what it tells of."""

from collections.abc import Collection, Sequence
from datetime import datetime

from app.domain.delivery import LEASE, UNFINISHED, Delivery, DeliveryStatus
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session

_ON_THE_WAY = {"$in": [status.value for status in UNFINISHED]}


class DeliveryStore:
    """`deliveries`."""

    def __init__(self, mongo: Mongo) -> None:
        self._deliveries = mongo.tenant_collection("deliveries")

    async def insert(self, deliveries: Sequence[Delivery], session: Session | None = None) -> None:
        await self._deliveries.insert(EVERY_TENANT, [to_document(one) for one in deliveries], session=session)

    async def write(self, deliveries: Sequence[Delivery], session: Session) -> None:
        changes = [({"_id": one.id}, {"$set": _body(one)}) for one in deliveries]
        await self._deliveries.update_each(EVERY_TENANT, changes, session=session)

    async def due(self, now: datetime, limit: int, but_for: Collection[str] = ()) -> list[Delivery]:
        """What may be taken now, the longest due first, but for some tenants."""
        where: Document = {"next_attempt_at": {"$lte": now}, "status": _ON_THE_WAY}
        if but_for:
            where["tenant_id"] = {"$nin": sorted(but_for)}
        found = await self._deliveries.find(EVERY_TENANT, where, sort=[("next_attempt_at", 1)], limit=limit)
        return [from_document(document, Delivery) for document in found]

    async def lanes_due(self, now: datetime) -> set[int]:
        where = {"next_attempt_at": {"$lte": now}, "status": _ON_THE_WAY}
        rows = await self._deliveries.aggregate(EVERY_TENANT, where, [{"$group": {"_id": "$lane"}}])
        return {row["_id"] for row in rows}

    async def claim(self, delivery: Delivery, lease: str, now: datetime) -> Delivery | None:
        """The delivery with one more try, for `lease` alone until the lease ends; None where another was faster."""
        where = {"_id": delivery.id, "status": _ON_THE_WAY, "next_attempt_at": delivery.next_attempt_at, "lease": delivery.lease}
        taken = {"status": DeliveryStatus.SENDING.value, "lease": lease, "next_attempt_at": now + LEASE}
        document = await self._deliveries.take(EVERY_TENANT, where, {"$set": taken, "$inc": {"attempts": 1}})
        return None if document is None else from_document(document, Delivery)

    async def settle(self, delivery: Delivery, lease: str) -> bool:
        """Writes what became of a try; False where the lease has gone to another."""
        return await self._deliveries.update(EVERY_TENANT, {"_id": delivery.id, "lease": lease}, {"$set": _body(delivery)}) == 1

    async def get(self, scope: Scope, delivery_id: str, session: Session | None = None) -> Delivery | None:
        document = await self._deliveries.find_one(scope, {"_id": delivery_id}, session=session)
        return None if document is None else from_document(document, Delivery)

    async def of_alerts(
        self, scope: Scope, alert_ids: Collection[str], session: Session | None = None
    ) -> dict[str, list[Delivery]]:
        """The deliveries of each alert, oldest first."""
        where = {"alert_id": {"$in": sorted(alert_ids)}}
        found: dict[str, list[Delivery]] = {}
        for document in await self._deliveries.find(scope, where, sort=[("seq", 1), ("_id", 1)], session=session):
            found.setdefault(document["alert_id"], []).append(from_document(document, Delivery))
        return found

    async def page(self, scope: Scope, alert_id: str | None, status: Collection[DeliveryStatus], limit: int) -> list[Delivery]:
        """The newest first."""
        where: Document = {} if alert_id is None else {"alert_id": alert_id}
        if status:
            where["status"] = {"$in": sorted(one.value for one in status)}
        found = await self._deliveries.find(scope, where, sort=[("created_at", -1), ("_id", -1)], limit=limit)
        return [from_document(document, Delivery) for document in found]


def _body(delivery: Delivery) -> Document:
    document = to_document(delivery)
    del document["_id"]
    return document
