"""A worker as it runs: what it says of itself, and how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.clock import ManualClock
from app.context import Context
from app.realtime.bus import FAST_QUEUE
from jobs.worker import work_until
from tests.cast import open_test_context
from tests.elsewhere import Client, aborted, held_for_long, wait_for_conflict
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues, until

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[bytes]


@pytest.fixture
async def full_disk(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    """A till whose disk is full by its latest beat, at a time that processes take for now."""
    clock = ManualClock(datetime.now(UTC))
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        fleet = Fleet(context, clock)
        await fleet.add("till-1")
        await fleet.beat("till-1", disk_usage=95)
        yield fleet


@contextmanager
def a_worker(context: Context, **settings: str) -> Iterator[Process]:
    """A worker of its own process; killed in the end if it is still there."""
    mine = context.settings
    environment = {
        **os.environ,
        "MONGO_URI": mine.mongo_uri,
        "MONGO_DATABASE": mine.mongo_database,
        "REDIS_URL": mine.redis_url,
        **settings,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "worker"], env=environment, cwd=ROOT, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_it_says(process: Process, event: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if event.encode() in line:
            return
    raise AssertionError(f"it ended without {event}")


async def test_a_worker_finishes_what_it_is_at_before_it_leaves(full_disk: Fleet, mongo_client: Client) -> None:
    context, lane = full_disk.context, full_disk.lane
    lanes = mongo_client[context.settings.mongo_database]["lanes"]
    with held_for_long(mongo_client), mongo_client.start_session() as session, a_worker(context) as worker:
        before = aborted(mongo_client)
        session.start_transaction()
        # Whoever wants to write in this lane now runs into us, and tries again until we let go.
        lanes.find_one_and_update({"_id": lane}, {"$inc": {"fence": 1}}, upsert=True, session=session)
        await asyncio.to_thread(wait_for_conflict, mongo_client, before)
        await asyncio.to_thread(wait_until_it_says, worker, "worker.started")
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(wait_until_it_says, worker, "worker.stopping")
        for _ in range(8):
            # It is still at it, long after it was told.
            await asyncio.to_thread(wait_for_conflict, mongo_client, aborted(mongo_client))
        session.abort_transaction()
        await asyncio.to_thread(wait_until_it_says, worker, "lane.done")
        assert await asyncio.to_thread(worker.wait, 10) == 0
    assert await full_disk.told() == [("till-1", "OPENED")]
    left = [job.decode() for job in await context.bus.redis.zrange(FAST_QUEUE, 0, -1)]
    assert not [job for job in left if job.startswith(f"rules:{lane}:")]
    assert await context.store.leases.hold_lane("judge", lane, "another", datetime.now(UTC), 1)


async def test_a_worker_judges_without_redis_and_leaves_when_told(full_disk: Fleet, nowhere: str) -> None:
    with a_worker(full_disk.context, REDIS_URL=nowhere) as worker:
        await asyncio.to_thread(wait_until_it_says, worker, "alert.transition")
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 10) == 0
    assert await full_disk.told() == [("till-1", "OPENED")]


async def test_a_worker_says_that_it_is_there_and_then_that_it_is_gone(fleet: Fleet, context: Context) -> None:
    stopping = asyncio.Event()

    async def is_there() -> bool:
        return bool(await context.store.workers.alive(fleet.clock.now()))

    async def opened() -> bool:
        return bool(await fleet.alerts("till-1"))

    async with asyncio.TaskGroup() as group:
        group.create_task(work_until(context, stopping))
        await until(is_there)
        await until(opened)
        stopping.set()
    assert not await is_there()


async def test_a_queue_that_is_away_is_asked_again(context: Context, queues: Queues, nowhere: str) -> None:
    assert not await queues.at(nowhere).put("sweep", "one", 0)
    assert await queues.at(nowhere).depth() is None
    assert await queues.at(context.settings.redis_url).put("sweep", "one", 0)
