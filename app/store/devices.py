"""Devices as people administer and list them; `connectivity` is their hot side."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.alert import Severity
from app.domain.beat import HealthStatus
from app.domain.device import Device, DeviceStatus, DeviceToken, TokenHolder
from app.domain.device_filter import DeviceFilter
from app.domain.health import DEGRADED_SEVERITIES, UNHEALTHY_SEVERITIES
from app.domain.ids import device_key
from app.domain.search import literal
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, is_duplicate

Troubled = Mapping[str, set[Severity]]
"""Device key -> severities of its live alerts, for devices that have any."""

MOST_OLD_TOKENS = 7
"""Tokens of a device that hold beside its newest one."""


_SIGNING_IN = dict.fromkeys(TokenHolder.__struct_fields__[1:], 1)


class DeviceStore:
    """`devices`."""

    def __init__(self, mongo: Mongo) -> None:
        self._devices = mongo.tenant_collection("devices")

    async def get(self, scope: Scope, tenant_id: str, device_id: str) -> Device | None:
        return (await self.get_many(scope, [device_key(tenant_id, device_id)])).get(device_key(tenant_id, device_id))

    async def get_many(self, scope: Scope, device_keys: Iterable[str]) -> dict[str, Device]:
        found = await self._devices.find(scope, {"_id": {"$in": sorted(set(device_keys))}})
        return {document["_id"]: from_document(document, Device) for document in found}

    async def named(self, scope: Scope, device_id: str) -> list[Device]:
        """The devices of this id, one a tenant."""
        return [
            from_document(document, Device) for document in await self._devices.find(scope, {"device_id": device_id}, limit=2)
        ]

    async def by_token_ids(self, token_ids: Collection[str]) -> dict[str, TokenHolder]:
        """Whose tokens these are, whatever tenants they are of: this is how a token finds out."""
        where = {"tokens.id": {"$in": sorted(set(token_ids))}}
        found = await self._devices.find(EVERY_TENANT, where, projection=_SIGNING_IN)
        holders = [from_document(document, TokenHolder) for document in found]
        return {token.id: holder for holder in holders for token in holder.tokens}

    async def insert(self, device: Device) -> bool:
        """False where the tenant has a device of this id already, which stays as it is."""
        try:
            await self._devices.insert(only(device.tenant_id), [to_document(device)])
        except Exception as error:
            if is_duplicate(error):
                return False
            raise
        return True

    async def change(self, scope: Scope, key: str, fields: Mapping[str, Any]) -> Device | None:
        """Sets these fields alone; the device as it then is."""
        document = await self._devices.take(scope, {"_id": key, "retired_at": None}, {"$set": dict(fields)})
        return None if document is None else from_document(document, Device)

    async def add_token(self, scope: Scope, key: str, token: DeviceToken, old_ends_at: datetime) -> Device | None:
        """A new token beside those that still hold, which end at `old_ends_at` or when they would have."""
        holds = {"$gt": [{"$ifNull": ["$$this.expires_at", old_ends_at]}, token.created_at]}
        holding = {"$filter": {"input": {"$ifNull": ["$tokens", []]}, "cond": holds}}
        ending = {
            "$map": {
                "input": {"$slice": [holding, -MOST_OLD_TOKENS]},
                "in": {"$mergeObjects": ["$$this", {"expires_at": {"$min": [old_ends_at, "$$this.expires_at"]}}]},
            }
        }
        change = [{"$set": {"tokens": {"$concatArrays": [ending, [to_token(token)]]}}}]
        document = await self._devices.take(scope, {"_id": key, "retired_at": None}, change)
        return None if document is None else from_document(document, Device)

    async def retire(self, scope: Scope, key: str, now: datetime) -> Device | None:
        """Ends its tokens at once and takes it out of every sweep."""
        change = {"$set": {"retired_at": now, "tokens": [], "due_at": None, "changed_at": now}}
        document = await self._devices.take(scope, {"_id": key, "retired_at": None}, change)
        return None if document is None else from_document(document, Device)

    async def bring_back(self, device: Device) -> bool:
        """Puts a new device in the place of one that was retired under its id."""
        document = to_document(device)
        key = document.pop("_id")
        where = {"_id": key, "retired_at": {"$ne": None}}
        # Literal, or what people write with a $ in front would be taken for a field's name.
        anew = [{"$replaceWith": {"$literal": {"_id": key, **document}}}]
        return await self._devices.take(only(device.tenant_id), where, anew) is not None

    async def count_present(self, tenant_id: str) -> int:
        """How many of a tenant's devices were not retired."""
        return await self._present(only(tenant_id))

    async def page(
        self, scope: Scope, chosen: DeviceFilter, troubled: Troubled, after: tuple[str, str] | None, limit: int
    ) -> list[Device]:
        """By device id, then tenant, behind `after` (device id, tenant id)."""
        where = _where(chosen, troubled)
        if after is not None:
            device_id, tenant_id = after
            further = [{"device_id": {"$gt": device_id}}, {"tenant_id": {"$gt": tenant_id}}]
            # Bounded by itself, so that an index begins there and not at the first device.
            where = {"$and": [where, {"device_id": {"$gte": device_id}}, {"$or": further}]}
        found = await self._devices.find(scope, where, sort=[("device_id", 1), ("tenant_id", 1)], limit=limit)
        return [from_document(document, Device) for document in found]

    async def count(self, scope: Scope, chosen: DeviceFilter, troubled: Troubled) -> int:
        return await self._devices.count(scope, _where(chosen, troubled))

    async def counts(self, scope: Scope) -> dict[tuple[DeviceStatus, bool], int]:
        """How many devices there are by (status, whether their own services are well).

        Of all devices only the keys of an index are counted, and only those are read that are not online and well.
        """
        offline = {"status": {"$in": [DeviceStatus.OFFLINE.value, DeviceStatus.UNKNOWN.value]}}
        unwell = {"status": DeviceStatus.ONLINE.value, "services_health": {"$nin": [HealthStatus.HEALTHY.value, None]}}
        present, *rows = await asyncio.gather(self._present(scope), self._census(scope, offline), self._census(scope, unwell))
        found = {(DeviceStatus(row["_id"]["status"]), row["_id"]["well"]): row["count"] for some in rows for row in some}
        rest = present - sum(found.values())
        return {**found, (DeviceStatus.ONLINE, True): rest} if rest > 0 else found

    async def _present(self, scope: Scope) -> int:
        # A range of one tenant, or of all, is counted without reading a document; a range of several is not.
        each = [scope] if scope.tenant_ids is None else [only(tenant_id) for tenant_id in sorted(scope.tenant_ids)]
        return sum(await asyncio.gather(*(self._devices.count(one, {"retired_at": None}, hint="census") for one in each)))

    async def _census(self, scope: Scope, where: Document) -> list[Document]:
        well = {"$eq": [{"$ifNull": ["$services_health", HealthStatus.HEALTHY.value]}, HealthStatus.HEALTHY.value]}
        group = {"$group": {"_id": {"status": "$status", "well": well}, "count": {"$sum": 1}}}
        return await self._devices.aggregate(scope, {"retired_at": None, **where}, [group], hint="census")

    async def of_kind(self, scope: Scope, kind: str, limit: int) -> list[Device]:
        """For kinds of which there are few: all of the scope are looked at."""
        where = {"kind": kind, "retired_at": None}
        found = await self._devices.find(scope, where, sort=[("device_id", 1)], limit=limit, hint="by_kind")
        return [from_document(document, Device) for document in found]

    async def choose(self, scope: Scope, where_ids: Sequence[str], store_ids: Sequence[str], limit: int) -> list[Device]:
        """The devices of these ids and stores (empty: of any), for a snapshot."""
        where: Document = {"retired_at": None}
        where |= {"device_id": {"$in": list(where_ids)}} if where_ids else {}
        where |= {"store_id": {"$in": list(store_ids)}} if store_ids else {}
        found = await self._devices.find(scope, where, sort=[("device_id", 1)], limit=limit)
        return [from_document(document, Device) for document in found]


