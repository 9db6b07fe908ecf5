"""How people want to be told."""

from collections.abc import Collection, Mapping

from app.domain.preferences import Preferences
from app.store.encoding import from_document
from app.store.mongo import Mongo, Session


class PreferencesStore:
    """`preferences`; a person's are the same in every tenant, so they are of none. `_id` is the person's."""

    def __init__(self, mongo: Mongo) -> None:
        self._preferences = mongo.platform_collection("preferences")

    async def get(self, user_id: str) -> Preferences | None:
        return (await self.get_many((user_id,))).get(user_id)

    async def get_many(self, user_ids: Collection[str], session: Session | None = None) -> dict[str, Preferences]:
        """Those of the people who have said how they want it."""
        found = await self._preferences.find({"_id": {"$in": sorted(user_ids)}}, session=session)
        return {document["_id"]: from_document(document, Preferences) for document in found}

    async def change(self, user_id: str, fields: Mapping[str, object]) -> Preferences:
        """Sets these fields alone; the preferences as they then are."""
        document = await self._preferences.take({"_id": user_id}, {"$set": dict(fields)}, upsert=True)
        if document is None:
            raise RuntimeError("an upsert gave nothing back")
        return from_document(document, Preferences)
