"""A context over two tenants, and a hub that follows what people are told."""

from collections.abc import AsyncIterator

import pytest

from app.context import Context
from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import open_test_context


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database) as context:
        yield context


@pytest.fixture
async def hub(context: Context) -> AsyncIterator[Hub]:
    hub = Hub(context)
    async with running("hub", hub.run):
        await hub.notifications.ready.wait()
        yield hub
        hub.stop()
