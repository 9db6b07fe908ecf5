"""The hot side of `devices`: who was seen, who is due, who went and who came back."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.domain.device import Device, DeviceStatus
from app.domain.rule import RuleScope
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document
from app.store.mongo import Mongo, Session

_PROFILE = {
    "tenant_id": 1,
    "device_id": 1,
    "status": 1,
    "since": 1,
    "offline_after": 1,
    "wake_after": 1,
    "store_id": 1,
    "name": 1,
    "hostname": 1,
    "kind": 1,
    "app_version": 1,
    "services_health": 1,
    "clock_skew_sec": 1,
    "missed": 1,
}


NOTED_WITHIN = timedelta(seconds=3)
"""After a beat was acknowledged: at once, or, of a device that beats more than once in two seconds, soon."""

_ENOUGH = 0.75
"""The share of `wake_after` that is enough to leave `due_at` where it is. Whoever beats at least twice in its time is then never due
within half of it: there those are looked for who are silent, and who beats must not be among them."""


class SeenDevice(msgspec.Struct, frozen=True, kw_only=True):
    """What the intake reads of a device while it notes that it was seen."""

    id: str
    tenant_id: str
    device_id: str
    status: DeviceStatus
    since: datetime
    offline_after: int
    wake_after: int
    store_id: str | None = None
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None
    app_version: str | None = None
    services_health: str = "healthy"
    missed: bool = False
    clock_skew_sec: float | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at a device decided: its status from `since` on, and the next look.

    `missed`: it is offline, or a rule misses it; then its next beat is news at once.
    """

    device_key: str
    status: DeviceStatus
    since: datetime
    due_at: datetime | None
    last_seen: datetime | None
    missed: bool
    changed: bool


