"""Redis is restarted, and with it goes all that it knew."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import Context
from app.embedded import Server, redis_url as url_of, start_redis
from jobs.worker import work_until
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues, until


class OwnRedis:
    """A redis-server that can be restarted."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.server: Server = start_redis(data, wished_port=0)

    def restart(self) -> None:
        port = self.server.port
        self.server.stop()
        self.server = start_redis(self._data)
        assert self.server.port == port


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    redis = OwnRedis(tmp_path)
    yield redis
    redis.server.stop()


@pytest.fixture
def redis_url(own_redis: OwnRedis) -> str:
    """What the fleet of this module runs on."""
    return url_of(own_redis.server.port)


async def test_a_worker_goes_on_after_redis_was_restarted(
    fleet: Fleet, context: Context, queues: Queues, own_redis: OwnRedis
) -> None:
    queue, stopping = queues.at(context.settings.redis_url), asyncio.Event()

    async def opened() -> bool:
        return await fleet.told() == [("till-1", "OPENED")]

    async def resolved() -> bool:
        return await fleet.told() == [("till-1", "OPENED"), ("till-1", "RESOLVED")]

    async def put() -> bool:
        return await queue.put("sweep", "again", fleet.lane)

    async with asyncio.TaskGroup() as group:
        group.create_task(work_until(context, stopping))
        await until(opened)
        await asyncio.to_thread(own_redis.restart)
        await fleet.beat("till-1")
        await until(put)
        await until(resolved)
        stopping.set()
