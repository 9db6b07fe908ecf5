"""A fleet for each test of late truth."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from tests.cast import NOW, open_test_context
from tests.evaluation.fleet import Fleet


@pytest.fixture
async def fleet(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        yield fleet
