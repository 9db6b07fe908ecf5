"""The client, the transaction, and the collections: the only doors to MongoDB."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference, UpdateMany, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from app.clock import DatabaseClock
from app.domain.tenant import Scope
from app.errors import FleetbeatError, UnavailableError

Document = dict[str, Any]
Session = AsyncIOMotorClientSession
Result = TypeVar("Result")

_AWAY = (AutoReconnect, ConnectionFailure, ServerSelectionTimeoutError, NetworkTimeout, ExecutionTimeout, WTimeoutError)
_DUPLICATE_KEY = 11000
_TRY_AGAIN_SEC = 15.0
"""How long a transaction is tried again: shorter than a job may take."""
_TIMES_WITH_ZONE: CodecOptions[Document] = CodecOptions(tz_aware=True)


_LONGEST_PAUSE_SEC = 0.25


def _pause(attempt: int) -> float:
    """Seconds before a transaction is tried again: at random, or those who met once would meet again."""
    return 0 if attempt == 0 else random.uniform(0, min(_LONGEST_PAUSE_SEC, 0.005 * 2 ** min(attempt, 10)))  # noqa: S311


class TenantViolationError(Exception):
    """A document of one tenant was about to be written under another's scope: a fault in our own code."""


def connect(uri: str, database: str) -> "Mongo":
    """A client whose every acknowledged write is on a majority. `uri` may name a database; it wins."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        uri,
        tz_aware=True,
        serverSelectionTimeoutMS=5_000,
        socketTimeoutMS=20_000,
        appname="fleetbeat",
        retryWrites=True,
        maxPoolSize=50,
    )
    chosen = client.get_default_database(database)
    return Mongo(
        client,
        chosen.with_options(
            codec_options=_TIMES_WITH_ZONE,
            write_concern=WriteConcern("majority"),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        ),
    )


class Mongo:
    """One client and its database."""

    def __init__(self, client: "AsyncIOMotorClient[Document]", database: "AsyncIOMotorDatabase[Document]") -> None:
        self._client = client
        self.database = database

    async def ping(self) -> None:
        await self.database.command("ping")

    async def correct(self, clock: DatabaseClock) -> None:
        """Sets the clock by the database's own time."""
        asked = time.monotonic()
        # Commands do not inherit the database's options: without them its time comes without a zone.
        hello = await self.database.command("hello", codec_options=_TIMES_WITH_ZONE)
        clock.correct(hello["localTime"], asked, time.monotonic())

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, Result]]) -> Result:
        """Runs `work` in a transaction; again from its start on a conflict, so it must not act on the outside.

        An unknown outcome of the commit repeats the commit, never the work.
        """
        give_up = time.monotonic() + _TRY_AGAIN_SEC
        async with await self._client.start_session() as session:
            attempts = itertools.count()
            while True:
                await asyncio.sleep(_pause(next(attempts)))
                session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"), ReadPreference.PRIMARY)
                try:
                    result = await work(session)
                except BaseException as error:
                    await session.abort_transaction()
                    if _asks_for(error, "TransientTransactionError", give_up):
                        continue
                    raise
                if await _commit(session, give_up):
                    return result

    async def transaction_limit_sec(self) -> float | None:
        """After how long the server ends a transaction whose client has died; None where we may not know."""
        try:
            answer = await self._client.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
        except OperationFailure:
            return None
        return float(answer["transactionLifetimeLimitSeconds"])

    def tenant_collection(self, name: str) -> "TenantCollection":
        return TenantCollection(self.database[name])

    def platform_collection(self, name: str) -> "PlatformCollection":
        return PlatformCollection(self.database[name])

    def close(self) -> None:
        self._client.close()