def to_token(token: DeviceToken) -> Document:
    return {"id": token.id, "token_hash": token.token_hash, "created_at": token.created_at, "expires_at": token.expires_at}


def _where(chosen: DeviceFilter, troubled: Troubled) -> Document:
    clauses: list[Document] = [] if chosen.include_retired else [{"retired_at": None}]
    for field, values in (
        ("store_id", chosen.store_ids),
        ("kind", chosen.kinds),
        ("tags", chosen.tags),
        ("app_version", chosen.app_versions),
        ("status", [status.value for status in chosen.status]),
    ):
        if values:
            clauses.append({field: {"$in": list(values)}})
    if chosen.search:
        sought = {"$regex": literal(chosen.search)}
        clauses.append({"$or": [{"device_id": sought}, {"name": sought}, {"hostname": sought}]})
    if chosen.health:
        clauses.append({"$or": [_of_health(health, troubled) for health in chosen.health]})
    return {"$and": clauses} if clauses else {}


def _of_health(health: HealthStatus, troubled: Troubled) -> Document:
    """The same verdict as `domain.health.device_health`, as a filter; live alerts are few beside a fleet."""
    bad = [key for key, severities in troubled.items() if severities & UNHEALTHY_SEVERITIES]
    worse = [key for key, severities in troubled.items() if severities & DEGRADED_SEVERITIES]
    unwell = {"services_health": {"$nin": [HealthStatus.HEALTHY.value, None]}}
    online: Document = {"status": DeviceStatus.ONLINE.value}
    if health is HealthStatus.UNKNOWN:
        return {"status": DeviceStatus.UNKNOWN.value}
    if health is HealthStatus.UNHEALTHY:
        return {"$or": [{"status": DeviceStatus.OFFLINE.value}, {**online, "_id": {"$in": bad}}]}
    if health is HealthStatus.DEGRADED:
        return {**online, "_id": {"$nin": bad}, "$or": [{"_id": {"$in": worse}}, unwell]}
    return {**online, "_id": {"$nin": [*bad, *worse]}, "$nor": [unwell]}
