"""The queue as tests use it: opened for a test, and worked off at once."""

import asyncio
from collections.abc import Awaitable, Callable

from arq.worker import Worker

from app.context import Context
from app.realtime.bus import FAST_QUEUE
from jobs.queue import Queue, close_pool, decode, encode, open_pool
from jobs.worker import functions, work_until
from tests.evaluation.fleet import Fleet


class Queues:
    """Queues that are closed at the end of a test."""

    def __init__(self) -> None:
        self._open: list[Queue] = []

    def at(self, redis_url: str) -> Queue:
        queue = Queue(redis_url)
        self._open.append(queue)
        return queue

    async def close(self) -> None:
        for queue in self._open:
            await queue.close()


async def work_off(context: Context) -> Worker:
    """Does what is queued, and what that queues, and stops."""
    pool = await open_pool(context.settings.redis_url)
    worker = Worker(
        functions(0),
        queue_name=FAST_QUEUE,
        redis_pool=pool,
        ctx={"context": context},
        handle_signals=False,
        burst=True,
        poll_delay=0.01,
        job_serializer=encode,
        job_deserializer=decode,
    )
    try:
        await worker.async_run()
    finally:
        await close_pool(pool)
    return worker


async def goes_on_through(fleet: Fleet, context: Context, queue: Queue, outage: Callable[[], Awaitable[None]]) -> None:
    """A worker opens an alert, Redis has its outage, and the worker resolves the alert by a job of the new Redis."""
    stopping = asyncio.Event()

    async def opened() -> bool:
        return await fleet.told() == [("till-1", "OPENED")]

    async def resolved() -> bool:
        return await fleet.told() == [("till-1", "OPENED"), ("till-1", "RESOLVED")]

    async def put() -> bool:
        return await queue.put("sweep", "again", fleet.lane)

    async with asyncio.TaskGroup() as group:
        group.create_task(work_until(context, stopping))
        await until(opened)
        await outage()
        await fleet.beat("till-1")
        await until(put)
        await until(resolved)
        stopping.set()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Asks until it is so."""
    async with asyncio.timeout(10):
        while not await is_so():  # noqa: ASYNC110 - of what another process does nothing tells
            await asyncio.sleep(0)
