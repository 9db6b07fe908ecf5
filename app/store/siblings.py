"""How the devices of a store, a gateway or a version stand: counted in the database, since there may be many."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.device import DeviceStatus
from app.domain.fate import Fallen, Group, Standing, Suspects
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, only
from app.store.encoding import Document
from app.store.mongo import Mongo, Session

_FIELDS = {SubjectKind.STORE: "store_id", SubjectKind.GATEWAY: "gateway_id", SubjectKind.VERSION: "app_version"}

Explained = Mapping[SubjectKind, Sequence[str]]
"""Groups whose fall has a parent already, by kind."""


class SiblingStore:
    """`devices`, by what they hang on."""

    def __init__(self, mongo: Mongo) -> None:
        self._devices = mongo.tenant_collection("devices")

    async def standing(
        self,
        group: Group,
        after_sec: int | None,
        gap_end: datetime,
        now: datetime,
        *,
        explained: Explained | None = None,
        session: Session | None = None,
    ) -> Standing:
        """Under a rule of `after_sec` (None: each device's own time). The same verdict as `domain.conditions.absence`."""
        where = {"tenant_id": group.tenant_id, _FIELDS[group.kind]: group.id, "retired_at": None, "last_seen": {"$ne": None}}
        stages = _stages(after_sec, gap_end, now, explained or {})
        return _read(await self._devices.aggregate(only(group.tenant_id), where, stages, session=session))

    async def count_due(self, lane: int, until: datetime, limit: int) -> int:
        """How many devices of a lane miss their deadline by then if they stay silent; no more than `limit` are counted."""
        where = {"lane": lane, "due_at": {"$lte": until}}
        return len(await self._devices.find(EVERY_TENANT, where, limit=limit, projection={"_id": 1}))


def _stages(after_sec: int | None, gap_end: datetime, now: datetime, explained: Explained) -> list[Document]:
    after = "$offline_after" if after_sec is None else after_sec
    # As `silent_since`: a gap of ours does not bring back who was missed before.
    missed_before = {"$and": [{"$eq": ["$missed", True]}, {"$eq": ["$judged_seen", "$last_seen"]}]}
    silent = {"$cond": [missed_before, "$last_seen", {"$max": ["$last_seen", gap_end]}]}
    known = {"$or": [{"$in": [f"${_FIELDS[kind]}", list(ids)]} for kind, ids in explained.items() if ids]}
    branches = [
        {"case": known if known["$or"] else False, "then": "explained"},
        {"case": {"$lte": ["$bound", now]}, "then": "fallen"},
        {"case": {"$lt": ["$half", now]}, "then": "suspect"},
    ]
    is_back = {"$cond": [{"$eq": ["$status", DeviceStatus.ONLINE.value]}, "$since", None]}
    place = {"$cond": [{"$in": ["$state", ["fallen", "suspect"]]}, "$store_id", None]}
    second = {"$cond": [{"$eq": ["$state", "fallen"]}, {"$dateTrunc": {"date": "$bound", "unit": "second"}}, None]}
    return [
        {"$set": {"silent": silent}},
        {
            "$set": {
                "bound": {"$add": ["$silent", {"$multiply": [after, 1000]}]},
                "half": {"$add": ["$silent", {"$multiply": [after, 500]}]},
            }
        },
        {"$set": {"state": {"$switch": {"branches": branches, "default": "well"}}}},
        {
            "$group": {
                "_id": {"state": "$state", "store": place, "second": second},
                "count": {"$sum": 1},
                "first": {"$min": "$bound"},
                "last": {"$max": "$bound"},
                "returned": {"$max": is_back},
            }
        },
    ]


def _read(rows: Sequence[Mapping[str, Any]]) -> Standing:
    def of(state: str) -> list[Mapping[str, Any]]:
        return [row for row in rows if row["_id"]["state"] == state]

    return Standing(
        total=sum(row["count"] for row in rows),
        fallen=tuple(Fallen(row["first"], row["last"], row["count"], row["_id"].get("store")) for row in of("fallen")),
        suspects=tuple(Suspects(row["last"], row["count"], row["_id"].get("store")) for row in of("suspect")),
        returned_at=max((row["returned"] for row in rows if row["returned"] is not None), default=None),
    )
