"""Two tenants whose webhooks are received on the loopback."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from tests.cast import NOW, open_test_context
from tests.delivery.receiver import Receiver, receiving
from tests.delivery.world import World


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def world(mongo_uri: str, redis_url: str, database: str, receiver: Receiver) -> AsyncIterator[World]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock, allow_private_webhooks=True) as context:
        yield World(context, clock, receiver)