class PlatformCollection:
    """A collection of Fleetbeat's own, which belongs to no tenant: leases, lanes, workers, the list of tenants."""

    def __init__(self, collection: "AsyncIOMotorCollection[Document]") -> None:
        self._collection = collection

    async def find(self, where: Mapping[str, Any], *, session: Session | None = None, **options: Any) -> list[Document]:
        return await self._collection.find(where, session=session, **options).to_list(None)

    async def find_one(self, where: Mapping[str, Any], *, session: Session | None = None, **options: Any) -> Document | None:
        return await self._collection.find_one(where, session=session, **options)

    async def insert(self, documents: Sequence[Document], *, session: Session | None = None) -> None:
        if documents:
            await self._collection.insert_many(documents, session=session)

    async def update(self, where: Mapping[str, Any], change: Any, *, upsert: bool = False, session: Session | None = None) -> int:
        """How many documents it matched, or made; with `upsert`, one at most."""
        # Of two that make the same document at once, MongoDB lets the second one try again only where it can be but one.
        write = self._collection.update_one if upsert else self._collection.update_many
        done = await write(where, change, upsert=upsert, session=session)
        return int(done.matched_count) + (0 if done.upserted_id is None else 1)

    async def take(self, where: Mapping[str, Any], change: Any, *, upsert: bool = False, **options: Any) -> Document | None:
        """Changes one document by compare-and-set and hands it back as it then is; None where nothing matched."""
        return await self._collection.find_one_and_update(where, change, upsert=upsert, return_document=True, **options)

    async def delete(self, where: Mapping[str, Any], *, session: Session | None = None) -> int:
        return int((await self._collection.delete_many(where, session=session)).deleted_count)


class TenantCollection:
    """A collection whose documents belong to tenants: the scope is in every filter, pipeline and insert."""

    def __init__(self, collection: "AsyncIOMotorCollection[Document]") -> None:
        self._collection = collection

    async def find(
        self, scope: Scope, where: Mapping[str, Any], *, session: Session | None = None, **options: Any
    ) -> list[Document]:
        return await self._collection.find(_within(scope, where), session=session, **options).to_list(None)

    def stream(self, scope: Scope, where: Mapping[str, Any], **options: Any) -> AsyncIterator[Document]:
        return self._collection.find(_within(scope, where), **options)

    async def find_one(
        self, scope: Scope, where: Mapping[str, Any], *, session: Session | None = None, **options: Any
    ) -> Document | None:
        return await self._collection.find_one(_within(scope, where), session=session, **options)

    async def count(self, scope: Scope, where: Mapping[str, Any], **options: Any) -> int:
        return int(await self._collection.count_documents(_within(scope, where), **options))

    async def aggregate(
        self,
        scope: Scope,
        where: Mapping[str, Any],
        stages: Sequence[Document],
        *,
        session: Session | None = None,
        **options: Any,
    ) -> list[Document]:
        """A pipeline that begins with a `$match` of the scope and of `where`."""
        pipeline = [{"$match": _within(scope, where)}, *stages]
        return await self._collection.aggregate(pipeline, session=session, **options).to_list(None)

    def stream_aggregate(
        self, scope: Scope, where: Mapping[str, Any], stages: Sequence[Document], **options: Any
    ) -> AsyncIterator[Document]:
        """As `aggregate`, for more than should be held at once."""
        return self._collection.aggregate([{"$match": _within(scope, where)}, *stages], **options)

    async def insert(self, scope: Scope, documents: Sequence[Document], *, session: Session | None = None) -> None:
        _require_own(scope, documents)
        if documents:
            await self._collection.insert_many(documents, session=session)

    async def insert_new(self, scope: Scope, documents: Sequence[Document]) -> int:
        """Inserts what is not there yet, and passes over what is; how many were new."""
        _require_own(scope, documents)
        if not documents:
            return 0
        try:
            done = await self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            if details.get("writeConcernErrors") or any(e.get("code") != _DUPLICATE_KEY for e in details.get("writeErrors", [])):
                raise
            return int(details.get("nInserted", 0))
        return len(done.inserted_ids)

    async def update(self, scope: Scope, where: Mapping[str, Any], change: Any, *, session: Session | None = None) -> int:
        """How many documents it matched."""
        return int((await self._collection.update_many(_within(scope, where), change, session=session)).matched_count)

    async def update_groups(self, scope: Scope, changes: Sequence[tuple[Document, Any]]) -> int:
        """Many updates of many documents each, in one call; how many documents matched."""
        writes = [UpdateMany(_within(scope, where), change) for where, change in changes]
        return int((await self._collection.bulk_write(writes, ordered=False)).matched_count)

    async def update_each(
        self, scope: Scope, changes: Sequence[tuple[Document, Any]], *, upsert: bool = False, session: Session | None = None
    ) -> int:
        """Many updates of one document each, in one call; how many matched or were made."""
        if not changes:
            return 0
        writes = [UpdateOne(_within(scope, where), change, upsert=upsert) for where, change in changes]
        done = await self._collection.bulk_write(writes, ordered=False, session=session)
        return int(done.matched_count) + int(done.upserted_count)

    async def take(
        self, scope: Scope, where: Mapping[str, Any], change: Any, *, session: Session | None = None, **options: Any
    ) -> Document | None:
        """Changes one document by compare-and-set and hands it back as it then is; None where nothing matched."""
        return await self._collection.find_one_and_update(
            _within(scope, where), change, return_document=True, session=session, **options
        )

    async def delete(self, scope: Scope, where: Mapping[str, Any], *, session: Session | None = None) -> int:
        return int((await self._collection.delete_many(_within(scope, where), session=session)).deleted_count)


