"""Rules: the tenants' own, and the platform's, which every tenant inherits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from app.domain.ids import lane_of
from app.domain.rule import Rule
from app.domain.tenant import EVERY_TENANT, Scope
from app.store.encoding import Document, from_document, to_document
from app.store.mongo import Mongo, Session, is_duplicate

_KEPT = ("_id", "tenant_id", "key", "created_at", "last_evaluated_at")


class RuleStore:
    """`alert_rules`; a rule of the platform has `tenant_id` null."""

    def __init__(self, mongo: Mongo) -> None:
        self._own = mongo.tenant_collection("alert_rules")
        self._all = mongo.platform_collection("alert_rules")
        self._alerts = mongo.tenant_collection("provider_alerts")
        self._tenants = mongo.platform_collection("tenants")

    async def applying(
        self, tenant_ids: Iterable[str], keys: Collection[str] | None = None, session: Session | None = None
    ) -> list[Rule]:
        """The rules of these tenants and of the platform, of these keys where given, in one read."""
        where: Document = {"tenant_id": {"$in": [*sorted(set(tenant_ids)), None]}}
        if keys is not None:
            where["key"] = {"$in": sorted(keys)}
        return [from_document(document, Rule) for document in await self._all.find(where, sort=[("key", 1)], session=session)]

    async def get(self, scope: Scope, rule_id: str) -> Rule | None:
        """A rule of the scope, or one of the platform."""
        document = await self._all.find_one({"_id": rule_id, "tenant_id": None})
        document = document or await self._own.find_one(scope, {"_id": rule_id})
        return None if document is None else from_document(document, Rule)

    async def insert(self, rule: Rule) -> bool:
        """False where the tenant, or the platform, has a rule of this key already."""
        try:
            await self.insert_all([rule])
        except Exception as error:
            if is_duplicate(error):
                return False
            raise
        return True

    async def insert_all(self, rules: Sequence[Rule], session: Session | None = None) -> None:
        """All of them, or it raises for a key that is taken."""
        owned = [rule for rule in rules if rule.tenant_id is not None]
        tenants = Scope(frozenset(rule.tenant_id for rule in owned if rule.tenant_id is not None))
        await self._own.insert(tenants, [to_document(rule) for rule in owned], session=session)
        await self._all.insert([to_document(rule) for rule in rules if rule.tenant_id is None], session=session)

    async def add_defaults(self, rules: Sequence[Rule]) -> list[str]:
        """Adds those rules of the platform that are not there yet, and gives back their keys."""
        there = {rule.key for rule in await self.applying([])}
        missing = [rule for rule in rules if rule.key not in there]
        # Another process may seed at the same time: what it was faster with is there as well.
        if missing:
            await self._own.insert_new(EVERY_TENANT, [to_document(rule) for rule in missing])
        return [rule.key for rule in missing]

    async def replace(self, rule: Rule, version: int, session: Session | None = None) -> Rule | None:
        """The rule as it then is; None where the one that is kept is not of this version any more, or gone."""
        body = {name: value for name, value in to_document(rule).items() if name not in _KEPT}
        where = {"_id": rule.id, "tenant_id": rule.tenant_id, "version": version}
        document = await self._all.take(where, {"$set": body}, session=session)
        return None if document is None else from_document(document, Rule)

    async def delete(self, rule: Rule, version: int | None = None, session: Session | None = None) -> bool:
        """False where it is gone, or not of this version any more."""
        where: Document = {"_id": rule.id, "tenant_id": rule.tenant_id}
        if version is not None:
            where["version"] = version
        return await self._all.delete(where, session=session) == 1

    async def own_of_key(self, key: str) -> list[Rule]:
        """Every tenant's own rule of this key."""
        where = {"key": key, "tenant_id": {"$ne": None}}
        return [from_document(document, Rule) for document in await self._own.find(EVERY_TENANT, where)]

    async def tenants_with_family(self, family: str, lane: int) -> set[str]:
        """The tenants of a lane that have rules of a family of their own; all of the lane where the platform has one."""
        where = {"condition.family": family, "enabled": True}
        owners = {row["tenant_id"] for row in await self._all.find(where, projection={"tenant_id": 1})}
        if None in owners:
            owners = {row["_id"] for row in await self._tenants.find({}, projection={"_id": 1})}
        return {tenant_id for tenant_id in owners if lane_of(tenant_id) == lane}

    async def overriding(self, keys: Collection[str]) -> set[tuple[str, str]]:
        """(tenant, key) of every tenant's own rule of these keys."""
        where = {"key": {"$in": sorted(keys)}, "tenant_id": {"$ne": None}}
        found = await self._own.find(EVERY_TENANT, where, projection={"tenant_id": 1, "key": 1})
        return {(document["tenant_id"], document["key"]) for document in found}

    async def live_alerts(self, scope: Scope, keys: Collection[str]) -> dict[tuple[str, str], int]:
        """How many live alerts each (tenant, key) has."""
        group = {"$group": {"_id": {"tenant": "$tenant_id", "key": "$rule_key"}, "count": {"$sum": 1}}}
        rows = await self._alerts.aggregate(scope, {"live": True, "rule_key": {"$in": sorted(keys)}}, [group])
        return {(row["_id"]["tenant"], row["_id"]["key"]): row["count"] for row in rows}

    async def note_evaluated(self, rule_ids: Collection[str], at: datetime) -> None:
        await self._all.update({"_id": {"$in": sorted(rule_ids)}}, {"$max": {"last_evaluated_at": at}})

    async def note_error(self, rule_id: str, message: str) -> None:
        """Counted until the rule is changed."""
        await self._all.update({"_id": rule_id}, {"$set": {"last_error": message}, "$inc": {"error_count": 1}})

    async def list(self, scope: Scope) -> list[Rule]:
        """The rules of the scope and those of the platform, by key; a tenant's own comes before the platform's of its key."""
        if scope.tenant_ids is not None:
            return await self.applying(scope.tenant_ids)
        return [from_document(document, Rule) for document in await self._all.find({}, sort=[("key", 1)])]
