"""Parents and the alerts that are folded under them."""

from collections.abc import Collection, Sequence
from datetime import datetime

from app.domain.alert import Alert
from app.domain.fate import SOURCE, Group
from app.domain.parent import parent_key
from app.domain.subject import SubjectKind
from app.domain.tenant import Scope, only
from app.store.encoding import Document, from_document
from app.store.mongo import Mongo, Session

MOST_HELD = 10_000


class FoldStore:
    """`provider_alerts`, by what they are folded under."""

    def __init__(self, mongo: Mongo) -> None:
        self._alerts = mongo.tenant_collection("provider_alerts")

    async def held(self, scope: Scope, now: datetime) -> list[Alert]:
        """Live alerts whose telling still waits for the fate of their siblings, the oldest first."""
        where = {"telling_held_until": {"$gt": now}, "live": True, "parent_id": None}
        found = await self._alerts.find(scope, where, sort=[("first_seen", 1), ("_id", 1)], limit=MOST_HELD)
        return [from_document(document, Alert) for document in found]

    async def parents(self, scope: Scope, ended_after: datetime) -> list[Alert]:
        """Those that are live, and those that a person ended after that time."""
        found = await self._alerts.find(scope, {"source": SOURCE, **_live_or_ended_by_hand(ended_after)})
        return [from_document(document, Alert) for document in found]

    async def parent_ids_with_live_children(self, scope: Scope) -> list[str]:
        rows = await self._alerts.aggregate(scope, {"parent_id": {"$gt": ""}, "live": True}, [{"$group": {"_id": "$parent_id"}}])
        return [row["_id"] for row in rows]

    async def parent(self, rule_key: str, group: Group, ended_after: datetime, session: Session) -> Alert | None:
        """The live parent of a group, or one that a person ended after that time."""
        where = {"dedup_key": parent_key(rule_key, group), "source": SOURCE, **_live_or_ended_by_hand(ended_after)}
        found = await self._alerts.find(
            only(group.tenant_id), where, sort=[("live", -1), ("first_seen", -1)], limit=1, session=session
        )
        return from_document(found[0], Alert) if found else None

    async def foldable(self, rule_key: str, group: Group, since: datetime, limit: int, session: Session) -> list[Alert]:
        """Live alerts of a group that are not folded, and whose deadline was at `since` or later."""
        where: Document = {"live": True, "rule_key": rule_key, "parent_id": None, "first_seen": {"$gte": since}}
        device = {"subject_kind": SubjectKind.DEVICE.value}
        if group.kind is SubjectKind.STORE:
            gateway = {"subject_kind": SubjectKind.GATEWAY.value, "source": SOURCE}
            where |= {"store_id": group.id, "$or": [device, gateway]}
        else:
            field = "gatewayId" if group.kind is SubjectKind.GATEWAY else "appVersion"
            where |= {f"details.{field}": group.id, **device}
        found = await self._alerts.find(only(group.tenant_id), where, limit=limit, session=session)
        return [from_document(document, Alert) for document in found]

    async def live_children(self, parent: Alert, limit: int, session: Session) -> list[Alert]:
        where = {"parent_id": parent.id, "live": True}
        found = await self._alerts.find(only(parent.tenant_id), where, limit=limit, session=session)
        return [from_document(document, Alert) for document in found]

    async def children(self, scope: Scope, parent_ids: Sequence[str], limit: int) -> dict[str, list[Alert]]:
        """The newest `limit` children of each, newest first; who has none is left out."""
        newest = {
            "partitionBy": "$parent_id",
            "sortBy": {"first_seen": -1},
            "output": {"place": {"$documentNumber": {}}},
        }
        rows = await self._alerts.aggregate(
            scope,
            {"parent_id": {"$in": list(parent_ids)}},
            [{"$setWindowFields": newest}, {"$match": {"place": {"$lte": limit}}}, {"$sort": {"first_seen": -1, "_id": -1}}],
        )
        found: dict[str, list[Alert]] = {}
        for row in rows:
            found.setdefault(row["parent_id"], []).append(from_document(row, Alert))
        return found

    async def child_counts(self, scope: Scope, parent_ids: Collection[str]) -> dict[str, int]:
        group = {"$group": {"_id": "$parent_id", "count": {"$sum": 1}}}
        rows = await self._alerts.aggregate(scope, {"parent_id": {"$in": sorted(parent_ids)}}, [group])
        return {row["_id"]: row["count"] for row in rows}


def _live_or_ended_by_hand(ended_after: datetime) -> Document:
    return {"$or": [{"live": True}, {"resolved_by": {"$ne": None}, "resolved_at": {"$gt": ended_after}}]}
