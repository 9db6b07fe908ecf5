"""Writers that are not of this process, and a database that fails on purpose."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from pymongo import MongoClient

from app.context import Context, open_context
from app.store.mongo import Session
from app.transitions import Writes, transact

PATIENCE_SEC = 20.0
Client = MongoClient[dict[str, Any]]
Result = TypeVar("Result")


async def elsewhere(context: Context, work: Callable[[Context], Awaitable[Result]]) -> Result:
    """Works on the same database as another process does: in a loop of its own, with a client and locks of its own."""

    async def there() -> Result:
        async with open_context(context.settings, context.clock) as another:
            return await work(another)

    return await asyncio.to_thread(asyncio.run, there())


def aborted(client: Client) -> int:
    """How many transactions the database has given up so far."""
    return int(client.admin.command("serverStatus")["transactions"]["totalAborted"])


def wait_for_conflict(client: Client, before: int) -> None:
    """Until a transaction has been given up since then. Bounded, since nobody can stop a thread: a loop waits for its own to end."""
    give_up = time.monotonic() + PATIENCE_SEC
    while aborted(client) == before:
        assert time.monotonic() < give_up, "nobody ran into a transaction"


@contextmanager
def held_for_long(client: Client) -> Iterator[None]:
    """Transactions may stay open for longer than the few seconds after which the database takes them for a dead worker's."""
    name = "transactionLifetimeLimitSeconds"
    before = client.admin.command({"getParameter": 1, name: 1})[name]
    client.admin.command({"setParameter": 1, name: 60})
    try:
        yield
    finally:
        client.admin.command({"setParameter": 1, name: before})


@asynccontextmanager
async def somebody_in(context: Context, client: Client, lane: int, writes: Sequence[Any] = ()) -> AsyncIterator[None]:
    """Another process is in the middle of a transaction of the lane, and commits it once somebody has run into it."""
    loop, inside = asyncio.get_running_loop(), asyncio.Event()

    async def decide(_: Session) -> Writes:
        before = aborted(client)
        loop.call_soon_threadsafe(inside.set)
        await asyncio.to_thread(wait_for_conflict, client, before)
        return Writes(changes=list(writes))

    async with asyncio.TaskGroup() as group:
        group.create_task(elsewhere(context, lambda another: transact(another, lane, decide)))
        await inside.wait()
        yield


@contextmanager
def failing(client: Client, command: str, times: int, **how: Any) -> Iterator[None]:
    """The next so many of these commands fail, in the way that mongod's `failCommand` takes it."""
    client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data={"failCommands": [command], **how})
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
