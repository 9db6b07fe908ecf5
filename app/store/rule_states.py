"""What rules remember of their subjects between two looks."""

from collections.abc import Collection, Sequence
from datetime import datetime

from app.domain.rule import RuleState
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session


class RuleStateStore:
    """`rule_states`."""

    def __init__(self, mongo: Mongo) -> None:
        self._states = mongo.tenant_collection("rule_states")

    async def get_many(self, state_ids: Sequence[str], session: Session | None = None) -> dict[str, RuleState]:
        if not state_ids:
            return {}
        found = await self._states.find(EVERY_TENANT, {"_id": {"$in": list(state_ids)}}, session=session)
        return {document["_id"]: from_document(document, RuleState) for document in found}

    async def of_families(self, lane: int, families: Sequence[str]) -> dict[str, RuleState]:
        """All that some families remember in a lane: little, since a subject that is well leaves nothing behind."""
        found = await self._states.find(EVERY_TENANT, {"lane": lane, "family": {"$in": list(families)}})
        return {document["_id"]: from_document(document, RuleState) for document in found}

    async def awake(self, lane: int, families: Sequence[str], now: datetime) -> dict[str, RuleState]:
        """Those that time alone may have changed by now: what is due, and what looks at a window as it empties."""
        mine = {"lane": lane, "family": {"$in": list(families)}}
        found = await self._states.find(EVERY_TENANT, {**mine, "next_due": {"$lte": now}})
        found += await self._states.find(EVERY_TENANT, {**mine, "windowed": True}, hint="windowed")
        return {document["_id"]: from_document(document, RuleState) for document in found}

    async def of_devices(self, lane: int, family: str, readings: Sequence[Document]) -> dict[str, RuleState]:
        """What a family remembers of the devices of these readings. May hold others of the lane as well."""
        if not readings or await self._are_few(lane, [family], len(readings)):
            return await self.of_families(lane, [family]) if readings else {}
        by_tenant: dict[str, list[str]] = {}
        for tenant_id, subject_id in {(reading["tenant_id"], reading["device_id"]) for reading in readings}:
            by_tenant.setdefault(tenant_id, []).append(subject_id)
        found: list[Document] = []
        for tenant_id, ids in by_tenant.items():
            where = {"subject_id": {"$in": ids}, "family": family}
            found += await self._states.find(only(tenant_id), where, hint="by_subject")
        return {document["_id"]: from_document(document, RuleState) for document in found}

    async def of_ids(self, lane: int, families: Sequence[str], state_ids: Collection[str]) -> dict[str, RuleState]:
        """Those of these that there are. May hold others of the lane as well."""
        if state_ids and await self._are_few(lane, families, len(state_ids)):
            return await self.of_families(lane, families)
        return await self.get_many(list(state_ids))

    async def of_prefix(self, tenant_ids: Collection[str], prefix: str) -> list[RuleState]:
        """Those of tenants, of rules whose key begins so."""
        where = {"tenant_id": {"$in": sorted(tenant_ids)}, "rule_key": {"$gte": prefix, "$lt": f"{prefix}\uffff"}}
        return [from_document(document, RuleState) for document in await self._states.find(EVERY_TENANT, where)]

    async def _are_few(self, lane: int, families: Sequence[str], asked: int) -> bool:
        """Whether it is cheaper to read all that some families remember in a lane than to look up so many."""
        where = {"lane": lane, "family": {"$in": list(families)}}
        return await self._states.count(EVERY_TENANT, where, limit=asked + 1) <= asked

    async def of_rule(self, scope: Scope, rule_key: str) -> dict[str, RuleState]:
        found = await self._states.find(scope, {"rule_key": rule_key})
        return {document["_id"]: from_document(document, RuleState) for document in found}

    async def due(self, lane: int, family: str, now: datetime) -> list[RuleState]:
        found = await self._states.find(EVERY_TENANT, {"lane": lane, "family": family, "next_due": {"$lte": now}})
        return [from_document(document, RuleState) for document in found]

    async def lanes_due(self, family: str, now: datetime) -> set[int]:
        where = {"lane": {"$gte": 0}, "family": family, "next_due": {"$lte": now}}
        return {row["_id"] for row in await self._states.aggregate(EVERY_TENANT, where, [{"$group": {"_id": "$lane"}}])}

    async def write(self, states: Sequence[RuleState], session: Session) -> None:
        """Keeps what there is to remember, and forgets the rest."""
        kept = [({"_id": state.id}, {"$set": _without_id(state)}) for state in states if not state.is_blank()]
        blank = [state.id for state in states if state.is_blank()]
        await self._states.update_each(EVERY_TENANT, kept, upsert=True, session=session)
        if blank:
            await self._states.delete(EVERY_TENANT, {"_id": {"$in": blank}}, session=session)

    async def forget(self, state_ids: Sequence[str], session: Session) -> None:
        await self._states.delete(EVERY_TENANT, {"_id": {"$in": list(state_ids)}}, session=session)

    async def forget_overdue(self, lane: int, families: Sequence[str], before: datetime) -> None:
        """Forgets what nobody has looked at although it was long due: its rule is not for that subject any more. What has an
        alert is remembered for as long as that lives."""
        where = {"lane": lane, "family": {"$in": list(families)}, "next_due": {"$lt": before}, "firing": {"$ne": True}}
        await self._states.delete(EVERY_TENANT, where)

    async def wake_rule(self, scope: Scope, rule_key: str, now: datetime) -> None:
        """Has the next tick look at every subject that the rule has an alert of."""
        await self._states.update(scope, {"rule_key": rule_key, "firing": True}, {"$set": {"next_due": now}})

    async def forget_rule(self, scope: Scope, rule_key: str) -> None:
        await self._states.delete(scope, {"rule_key": rule_key})

    async def forget_subject(self, scope: Scope, kind: SubjectKind, subject_id: str) -> None:
        await self._states.delete(scope, {"subject_id": subject_id, "subject_kind": kind.value})


def _without_id(state: RuleState) -> dict[str, object]:
    document = to_document(state)
    del document["_id"]
    return document
