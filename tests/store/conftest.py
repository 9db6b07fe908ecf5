from collections.abc import AsyncIterator

import pytest

from app.context import Context
from tests.cast import open_test_context


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database) as opened:
        yield opened
