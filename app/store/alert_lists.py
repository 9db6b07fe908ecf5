"""Alerts in pages, counts and facets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum

from app.domain.alert import Alert, AlertStatus, Severity
from app.domain.alert_filter import AlertFilter
from app.domain.search import literal
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document
from app.store.mongo import Mongo


class AlertOrder(Enum):
    NEWEST = "newest"
    OLDEST = "oldest"
    SEVERITY = "severity"


Place = Sequence[str | int]
"""What an alert is sorted by: [first_seen in ms, id], before it the rank of its severity in that order."""

_SORTS: dict[AlertOrder, list[tuple[str, int]]] = {
    AlertOrder.NEWEST: [("first_seen", -1), ("_id", -1)],
    AlertOrder.OLDEST: [("first_seen", 1), ("_id", 1)],
    AlertOrder.SEVERITY: [("severity_rank", 1), ("first_seen", -1), ("_id", -1)],
}
FACETS = {"status": "$status", "severity": "$severity", "rule": "$rule_key", "store": "$store_id", "tenant": "$tenant_id"}
MOST_IN_FACET = 100
MOST_AT_ONCE = 1_000


class AlertListStore:
    """`provider_alerts`, many at once."""

    def __init__(self, mongo: Mongo) -> None:
        self._alerts = mongo.tenant_collection("provider_alerts")

    async def page(self, scope: Scope, chosen: AlertFilter, order: AlertOrder, after: Place | None, limit: int) -> list[Alert]:
        """At most `limit` alerts behind a place."""
        where = alert_query(chosen)
        if after is not None:
            where = {"$and": [where, _behind(_SORTS[order], after)]}
        return [
            from_document(document, Alert) for document in await self._alerts.find(scope, where, sort=_SORTS[order], limit=limit)
        ]

    async def count(self, scope: Scope, chosen: AlertFilter) -> int:
        return await self._alerts.count(scope, alert_query(chosen))

    async def facets(self, scope: Scope, chosen: AlertFilter) -> dict[str, list[tuple[str, int]]]:
        """For each facet its values with their counts under the whole filter, the most frequent first."""
        stages = {
            name: [
                {"$match": {field.removeprefix("$"): {"$ne": None}}},
                {"$group": {"_id": field, "count": {"$sum": 1}}},
                {"$sort": {"count": -1, "_id": 1}},
                {"$limit": MOST_IN_FACET},
            ]
            for name, field in FACETS.items()
        }
        [row] = await self._alerts.aggregate(scope, alert_query(chosen), [{"$facet": stages}])
        return {name: [(entry["_id"], entry["count"]) for entry in row[name]] for name in FACETS}

    async def live_by_severity(self, scope: Scope) -> dict[Severity, int]:
        group = {"$group": {"_id": "$severity", "count": {"$sum": 1}}}
        rows = await self._alerts.aggregate(scope, {"live": True}, [group], hint="one_live")
        return {Severity(row["_id"]): row["count"] for row in rows}

    async def acknowledged_until(self, now: datetime) -> list[Alert]:
        """Acknowledged alerts whose time has come, over all tenants, at most `MOST_AT_ONCE`."""
        where = {"status": AlertStatus.ACKNOWLEDGED.value, "acknowledged_until": {"$lte": now}}
        found = await self._alerts.find(EVERY_TENANT, where, sort=[("acknowledged_until", 1)], limit=MOST_AT_ONCE)
        return [from_document(document, Alert) for document in found]


def alert_query(chosen: AlertFilter) -> Document:
    """The filter as MongoDB understands it; the same as `domain.alert_filter.matches`."""
    clauses: list[Document] = [
        {field: {"$in": list(values)}}
        for field, values in (
            ("status", [status.value for status in chosen.status]),
            ("severity", [severity.value for severity in chosen.severity]),
            ("rule_key", chosen.rule_keys),
            ("store_id", chosen.store_ids),
        )
        if values
    ]
    if chosen.device_ids:
        clauses.append({"subject_kind": SubjectKind.DEVICE.value, "subject_id": {"$in": list(chosen.device_ids)}})
    if not chosen.include_suppressed:
        clauses.append({"parent_id": None})
    if chosen.tenant_id is not None:
        clauses.append({"tenant_id": chosen.tenant_id})
    if chosen.assignee is not None:
        clauses.append({"assignee": chosen.assignee})
    bounds = {name: at for name, at in (("$gte", chosen.start), ("$lt", chosen.end)) if at is not None}
    if bounds:
        clauses.append({"first_seen": bounds})
    if chosen.search:
        sought = {"$regex": literal(chosen.search)}
        clauses.append({"$or": [{field: sought} for field in ("title", "message", "subject_id", "rule_key")]})
    return {"$and": clauses} if clauses else {}


def place_of(alert: Alert, order: AlertOrder) -> Place:
    milliseconds = round(alert.first_seen.timestamp() * 1000)
    return [alert.severity_rank, milliseconds, alert.id] if order is AlertOrder.SEVERITY else [milliseconds, alert.id]


def _behind(sort: Sequence[tuple[str, int]], place: Place) -> Document:
    """Everything that sorts after a place: equal in the fields before, further in one."""
    bounds = [
        datetime.fromtimestamp(int(value) / 1000, UTC) if field == "first_seen" else value
        for (field, _), value in zip(sort, place, strict=True)
    ]
    alternatives: list[Document] = []
    equal: Document = {}
    for (field, direction), bound in zip(sort, bounds, strict=True):
        alternatives.append({**equal, field: {_further(direction): bound}})
        equal[field] = bound
    leading, direction = sort[0]
    # Says nothing new, but lets an index begin at the place rather than at the newest alert.
    return {leading: {f"{_further(direction)}e": bounds[0]}, "$or": alternatives}


def _further(direction: int) -> str:
    return "$gt" if direction > 0 else "$lt"
