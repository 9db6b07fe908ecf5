"""A fleet for each test, whose ticks are further apart than in the field."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from tests.backtest.live import JUDGE_SEC, SWEEP_SEC
from tests.cast import NOW, open_test_context
from tests.evaluation.fleet import Fleet


@pytest.fixture
async def fleet(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    clock = ManualClock(NOW)
    ticks = {"deadline_sweep_seconds": SWEEP_SEC, "rule_tick_seconds": JUDGE_SEC}
    async with open_test_context(mongo_uri, redis_url, database, clock, **ticks) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        yield fleet
