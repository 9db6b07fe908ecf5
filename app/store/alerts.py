"""Alerts as they are: found by id, by key and by device, and written with their record."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.domain.alert import Alert, Change, Severity
from app.domain.ids import device_key
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session


class LiveAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What a live alert of a rule is about."""

    id: str
    tenant_id: str
    rule_key: str
    subject_kind: SubjectKind
    subject_id: str
    title: str
    store_id: str | None = None


class AlertStore:
    """`provider_alerts`."""

    def __init__(self, mongo: Mongo) -> None:
        self._alerts = mongo.tenant_collection("provider_alerts")

    async def get(self, scope: Scope, alert_id: str, *, session: Session | None = None) -> Alert | None:
        return (await self.get_many(scope, [alert_id], session=session)).get(alert_id)

    async def get_many(self, scope: Scope, alert_ids: Sequence[str], *, session: Session | None = None) -> dict[str, Alert]:
        found = await self._alerts.find(scope, {"_id": {"$in": list(alert_ids)}}, session=session)
        return {document["_id"]: from_document(document, Alert) for document in found}

    async def live(
        self, scope: Scope, keys: Sequence[tuple[str, str]], *, session: Session | None = None
    ) -> dict[tuple[str, str], Alert]:
        """The live alerts among these (tenant, dedup key)."""
        if not keys:
            return {}
        where = {
            "tenant_id": {"$in": sorted({tenant_id for tenant_id, _ in keys})},
            "dedup_key": {"$in": sorted({key for _, key in keys})},
            "live": True,
        }
        found = [from_document(document, Alert) for document in await self._alerts.find(scope, where, session=session)]
        return {(alert.tenant_id, alert.dedup_key): alert for alert in found}

    async def live_of_devices(self, scope: Scope, device_keys: Sequence[str]) -> dict[str, list[Alert]]:
        """The live alerts of devices, newest first, by device key."""
        alerts: dict[str, list[Alert]] = {}
        for document in await self._alerts.find(scope, _on_devices(device_keys), sort=[("first_seen", -1)]):
            alert = from_document(document, Alert)
            alerts.setdefault(device_key(alert.tenant_id, alert.subject_id), []).append(alert)
        return alerts

    async def live_severities(self, scope: Scope, device_keys: Sequence[str]) -> dict[str, set[Severity]]:
        """What is live on devices, by device key."""
        severities: dict[str, set[Severity]] = {}
        projection = {"tenant_id": 1, "subject_id": 1, "severity": 1}
        for document in await self._alerts.find(scope, _on_devices(device_keys), projection=projection):
            key = device_key(document["tenant_id"], document["subject_id"])
            severities.setdefault(key, set()).add(Severity(document["severity"]))
        return severities

    async def severities_by_device(self, scope: Scope) -> dict[str, set[Severity]]:
        """What is live on any device of the scope, by device key."""
        group = {"$group": {"_id": {"tenant": "$tenant_id", "device": "$subject_id"}, "severities": {"$addToSet": "$severity"}}}
        # Over all tenants no other index begins with what is live, and every alert that ever was would be read.
        where = {"live": True, "subject_kind": SubjectKind.DEVICE.value}
        rows = await self._alerts.aggregate(scope, where, [group], hint="one_live")
        return {device_key(row["_id"]["tenant"], row["_id"]["device"]): set(map(Severity, row["severities"])) for row in rows}

    async def troubles(
        self, tenant_id: str, dedup_keys: Sequence[str], since: datetime
    ) -> dict[str, list[tuple[datetime, datetime]]]:
        """From when until when it was bad, for each alert of these keys that was seen since, by key."""
        where = {"dedup_key": {"$in": list(dedup_keys)}, "last_seen": {"$gte": since}}
        shown = {"dedup_key": 1, "first_seen": 1, "last_seen": 1}
        found: dict[str, list[tuple[datetime, datetime]]] = {}
        for row in await self._alerts.find(only(tenant_id), where, projection=shown):
            found.setdefault(row["dedup_key"], []).append((row["first_seen"], row["last_seen"]))
        return found

    async def outages(
        self, scope: Scope, device_ids: Sequence[str], rule_keys: Sequence[str], start: datetime, end: datetime
    ) -> list[Alert]:
        """Alerts of these rules on devices that were live at some time from `start` until before `end`, the oldest first."""
        where = {
            "subject_id": {"$in": sorted(set(device_ids))},
            "subject_kind": SubjectKind.DEVICE.value,
            "rule_key": {"$in": list(rule_keys)},
            "first_seen": {"$lt": end},
            "$or": [{"live": True}, {"resolved_at": {"$gt": start}}],
        }
        found = await self._alerts.find(scope, where, sort=[("first_seen", 1)])
        return [from_document(document, Alert) for document in found]

    async def live_subjects(self, scope: Scope) -> list[LiveAlert]:
        """Of whom rules have live alerts: one each."""
        shown = dict.fromkeys(("tenant_id", "rule_key", "subject_kind", "subject_id", "title", "store_id"), 1)
        found = await self._alerts.find(scope, {"live": True, "source": {"$in": ["rule", None]}}, projection=shown)
        return [from_document(document, LiveAlert) for document in found]

    async def tenants_with_live(self) -> set[str]:
        """The tenants that have a live alert, found by one step along the index for each that ever had any."""
        where = {"tenant_id": {"$gt": ""}, "live": True}
        rows = await self._alerts.aggregate(EVERY_TENANT, where, [{"$group": {"_id": "$tenant_id"}}], hint="live_subjects")
        return {row["_id"] for row in rows}

    async def live_of_rule(self, scope: Scope, rule_key: str) -> list[Alert]:
        found = await self._alerts.find(scope, {"rule_key": rule_key, "live": True})
        return [from_document(document, Alert) for document in found]

    async def write(self, changes: Sequence[Change], session: Session) -> None:
        """Writes alerts as they are after their changes, the last one of each alert winning."""
        # What is told of an alert goes on its record and leaves the alert as it is.
        changes = [change for change in changes if change.before is not change.after]
        last = {change.after.id: change.after for change in changes}
        new = {change.after.id for change in changes if change.before is None}
        moved = [(({"_id": alert_id}), {"$set": _body(alert)}) for alert_id, alert in last.items() if alert_id not in new]
        # Ends first: of one rule and subject one alert is live, and the next may open in the same tick.
        await self._alerts.update_each(EVERY_TENANT, moved, session=session)
        await self._alerts.insert(EVERY_TENANT, [to_document(last[alert_id]) for alert_id in new], session=session)


def _on_devices(device_keys: Sequence[str]) -> Document:
    pairs = [key.split(":", 1) for key in device_keys]
    return {
        "tenant_id": {"$in": sorted({tenant_id for tenant_id, _ in pairs})},
        "live": True,
        "subject_id": {"$in": sorted({device_id for _, device_id in pairs})},
        "subject_kind": SubjectKind.DEVICE.value,
    }


def _body(alert: Alert) -> Document:
    document = to_document(alert)
    del document["_id"]
    return document
