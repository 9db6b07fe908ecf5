"""A context whose time stands still, what is kept in its database, and the application over real HTTP."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient
from starlette.applications import Starlette

from app.clock import ManualClock
from app.context import Context
from app.main import serving
from tests.api.serving import Serve, serve
from tests.cast import NOW, open_test_context

__all__ = ["serve"]

Kept = Callable[[], dict[str, list[dict[str, Any]]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str, clock: ManualClock) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database, clock) as opened:
        yield opened
        await opened.intake.drain()


@pytest.fixture
def kept(mongo_client: "MongoClient[dict[str, Any]]", database: str) -> Kept:
    """What there is of beats, of devices, and of what was done to them."""
    names = ("device_heartbeats", "devices", "audit_log", "provider_alerts")
    return lambda: {name: list(mongo_client[database][name].find()) for name in names}


@pytest.fixture
async def http(context: Context, serve: Serve) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(context) as routes:
        served = await serve(Starlette(routes=routes))
        async with httpx2.AsyncClient(base_url=served.http, timeout=20) as client:
            yield client
