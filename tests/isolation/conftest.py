"""Two tenants that look alike, and a hub that follows both."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo import MongoClient

from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import open_test_context
from tests.isolation.world import World


@pytest.fixture
async def world(
    mongo_uri: str, redis_url: str, database: str, mongo_client: "MongoClient[dict[str, Any]]"
) -> AsyncIterator[World]:
    async with open_test_context(mongo_uri, redis_url, database) as context:
        hub = Hub(context)
        async with running("hub", hub.run):
            await hub.follower.ready.wait()
            world = World(context, hub, mongo_client)
            await world.build()
            yield world
            hub.stop()
