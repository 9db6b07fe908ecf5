"""The channels of tenants."""

from collections.abc import Collection, Mapping
from datetime import datetime

from app.domain.channel import Channel
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import from_document, readable, to_document
from app.store.mongo import Mongo, Session


class ChannelStore:
    """`channels`; addresses and secrets are sealed."""

    def __init__(self, mongo: Mongo) -> None:
        self._channels = mongo.tenant_collection("channels")

    async def insert(self, channel: Channel) -> None:
        await self._channels.insert(only(channel.tenant_id), [to_document(channel)])

    async def get(self, scope: Scope, channel_id: str) -> Channel | None:
        document = await self._channels.find_one(scope, {"_id": channel_id})
        return None if document is None else from_document(document, Channel)

    async def get_many(self, scope: Scope, channel_ids: Collection[str]) -> dict[str, Channel]:
        found = await self._channels.find(scope, {"_id": {"$in": sorted(channel_ids)}})
        return {channel.id: channel for channel in readable(found, Channel)}

    async def shared(self, scope: Scope, session: Session | None = None) -> list[Channel]:
        """Those that are nobody's own, oldest first in each tenant."""
        order = [("tenant_id", 1), ("created_at", 1), ("_id", 1)]
        found = await self._channels.find(scope, {"owner_id": None}, session=session, sort=order)
        return readable(found, Channel)

    async def personal(self, owner_ids: Collection[str], session: Session | None = None) -> list[Channel]:
        """These people's own, of every tenant, in the order in which they were made."""
        where = {"owner_id": {"$in": sorted(owner_ids)}}
        found = await self._channels.find(EVERY_TENANT, where, session=session, sort=[("created_at", 1), ("_id", 1)])
        return readable(found, Channel)

    async def to_tell(self, tenant_ids: Collection[str], owner_ids: Collection[str], session: Session | None) -> list[Channel]:
        """The shared channels of tenants and the own ones of people, the oldest first, those that are off among them."""
        shared = {"tenant_id": {"$in": sorted(tenant_ids)}, "owner_id": None}
        where = {"$or": [shared, {"owner_id": {"$in": sorted(owner_ids)}}]}
        found = await self._channels.find(EVERY_TENANT, where, session=session, sort=[("created_at", 1), ("_id", 1)])
        return readable(found, Channel)

    async def change(
        self, scope: Scope, channel_id: str, values: Mapping[str, object], sealed: str | None = None
    ) -> Channel | None:
        """The channel as it then is; None where it is gone, or where its config is not the one that was `sealed` any more."""
        where = {"_id": channel_id} if sealed is None else {"_id": channel_id, "sealed": sealed}
        document = await self._channels.take(scope, where, {"$set": dict(values)})
        return None if document is None else from_document(document, Channel)

    async def delete(self, scope: Scope, channel_id: str) -> bool:
        """False where it was gone before."""
        return await self._channels.delete(scope, {"_id": channel_id}) == 1

    async def to_tell_by_id(self, channel_ids: Collection[str]) -> dict[str, Channel]:
        """Of any tenant: for what is on its way already, which knows whose channels it may use."""
        return await self.get_many(EVERY_TENANT, channel_ids)

    async def there(self, channel_ids: Collection[str]) -> set[str]:
        """Those that exist, whether they can be read or not."""
        found = await self._channels.find(EVERY_TENANT, {"_id": {"$in": sorted(channel_ids)}}, projection={"_id": 1})
        return {document["_id"] for document in found}

    async def note_sent(self, channel_ids: Collection[str], at: datetime) -> None:
        """They work: whatever was wrong with them is over."""
        well = {"last_sent_at": at, "last_error": None, "failing_since": None, "refusals": 0}
        await self._channels.update(EVERY_TENANT, {"_id": {"$in": sorted(channel_ids)}}, {"$set": well})

    async def note_failure(self, channel_id: str, error: str, at: datetime, *, refused: bool) -> Channel | None:
        """The channel as it then is. It fails since its first failure after a success."""
        change = {
            "last_error": {"$literal": error},
            "failing_since": {"$ifNull": ["$failing_since", at]},
            "refusals": {"$add": [{"$ifNull": ["$refusals", 0]}, int(refused)]},
        }
        document = await self._channels.take(EVERY_TENANT, {"_id": channel_id}, [{"$set": change}])
        return None if document is None else from_document(document, Channel)

    async def disable(self, channel_id: str, because: str) -> bool:
        """False where it was off already, or is gone."""
        change = {"$set": {"enabled": False, "disabled_because": because}}
        return await self._channels.update(EVERY_TENANT, {"_id": channel_id, "enabled": True}, change) == 1
