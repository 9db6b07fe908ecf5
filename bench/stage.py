"""Everything that a bench runs on: a mongod and a redis-server of its own, Fleetbeat as users start it, peers beside it."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import msgspec

from app.child import Child, spawn
from app.context import Context, open_context
from app.domain.tenant import Role
from app.embedded import embedded_servers, free_port, mongo_uri, redis_url
from app.seed import seed_context
from app.settings import Settings, read_settings, to_environment
from app.store.indexes import ensure_collections
from app.store.mongo import connect
from app.tokens import issue_jwt
from bench.usage import Memory, memory, tree
from jobs.queue import Queue

PEERS = Path(__file__).parent / "peers"
IN_NODE = {"mercurius": "mercurius", "yoga": "graphql-yoga"}
"""Peers in Node, and the package that each is."""

NOT_INSTALLED = "its package could not be installed"
_STOP_SEC = 20.0
_START_SEC = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that was started for a bench."""

    child: Child
    port: int = 0

    def pids(self) -> list[int]:
        return tree(self.child.pid)

    def memory(self) -> Memory:
        return memory(self.pids())


@dataclass(slots=True)
class Stage:
    """Where servers are started, each in a process of its own, and what they share. `context` is the loader's."""

    context: Context
    folder: Path
    mongo_port: int
    database: Child
    _servers: list[Server] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @property
    def mongo_uri(self) -> str:
        return mongo_uri(self.mongo_port)

    @property
    def without(self) -> dict[str, str]:
        """Peers that are not on this machine, and why."""
        if shutil.which("node") is None:
            return dict.fromkeys(IN_NODE, "there is no Node on this machine")
        return {name: NOT_INSTALLED for name, package in IN_NODE.items() if not (PEERS / "node_modules" / package).exists()}

    async def ours(self, module: str = "app.cli", *arguments: str, **settings: object) -> Server:
        """`fleetbeat api`, or a module of the bench that serves instead."""
        port = free_port()
        environment = {
            **os.environ,
            **to_environment(self.settings),
            **_given(settings),
            "PORT": str(port),
            "LOG_LEVEL": "warning",
        }
        return await self._start(module, [sys.executable, "-m", module, *(arguments or ("api",))], port, environment)

    async def worker(self, **settings: object) -> Server:
        """`fleetbeat worker`, once it is alive."""
        environment = {**os.environ, **to_environment(self.settings), **_given(settings), "LOG_LEVEL": "warning"}
        server = await self._start("worker", [sys.executable, "-m", "app.cli", "worker"], 0, environment)
        async with asyncio.timeout(_START_SEC):
            while not await self.context.store.workers.alive(self.context.clock.now()):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)
        return server

    async def node(self, name: str, *arguments: str) -> Server:
        """The peer in the folder of that name."""
        node, port = shutil.which("node"), free_port()
        assert node is not None
        return await self._start(name, [node, str(PEERS / name / "server.js"), str(port), *arguments], port)

    async def python(self, module: str, *arguments: str, python: str = sys.executable) -> Server:
        port = free_port()
        return await self._start(module, [python, "-m", module, str(port), *arguments], port)

    async def program(self, name: str, command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> Server:
        return await self._start(name, command, port, environment)

    async def peer_database(self, name: str) -> str:
        """A database with the collections and indexes of ours, for a peer to write to."""
        database = f"bench_{name}"
        mongo = connect(self.mongo_uri, database)
        try:
            await ensure_collections(mongo)
        finally:
            mongo.close()
        return database

    async def documents_in(self, database: str, collection: str) -> int:
        mongo = connect(self.mongo_uri, database)
        try:
            return int(await mongo.database[collection].count_documents({}))
        finally:
            mongo.close()

    def person(self, tenant_ids: Sequence[str], role: Role = Role.ADMIN) -> str:
        return f"Bearer {issue_jwt(self.settings, 'bench', role, list(tenant_ids), timedelta(hours=6))}"

    def stop(self, *servers: Server) -> None:
        """Those, or all that still run, in a bounded time."""
        for server in servers or self._servers:
            server.child.ask_to_stop()
        for server in servers or list(self._servers):
            server.child.stop(_STOP_SEC)
            if server in self._servers:
                self._servers.remove(server)

    async def _start(self, name: str, command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> Server:
        child = spawn(name, command, self.folder / "log" / f"{name}.log", environment or dict(os.environ))
        server = Server(child, port)
        self._servers.append(server)
        if port:
            await _until_listening(server)
        return server


class ServerGoneError(Exception):
    """A server ended, or never listened."""


async def _until_listening(server: Server) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SEC):
            while server.child.exit_code is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)
    raise ServerGoneError(f"{server.child.name} did not start; the end of its log:\n{server.child.last_lines()}")


def _given(settings: dict[str, object]) -> dict[str, str]:
    return {name.upper(): str(value) for name, value in settings.items()}


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """mongod, redis-server and a context to load by; whatever was started is stopped in the end."""
    with embedded_servers(folder) as (mongod, redis):
        settings = read_settings(
            {},
            mongo_uri=mongo_uri(mongod.port),
            mongo_database="bench",
            redis_url=redis_url(redis.port),
            jwt_secret=os.urandom(32).hex(),
        )
        async with open_context(settings) as context:
            await seed_context(context)
            queue, stage = Queue(settings.redis_url), Stage(context, folder, mongod.port, mongod.child)
            context.errands.serve_by(queue.put)
            try:
                yield stage
            finally:
                await asyncio.to_thread(stage.stop)
                await queue.close()


async def ask(port: int, query: str, authorization: str, **variables: object) -> dict[str, object]:
    """One call, its errors raised."""
    headers = {"authorization": authorization}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{port}/graphql", json={"query": query, "variables": variables}, headers=headers
        ) as answer,
    ):
        said = msgspec.json.decode(await answer.read())
    if said.get("errors"):
        raise RuntimeError(said["errors"][0]["message"])
    data: dict[str, object] = said["data"]
    return data
