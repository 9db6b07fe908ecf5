"""The twins."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import serve
from tests.compiled.twins import Twin, twin

__all__ = ["serve"]


@pytest.fixture
async def compiling(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Twin]:
    async with twin(mongo_uri, redis_url, database, compiles=True) as made:
        yield made


@pytest.fixture
async def general(mongo_uri: str, redis_url: str, new_database: str) -> AsyncIterator[Twin]:
    async with twin(mongo_uri, redis_url, new_database, compiles=False) as made:
        yield made
