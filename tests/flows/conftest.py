"""A fresh installation for each flow."""

from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from tests.flows.installation import Installation, installed


@pytest.fixture
async def installation(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database) as here:
        yield here


@pytest.fixture
async def two_workers(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database, workers=2) as here:
        yield here


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes what was measured, to be shown at the end of the run."""
    return partial(record_property, "figure")
