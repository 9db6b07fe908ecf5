from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from app.context import Context
from tests.cast import NOW, open_test_context


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str, clock: ManualClock) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database, clock) as opened:
        yield opened
