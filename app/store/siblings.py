"""How the devices of a store, a gateway or a version stand: counted in the database, since there may be many."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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
        found = await self.standings([group], after_sec, gap_end, now, explained=explained, session=session)
        return found[group]

    async def standings(
        self,
        groups: Sequence[Group],
        after_sec: int | None,
        gap_end: datetime,
        now: datetime,
        *,
        explained: Explained | None = None,
        session: Session | None = None,
    ) -> dict[Group, Standing]:
        """The same for several groups of one tenant and kind, in one read."""
        tenant_id, field = groups[0].tenant_id, _FIELDS[groups[0].kind]
        where = {**_heard_of(tenant_id), field: {"$in": [group.id for group in groups]}}
        stages = _stages(field, after_sec, gap_end, now, explained or {})
        rows: dict[str, list[Document]] = {}
        for row in await self._devices.aggregate(only(tenant_id), where, stages, session=session):
            rows.setdefault(row["_id"]["group"], []).append(row)
        return {group: _read(rows.get(group.id, ())) for group in groups}

    async def silent(self, lane: int, after_sec: int | None, until: datetime, now: datetime) -> Counter[Group]:
        """How many devices of each group of a lane are silent for over half of their time: at least as many as have fallen or
        are suspect. Who is neither missed nor due by `until` is passed over.

        It reads who is silent, not who is there.
        """
        shown = {"tenant": "$tenant_id", **{kind.value: f"${field}" for kind, field in _FIELDS.items()}}
        stages = [{"$group": {"_id": shown, "count": {"$sum": 1}}}]
        due = {"lane": lane, "due_at": {"$lte": until}, "retired_at": None, **_silent(after_sec, now)}
        others = {"lane": lane, "missed": True, "retired_at": None, "$nor": [{"due_at": {"$lte": until}}]}
        # Each along its own index, whatever the planner would make of both together.
        rows = await self._devices.aggregate(EVERY_TENANT, due, stages, hint="due")
        rows += await self._devices.aggregate(EVERY_TENANT, others, stages, hint="missed")
        found: Counter[Group] = Counter()
        for row in rows:
            of = row["_id"]
            found.update({Group(of["tenant"], kind, of[kind.value]): row["count"] for kind in _FIELDS if of.get(kind.value)})
        return found

    async def count_well(self, group: Group, after_sec: int | None, now: datetime, limit: int) -> int:
        """How many devices of a group are surely neither fallen nor suspect; no more than `limit` are counted."""
        well = {"$nor": [_silent(after_sec, now)]}
        where = {**_heard_of(group.tenant_id), _FIELDS[group.kind]: group.id, **well}
        return len(await self._devices.find(only(group.tenant_id), where, limit=limit, projection={"_id": 1}))


def _heard_of(tenant_id: str) -> Document:
    return {"tenant_id": tenant_id, "retired_at": None, "last_seen": {"$ne": None}}


def _silent(after_sec: int | None, now: datetime) -> Document:
    """Nothing was heard for over half of the time; with a gap of ours it may be silent for less than that."""
    if after_sec is not None:
        return {"last_seen": {"$lt": now - timedelta(seconds=after_sec / 2)}}
    half = {"$multiply": ["$offline_after", 500]}
    return {"$expr": {"$lt": ["$last_seen", {"$subtract": [now, half]}]}}


def _stages(field: str, after_sec: int | None, gap_end: datetime, now: datetime, explained: Explained) -> list[Document]:
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
                "_id": {"group": f"${field}", "state": "$state", "store": place, "second": second},
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
