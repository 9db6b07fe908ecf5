"""A context whose clock runs, a log to write to, and a hub that follows it."""

from collections.abc import AsyncIterator

import pytest

from app.clock import DatabaseClock
from app.context import Context
from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import open_test_context
from tests.realtime.log import Log


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database, DatabaseClock()) as context:
        yield context


@pytest.fixture
def log(context: Context) -> Log:
    return Log(context)


@pytest.fixture
async def hub(context: Context) -> AsyncIterator[Hub]:
    hub = Hub(context)
    async with running("hub", hub.run):
        await hub.follower.ready.wait()
        yield hub
        hub.stop()
