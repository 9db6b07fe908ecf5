"""The outbox: what is to be told, written with what it tells of."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.delivery import LEASE, UNFINISHED, Delivery, DeliveryStatus, Telling
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document, readable, to_document
from app.store.mongo import Mongo, Session

UNREADABLE_FOR = timedelta(minutes=10)
"""So long something waits that this version cannot read: others may."""

_TELLING = dict.fromkeys(Telling.__struct_fields__, 1)
_NOTHING: Document = {}
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
_ON_THE_WAY = {"$in": [status.value for status in UNFINISHED]}


class DeliveryStore:
    """`deliveries`."""

    def __init__(self, mongo: Mongo) -> None:
        self._deliveries = mongo.tenant_collection("deliveries")

    async def insert(self, deliveries: Sequence[Delivery], session: Session | None = None) -> None:
        await self._deliveries.insert(EVERY_TENANT, [to_document(one) for one in deliveries], session=session)

    async def insert_new(self, deliveries: Sequence[Delivery]) -> int:
        """Passes over what is there already; how many were new."""
        return await self._deliveries.insert_new(EVERY_TENANT, [to_document(one) for one in deliveries])

    async def write(self, deliveries: Sequence[Delivery], session: Session) -> None:
        changes = [({"_id": one.id}, {"$set": _body(one)}) for one in deliveries]
        await self._deliveries.update_each(EVERY_TENANT, changes, session=session)

    async def due(
        self, now: datetime, limit: int, but_tenants: Collection[str] = (), but_channels: Collection[str] = ()
    ) -> list[Delivery]:
        """What may be taken now, the longest due first, but for some tenants and channels."""
        where: Document = {"next_attempt_at": {"$gt": _LONG_AGO, "$lte": now}, "status": _ON_THE_WAY}
        if but_tenants:
            where["tenant_id"] = {"$nin": sorted(but_tenants)}
        if but_channels:
            where["channel_id"] = {"$nin": sorted(but_channels)}
        documents = await self._deliveries.find(EVERY_TENANT, where, sort=[("next_attempt_at", 1)], limit=limit)
        found = readable(documents, Delivery)
        if len(found) < len(documents):
            await self.wait({one["_id"] for one in documents} - {one.id for one in found}, now + UNREADABLE_FOR, now)
        return found

    async def wait(self, delivery_ids: Collection[str], until: datetime, now: datetime) -> None:
        """Nobody looks at these before then, as far as they are still due."""
        where = {"_id": {"$in": sorted(delivery_ids)}, "next_attempt_at": {"$lte": now}}
        await self._deliveries.update(EVERY_TENANT, where, {"$set": {"next_attempt_at": until}})

    async def lanes_due(self, now: datetime) -> set[int]:
        where = {"next_attempt_at": {"$gt": _LONG_AGO, "$lte": now}, "status": _ON_THE_WAY}
        rows = await self._deliveries.aggregate(EVERY_TENANT, where, [{"$group": {"_id": "$lane"}}])
        return {row["_id"] for row in rows}

    async def claim(self, delivery_ids: Collection[str], lease: str, now: datetime) -> list[Delivery]:
        """Those of the deliveries that are due and were not taken by another meanwhile, each with one more try: they are for
        `lease` alone until it ends."""
        return await self._claim(delivery_ids, lease, now, {"status": _ON_THE_WAY, "next_attempt_at": {"$lte": now}})

    async def claim_in_turn(
        self, delivery_ids: Collection[str], by_themselves: Collection[str], lease: str, now: datetime
    ) -> list[Delivery]:
        """The same for deliveries that were due when they were looked at, for whoever has their recipient's turn: that others put
        them off since, because the turn was taken, takes nothing away. Some are to go by themselves from now on, whoever takes them:
        were they sent twice, and the second time in a bundle, they would have another key."""
        put_off = {"status": DeliveryStatus.PENDING.value, "next_attempt_at": {"$gt": _LONG_AGO}}
        free = {"$or": [{"status": _ON_THE_WAY, "next_attempt_at": {"$lte": now}}, put_off]}
        apart = {"$or": ["$by_itself", {"$in": ["$_id", sorted(by_themselves)]}]}
        return await self._claim([*delivery_ids, *by_themselves], lease, now, free, {"by_itself": apart})

    async def _claim(
        self, delivery_ids: Collection[str], lease: str, now: datetime, free: Document, more: Document = _NOTHING
    ) -> list[Delivery]:
        those = {"_id": {"$in": sorted(delivery_ids)}}
        taken = {"status": DeliveryStatus.SENDING.value, "lease": lease, "next_attempt_at": now + LEASE}
        change = [{"$set": {**taken, "attempts": {"$add": ["$attempts", 1]}, **more}}]
        if not await self._deliveries.update(EVERY_TENANT, {**those, **free}, change):
            return []
        return await self._found(EVERY_TENANT, {**those, "lease": lease})

    async def settle(self, deliveries: Sequence[Delivery], leases: Sequence[str]) -> int:
        """Writes what became of tries, each under the lease that it was taken with; what another has by now is left alone. A bundle
        that was broken up meanwhile stays so."""
        changes = [
            ({"_id": one.id, "lease": lease}, {"$set": _but_whole(_body(one))})
            for one, lease in zip(deliveries, leases, strict=True)
        ]
        return await self._deliveries.update_each(EVERY_TENANT, changes)

    async def put_off(self, until: datetime, recipients: Collection[Delivery], now: datetime) -> None:
        """Whatever is due for the recipients of these is looked at again at this time; what was taken meanwhile is left alone."""
        groups: dict[tuple[str, str], list[Delivery]] = {}
        for one in recipients:
            # Whoever has no address of their own is the channel: many channels of a tenant are one update.
            groups.setdefault((one.tenant_id, one.channel_id if one.address else ""), []).append(one)
        for group in groups.values():
            # PENDING also where a lease ran out: later is when it is due, and not when another may take it.
            later = {"status": DeliveryStatus.PENDING.value, "next_attempt_at": until}
            await self._deliveries.update(EVERY_TENANT, {**_to(group), **_due_first(now)}, {"$set": later})

    async def of_recipients(self, recipients: Sequence[Delivery], now: datetime, limit: int) -> list[Delivery]:
        """What is due for the first time for the recipients of these, in the order of the record: `limit` of each at most. Where
        that is a lot, some recipients are left for the next time, when those before them are looked after."""
        order = [("seq", 1), ("_id", 1)]
        found = await self._found(EVERY_TENANT, {**_to(recipients), **_due_first(now)}, sort=order, limit=limit)
        if len(found) == limit:
            found = []
            for one in recipients:
                if len(found) < limit:
                    found += await self._found(EVERY_TENANT, {**_to([one]), **_due_first(now)}, sort=order, limit=limit)
        # Of several channels with several addresses each, not every pair was asked for.
        asked = {(one.tenant_id, one.channel_id, one.address) for one in recipients}
        return [one for one in found if (one.tenant_id, one.channel_id, one.address) in asked]

    async def still_under(self, lease: str, delivery_ids: Collection[str], session: Session) -> set[str]:
        """Those that nobody took since."""
        where = {"_id": {"$in": sorted(delivery_ids)}, "lease": lease}
        return {one["_id"] for one in await self._deliveries.find(EVERY_TENANT, where, session=session, projection={"_id": 1})}

    async def behind(self, deliveries: Sequence[Delivery], session: Session) -> list[Delivery]:
        """What waits for its turn in the lines of these, in the order of the record."""
        where = {
            "tenant_id": {"$in": sorted({one.tenant_id for one in deliveries})},
            "alert_id": {"$in": sorted({one.alert_id or "" for one in deliveries})},
            "status": DeliveryStatus.PENDING.value,
            "next_attempt_at": None,
            "bundle_id": None,
        }
        return await self._found(EVERY_TENANT, where, sort=[("seq", 1), ("_id", 1)], session=session)

    async def freeze(self, bundle_id: str, taken: Collection[str], behind: Collection[str], session: Session) -> None:
        """Puts what was taken, which was no try of its own, and what waits behind it into a bundle, whose way they go from now on."""
        frozen = {"status": DeliveryStatus.PENDING.value, "bundle_id": bundle_id, "lease": None, "next_attempt_at": None}
        those = {"_id": {"$in": sorted(taken)}}
        await self._deliveries.update(EVERY_TENANT, those, {"$set": frozen, "$inc": {"attempts": -1}}, session=session)
        if behind:
            await self._deliveries.update(EVERY_TENANT, {"_id": {"$in": sorted(behind)}}, {"$set": frozen}, session=session)

    async def members(self, bundle_ids: Collection[str]) -> tuple[dict[str, list[Delivery]], set[str]]:
        """What is in bundles and has not come to its end, by the bundle's id; and the bundles of which this version cannot read all."""
        where = {"bundle_id": {"$in": sorted(bundle_ids)}, "status": _ON_THE_WAY}
        documents = await self._deliveries.find(EVERY_TENANT, where, sort=[("seq", 1), ("_id", 1)])
        found: dict[str, list[Delivery]] = {}
        for one in readable(documents, Delivery):
            found.setdefault(one.bundle_id or "", []).append(one)
        there = Counter(document["bundle_id"] for document in documents)
        return found, {bundle_id for bundle_id, count in there.items() if len(found.get(bundle_id, ())) < count}

    async def given_up_in(self, bundle: Delivery, session: Session) -> tuple[list[Delivery], bool]:
        """What was given up with a bundle, and whether this version can read all of it."""
        where = {"bundle_id": bundle.id, "status": {"$in": [DeliveryStatus.DEAD.value, DeliveryStatus.FAILED.value]}}
        order = [("seq", 1), ("_id", 1)]
        documents = await self._deliveries.find(only(bundle.tenant_id), where, session=session, sort=order)
        found = readable(documents, Delivery)
        return found, len(found) == len(documents)

    async def get(self, scope: Scope, delivery_id: str, session: Session | None = None) -> Delivery | None:
        document = await self._deliveries.find_one(scope, {"_id": delivery_id}, session=session)
        return None if document is None else from_document(document, Delivery)

    async def get_many(self, delivery_ids: Collection[str], session: Session | None = None) -> dict[str, Delivery]:
        found = await self._found(EVERY_TENANT, {"_id": {"$in": sorted(delivery_ids)}}, session=session)
        return {one.id: one for one in found}

    async def of_alerts(
        self, scope: Scope, alert_ids: Collection[str], session: Session | None = None
    ) -> dict[str, list[Delivery]]:
        """The deliveries of each alert, oldest first."""
        found: dict[str, list[Delivery]] = {}
        where = {"alert_id": {"$in": sorted(alert_ids)}}
        for one in await self._found(scope, where, sort=[("seq", 1), ("_id", 1)], session=session):
            found.setdefault(one.alert_id or "", []).append(one)
        return found

    async def of_lines(
        self, deliveries: Collection[Delivery], other_channels: Collection[str], session: Session | None = None
    ) -> list[Delivery]:
        """These deliveries of alerts with all others of their lines, and of the same alerts to these other channels; oldest first."""
        where = {
            "tenant_id": {"$in": sorted({one.tenant_id for one in deliveries})},
            "alert_id": {"$in": sorted({one.alert_id for one in deliveries if one.alert_id is not None})},
            "channel_id": {"$in": sorted({one.channel_id for one in deliveries} | set(other_channels))},
        }
        return await self._found(EVERY_TENANT, where, sort=[("seq", 1), ("_id", 1)], session=session)

    async def beside(self, deliveries: Collection[Delivery]) -> list[Telling]:
        """Whatever tells somebody of the same events as these, and what their channels have called earlier messages; oldest first."""
        where = {
            "tenant_id": {"$in": sorted({one.tenant_id for one in deliveries})},
            "alert_id": {"$in": sorted({one.alert_id for one in deliveries if one.alert_id is not None})},
            "$or": [
                {"seq": {"$in": sorted({one.seq for one in deliveries})}},
                {"channel_id": {"$in": sorted({one.channel_id for one in deliveries})}, "receipt": {"$gt": ""}},
            ],
        }
        order = [("seq", 1), ("_id", 1)]
        return [
            from_document(one, Telling)
            for one in await self._deliveries.find(EVERY_TENANT, where, sort=order, projection=_TELLING)
        ]

    async def page(self, scope: Scope, alert_id: str | None, status: Collection[DeliveryStatus], limit: int) -> list[Delivery]:
        """The newest first."""
        where: Document = (
            {} if alert_id is None else {"$or": [{"alert_id": alert_id}, {"alert_ids": alert_id, "bundling": {"$gt": ""}}]}
        )
        if status:
            where["status"] = {"$in": sorted(one.value for one in status)}
        return await self._found(scope, where, sort=[("created_at", -1), ("_id", -1)], limit=limit)

    async def _found(self, scope: Scope, where: Document, **options: Any) -> list[Delivery]:
        return readable(await self._deliveries.find(scope, where, **options), Delivery)


def _body(delivery: Delivery) -> Document:
    document = to_document(delivery)
    del document["_id"]
    return document


def _but_whole(body: Document) -> Document:
    return body if body["broken_up"] else {name: value for name, value in body.items() if name != "broken_up"}


def _to(recipients: Sequence[Delivery]) -> Document:
    """Whatever goes to one of these tenants, channels and addresses: an $or of the recipients takes seconds to plan."""
    return {
        "tenant_id": {"$in": sorted({one.tenant_id for one in recipients})},
        "channel_id": {"$in": sorted({one.channel_id for one in recipients})},
        "address": {"$in": sorted({one.address for one in recipients})},
    }


def _due_first(now: datetime) -> Document:
    """What is due and goes with what else its recipient is to hear: neither a test nor a bundle, and not tried before."""
    return {
        "status": _ON_THE_WAY,
        "next_attempt_at": {"$gt": _LONG_AGO, "$lte": now},
        "error": None,
        "by_itself": {"$ne": True},
        "bundle_id": None,
        "bundling": None,
        "alert_id": {"$ne": None},
    }
