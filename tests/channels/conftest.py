"""A far end on the loopback for every test that asks for one, and a context for what stays inside."""

from collections.abc import AsyncIterator

import pytest

from app.context import Context
from tests.cast import open_test_context
from tests.delivery.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database) as context:
        yield context
