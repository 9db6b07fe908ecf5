"""A fleet for each test, whose ticks are further apart than in the field."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.clock import ManualClock
from tests.backtest.live import JUDGE_SEC, MINUTE, SWEEP_SEC
from tests.cast import NOW, open_test_context
from tests.evaluation.fleet import Fleet


@asynccontextmanager
async def ticking(mongo_uri: str, redis_url: str, database: str, judge_sec: int) -> AsyncIterator[Fleet]:
    clock = ManualClock(NOW)
    ticks = {"deadline_sweep_seconds": SWEEP_SEC, "rule_tick_seconds": judge_sec}
    async with open_test_context(mongo_uri, redis_url, database, clock, **ticks) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        yield fleet


@pytest.fixture
async def fleet(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    async with ticking(mongo_uri, redis_url, database, JUDGE_SEC) as fleet:
        yield fleet


@pytest.fixture
async def shops(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    """Judged once a minute: what is counted moves by five."""
    async with ticking(mongo_uri, redis_url, database, MINUTE) as fleet:
        yield fleet


@pytest.fixture
async def odd(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    """Judged each 15 s, as in the field."""
    async with ticking(mongo_uri, redis_url, database, 15) as fleet:
        yield fleet
