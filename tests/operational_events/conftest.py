"""A context whose time stands still, and what is kept of events in its database."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pymongo import MongoClient

from app.clock import ManualClock
from app.context import Context
from tests.cast import NOW, open_test_context

Kept = Callable[[], dict[str, list[dict[str, Any]]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str, clock: ManualClock) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database, clock) as opened:
        yield opened


@pytest.fixture
def kept(mongo_client: "MongoClient[dict[str, Any]]", database: str) -> Kept:
    """What there is of events, of their counts, and of devices."""
    names = ("operational_events", "event_counts", "devices")
    return lambda: {name: list(mongo_client[database][name].find().sort("_id", 1)) for name in names}