async def _commit(session: Session, give_up: float) -> bool:
    """False where the work has to be done again."""
    # Motor's `with_transaction` commits on leaving a block and never comes to its own repetition: a lost commit then
    # stays open in the database, with the lane in its hands, for a minute.
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if _asks_for(error, "UnknownTransactionCommitResult", give_up):
                continue
            if _asks_for(error, "TransientTransactionError", give_up):
                return False
            raise
        return True


def _asks_for(error: BaseException, label: str, give_up: float) -> bool:
    return isinstance(error, PyMongoError) and error.has_error_label(label) and time.monotonic() < give_up


def classify(error: BaseException) -> FleetbeatError | None:
    """MongoDB's failures in our own words, where they are the caller's to know; None for any other error."""
    if isinstance(error, _AWAY):
        return UnavailableError("the database does not answer; nothing was acknowledged", retry_after_sec=2)
    return None


def is_duplicate(error: BaseException) -> bool:
    """Whether a write met a unique key that is taken, and nothing else went wrong."""
    if isinstance(error, BulkWriteError):
        details: Mapping[str, Any] = error.details or {}
        faults = details.get("writeErrors", [])
        return bool(faults) and not details.get("writeConcernErrors") and all(one.get("code") == _DUPLICATE_KEY for one in faults)
    return isinstance(error, DuplicateKeyError)


def is_away(error: BaseException) -> bool:
    return isinstance(error, _AWAY)


def tenant_filter(scope: Scope) -> Document:
    if scope.tenant_ids is None:
        return {}
    if len(scope.tenant_ids) == 1:
        return {"tenant_id": next(iter(scope.tenant_ids))}
    return {"tenant_id": {"$in": sorted(scope.tenant_ids)}}


def _within(scope: Scope, where: Mapping[str, Any]) -> Document:
    # $and, so that a `tenant_id` in `where` can only narrow the scope, never replace it.
    narrowed = tenant_filter(scope)
    if not narrowed:
        return dict(where)
    return {**narrowed, **where} if "tenant_id" not in where else {"$and": [narrowed, dict(where)]}


def _require_own(scope: Scope, documents: Sequence[Document]) -> None:
    for document in documents:
        if not scope.covers(document["tenant_id"]):
            raise TenantViolationError(f"a document of tenant {document['tenant_id']!r} outside the scope of the write")
