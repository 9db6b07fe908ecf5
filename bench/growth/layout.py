"""The layout of `docker-compose.scale.yml` on the loopback: three mongods as one replica set, several API processes and workers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, ServerSelectionTimeoutError

from app.child import Child, spawn
from app.context import open_context
from app.embedded import HOST, find_mongod, free_port, redis_url, start_redis
from app.seed import seed_context
from app.settings import read_settings
from app.store.replica_set import REPLICA_SET
from bench.stage import Stage
from jobs.queue import Queue

ELECTION_MS = 5_000
"""After so long without a sign of the primary the others elect one, as in `docker-compose.scale.yml`."""

_START_SEC = 60.0
_STOP_SEC = 15.0


@dataclass(frozen=True, slots=True)
class Member:
    """A mongod of the set."""

    child: Child
    port: int

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    members: list[Member]

    @property
    def uri(self) -> str:
        addresses = ",".join(member.address for member in self.members)
        return f"mongodb://{addresses}/?replicaSet={REPLICA_SET}&w=majority"

    def primary(self) -> Member:
        """The one that the others follow; waits until there is one."""
        deadline = time.monotonic() + _START_SEC
        while time.monotonic() < deadline:
            for member in self.members:
                if member.child.exit_code is None and _says(member, "hello").get("isWritablePrimary"):
                    return member
            time.sleep(0.05)
        raise TimeoutError("no member of the set became its primary")


@contextmanager
def replica_set(folder: Path, count: int = 3) -> Iterator[ReplicaSet]:
    """Members on free ports, once one of them is the primary; all are stopped in the end."""
    members = [_start(folder, number) for number in range(count)]
    try:
        made = ReplicaSet(members)
        named = [{"_id": number, "host": member.address} for number, member in enumerate(members)]
        config = {"_id": REPLICA_SET, "members": named, "settings": {"electionTimeoutMillis": ELECTION_MS}}
        _initiate(members[0], config)
        made.primary()
        yield made
    finally:
        for member in members:
            member.child.ask_to_stop()
        for member in members:
            member.child.stop(_STOP_SEC)


def _start(folder: Path, number: int) -> Member:
    port, data = free_port(), folder / f"mongo-{number}"
    data.mkdir(parents=True)
    command = [str(find_mongod()), "--dbpath", str(data), "--bind_ip", HOST, "--port", str(port), "--replSet", REPLICA_SET]
    command += ["--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "256"]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "transactionLifetimeLimitSeconds=5"]
    command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
    return Member(spawn(f"mongod-{number}", command, folder / "log" / f"mongod-{number}.log"), port)


def _initiate(member: Member, config: dict[str, Any]) -> None:
    deadline = time.monotonic() + _START_SEC
    while not _says(member, {"replSetInitiate": config}).get("ok"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the set was not initiated; the end of a member's log:\n{member.child.last_lines()}")
        time.sleep(0.1)


def _says(member: Member, command: str | dict[str, Any]) -> dict[str, Any]:
    """A command's answer; empty where the member does not answer, or not as wished."""
    client: MongoClient[dict[str, Any]]
    with MongoClient(
        HOST, member.port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=1_000, socketTimeoutMS=20_000
    ) as client:
        try:
            return client.admin.command(command)
        except (AutoReconnect, ServerSelectionTimeoutError, OperationFailure):
            return {}


@dataclass(frozen=True, slots=True)
class Layout:
    """A stage whose database is a set of three."""

    stage: Stage
    database: ReplicaSet


@asynccontextmanager
async def laid_out(folder: Path, **settings: Any) -> AsyncIterator[Layout]:
    """The set, Redis, and a context to look by; whatever is started on the stage is stopped in the end."""
    with replica_set(folder) as database:
        redis = start_redis(folder, wished_port=0)
        try:
            given = read_settings(
                {},
                mongo_uri=database.uri,
                mongo_database="bench",
                redis_url=redis_url(redis.port),
                jwt_secret=os.urandom(32).hex(),
                **settings,
            )
            async with open_context(given) as context:
                await seed_context(context)
                primary, queue = database.primary(), Queue(given.redis_url)
                stage = Stage(context, folder, primary.port, primary.child)
                context.errands.serve_by(queue.put)
                try:
                    yield Layout(stage, database)
                finally:
                    await asyncio.to_thread(stage.stop)
                    await queue.close()
        finally:
            redis.stop()
