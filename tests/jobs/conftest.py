"""A fleet with a device that has gone silent, and servers that are there or not."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from app.context import Context
from app.embedded import free_port, redis_url as url_of
from tests.cast import NOW, open_test_context
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues


@pytest.fixture
async def fleet(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        await fleet.add("till-1", offline_after=5)
        await fleet.beat("till-1")
        await fleet.pass_time(6)
        yield fleet


@pytest.fixture
def context(fleet: Fleet) -> Context:
    return fleet.context


@pytest.fixture
def nowhere() -> str:
    """The URL of a Redis that is not there."""
    return url_of(free_port())


@pytest.fixture
async def queues() -> AsyncIterator[Queues]:
    queues = Queues()
    yield queues
    await queues.close()
