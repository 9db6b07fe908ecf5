"""The channels of tenants."""

from collections.abc import Collection, Mapping
from datetime import datetime

from app.domain.channel import Channel
from app.domain.tenant import EVERY_TENANT, Scope, only
from app.store.encoding import from_document, to_document
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
        return {document["_id"]: from_document(document, Channel) for document in found}

    async def within(self, scope: Scope) -> list[Channel]:
        found = await self._channels.find(scope, {}, sort=[("tenant_id", 1), ("created_at", 1), ("_id", 1)])
        return [from_document(document, Channel) for document in found]

    async def personal(self, owner_ids: Collection[str], session: Session | None = None) -> list[Channel]:
        """These people's own, of every tenant, in the order in which they were made."""
        where = {"owner_id": {"$in": sorted(owner_ids)}}
        found = await self._channels.find(EVERY_TENANT, where, session=session, sort=[("created_at", 1), ("_id", 1)])
        return [from_document(document, Channel) for document in found]

    async def enabled(self, scope: Scope, session: Session) -> list[Channel]:
        found = await self._channels.find(scope, {"enabled": True}, session=session, sort=[("_id", 1)])
        return [from_document(document, Channel) for document in found]

    async def change(self, scope: Scope, channel_id: str, values: Mapping[str, object]) -> Channel | None:
        """The channel as it then is; None where it is gone."""
        document = await self._channels.take(scope, {"_id": channel_id}, {"$set": dict(values)})
        return None if document is None else from_document(document, Channel)

    async def delete(self, scope: Scope, channel_id: str) -> bool:
        """False where it was gone before."""
        return await self._channels.delete(scope, {"_id": channel_id}) == 1

    async def note(self, channel_id: str, *, sent_at: datetime | None = None, error: str | None = None) -> None:
        """How its last try went."""
        change = {"last_error": error} if sent_at is None else {"last_sent_at": sent_at, "last_error": None}
        await self._channels.update(EVERY_TENANT, {"_id": channel_id}, {"$set": change})
