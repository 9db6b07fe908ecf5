"""A fleet for each test, in its first minute of an hour."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from app.context import Context
from tests.cast import NOW, open_test_context
from tests.rollups.world import Rolling


@pytest.fixture
async def rolling(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Rolling]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        yield Rolling(context, clock)


@pytest.fixture
def context(rolling: Rolling) -> Context:
    return rolling.context