class ConnectivityStore:
    """`devices`, by their silence."""

    def __init__(self, mongo: Mongo) -> None:
        self._devices = mongo.tenant_collection("devices")

    async def saw(self, device_keys: Sequence[str], now: datetime) -> None:
        """Notes a beat of each at `now`. Idempotent; an older batch never overtakes a newer one.

        A first beat makes a device ONLINE. OFFLINE stays: that end is for the sweep alone to settle, with its alerts.
        """
        first = {"$eq": ["$status", DeviceStatus.UNKNOWN.value]}
        change: Document = {
            "$set": {
                "last_seen": now,
                "due_at": _due_after_beat(now),
                "status": {"$cond": [first, DeviceStatus.ONLINE.value, "$status"]},
                "since": {"$cond": [first, now, "$since"]},
                "changed_at": {"$cond": [first, now, "$changed_at"]},
                "first_seen": {"$cond": [first, now, "$first_seen"]},
            }
        }
        where = {"_id": {"$in": list(device_keys)}, "retired_at": None, "$or": [{"last_seen": None}, {"last_seen": {"$lt": now}}]}
        await self._devices.update(EVERY_TENANT, where, [change])

    async def saw_again(self, seen: Sequence[tuple[datetime, Sequence[str]]]) -> None:
        """As `saw`, of devices that have beaten before: keys of those that were seen at each time."""
        changes = [
            (
                {"_id": {"$in": list(device_keys)}, "retired_at": None, "last_seen": {"$lt": at}},
                [{"$set": {"last_seen": at, "due_at": _due_after_beat(at)}}],
            )
            for at, device_keys in seen
        ]
        await self._devices.update_groups(EVERY_TENANT, changes)

    async def profiles(self, device_keys: Sequence[str]) -> dict[str, SeenDevice]:
        found = await self._devices.find(EVERY_TENANT, {"_id": {"$in": list(device_keys)}}, projection=_PROFILE)
        return {document["_id"]: from_document(document, SeenDevice) for document in found}

    async def note_profiles(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """What beats say of their devices, where it is news: device key -> fields."""
        await self._devices.update_each(EVERY_TENANT, [({"_id": key}, {"$set": dict(fields)}) for key, fields in changes.items()])

    async def known(self, device_keys: Sequence[str]) -> set[str]:
        """Which of these exist and were not retired."""
        where = {"_id": {"$in": list(device_keys)}, "retired_at": None}
        return {document["_id"] for document in await self._devices.find(EVERY_TENANT, where, projection={"_id": 1})}

    async def lanes_with_work(self, now: datetime) -> set[int]:
        """Lanes in which a device is due, or is back and not yet settled."""
        due = await self._devices.aggregate(
            EVERY_TENANT, {"due_at": {"$lte": now}, "lane": {"$gte": 0}}, [{"$group": {"_id": "$lane"}}]
        )
        back = await self._devices.aggregate(
            EVERY_TENANT, {"lane": {"$gte": 0}, **_heard_of_again(now)}, [{"$group": {"_id": "$lane"}}]
        )
        return {row["_id"] for row in (*due, *back)}

    async def due(self, lane: int, now: datetime, limit: int) -> list[str]:
        """Device keys whose time has come, the longest due first."""
        where = {"lane": lane, "due_at": {"$lte": now}}
        found = await self._devices.find(EVERY_TENANT, where, sort=[("due_at", 1)], limit=limit, projection={"_id": 1})
        return [document["_id"] for document in found]

    async def back(self, lane: int, now: datetime, limit: int) -> list[str]:
        """Device keys that were missed and have been heard of since: also what a crash left behind."""
        where = {"lane": lane, **_heard_of_again(now)}
        found = await self._devices.find(EVERY_TENANT, where, limit=limit, projection={"_id": 1})
        return [document["_id"] for document in found]

    async def get_many(self, device_keys: Sequence[str], session: Session | None = None) -> dict[str, Device]:
        found = await self._devices.find(EVERY_TENANT, {"_id": {"$in": list(device_keys)}}, session=session)
        return {document["_id"]: from_document(document, Device) for document in found}

    async def heard_since(self, scope: Scope, since: datetime) -> list[Device]:
        """Devices that beat since then and were not retired, by id."""
        where = {"last_seen": {"$gte": since}, "retired_at": None}
        found = await self._devices.find(scope, where, sort=[("device_id", 1)])
        return [from_document(document, Device) for document in found]

    async def settle(self, settlements: Sequence[Settlement], now: datetime, session: Session) -> None:
        """Writes what was decided in the same transaction that read the devices: a beat in between aborts it."""
        changes: list[tuple[Document, Any]] = []
        for one in settlements:
            fields: Document = {"due_at": one.due_at, "judged_seen": one.last_seen, "missed": one.missed}
            if one.changed:
                fields |= {"status": one.status.value, "since": one.since, "changed_at": now}
            changes.append(({"_id": one.device_key}, {"$set": fields}))
        await self._devices.update_each(EVERY_TENANT, changes, session=session)

    async def changed_since(self, scope: Scope, since: datetime) -> list[Device]:
        found = await self._devices.find(scope, {"changed_at": {"$gte": since}}, sort=[("changed_at", 1)])
        return [from_document(document, Device) for document in found]

    async def reset_wake_ups(self, scope: Scope, tenant_id: str, offline_after: int) -> None:
        """The effective offline time of a tenant's devices, as a first bound for their next look."""
        effective = {"$ifNull": ["$own_offline_after", offline_after]}
        where = {"tenant_id": tenant_id, "retired_at": None}
        await self._devices.update(scope, where, [{"$set": {"offline_after": effective, "wake_after": effective}}])

    async def shorten_wake_ups(self, scope: Scope, tenant_id: str, rule_scope: RuleScope, after_sec: int) -> None:
        """An absence rule that wants a look earlier than that, at the devices in its scope."""
        where: dict[str, Any] = {"tenant_id": tenant_id, "retired_at": None}
        lists = (
            ("device_id", rule_scope.device_ids),
            ("store_id", rule_scope.store_ids),
            ("kind", rule_scope.kinds),
            ("tags", rule_scope.tags),
        )
        where |= {field: {"$in": list(values)} for field, values in lists if values}
        await self._devices.update(scope, where, [{"$set": {"wake_after": {"$min": ["$wake_after", after_sec]}}}])

    async def wake(self, scope: Scope, tenant_id: str, now: datetime) -> None:
        """Makes every device of a tenant due by its new bound; the sweep then finds the true next look of each."""
        await self._devices.update(scope, {"tenant_id": tenant_id, "retired_at": None, "last_seen": {"$ne": None}}, [_awake(now)])

    async def set_wake_up(self, scope: Scope, device_key: str, wake_after: int, now: datetime) -> None:
        """A device's own bound for its next look, which makes it due by that."""
        await self._devices.update(scope, {"_id": device_key}, {"$set": {"wake_after": wake_after}})
        await self._devices.update(scope, {"_id": device_key, "retired_at": None, "last_seen": {"$ne": None}}, [_awake(now)])


def _heard_of_again(now: datetime) -> Document:
    # Against the beat that was judged, not against a time: a beat that came before the deadline may be stored after it.
    return {
        "missed": True,
        "due_at": {"$gt": now},
        "$expr": {"$ne": ["$last_seen", "$judged_seen"]},
    }


def _due_after_beat(now: datetime) -> Document:
    """Never later than the bound. A time that moves with every beat moves in the indexes with every beat, which costs mongod
    as much as the rest of the update; a look that comes early finds the true one."""
    bound, enough = ({"$add": [now, {"$multiply": ["$wake_after", share * 1000]}]} for share in (1, _ENOUGH))
    stays = {"$and": [{"$gte": ["$due_at", enough]}, {"$lte": ["$due_at", bound]}]}
    return {"$cond": [stays, "$due_at", bound]}


def _awake(now: datetime) -> Document:
    # A device that is online may have beaten since, and be noted only a moment later: nobody is judged by that.
    # A device that is offline already may have a later rule's look before it; a bound in the past just means: look now.
    bound = {"$add": ["$last_seen", {"$multiply": ["$wake_after", 1000]}]}
    earlier = {"$min": [{"$ifNull": ["$due_at", bound]}, bound]}
    online = {"$eq": ["$status", DeviceStatus.ONLINE.value]}
    return {"$set": {"due_at": {"$cond": [online, {"$max": [bound, now + NOTED_WITHIN]}, earlier]}}}
