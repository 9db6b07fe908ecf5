"""Redis is restarted, and with it goes all that it knew."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.context import Context
from app.embedded import Server, redis_url as url_of, start_redis
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues, goes_on_through


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
    async def outage() -> None:
        await asyncio.to_thread(own_redis.restart)

    await goes_on_through(fleet, context, queues.at(context.settings.redis_url), outage)
