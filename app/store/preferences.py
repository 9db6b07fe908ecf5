"""How people want to be told, by their ids."""

from collections.abc import Collection

from app.domain.preferences import Preferences
from app.store.encoding import from_document
from app.store.mongo import Mongo, Session


class PreferencesStore:
    """`preferences`; a person's are the same in every tenant."""

    def __init__(self, mongo: Mongo) -> None:
        self._preferences = mongo.platform_collection("preferences")

    async def get_many(self, user_ids: Collection[str], session: Session | None = None) -> dict[str, Preferences]:
        found = await self._preferences.find({"_id": {"$in": sorted(user_ids)}}, session=session)
        return {document["_id"]: from_document(document, Preferences) for document in found}
