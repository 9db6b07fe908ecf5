"""A platform that is well, with a webhook and a monitor outside that listen on the loopback."""

from collections.abc import AsyncIterator

import pytest

from app.clock import ManualClock
from tests.cast import NOW, open_test_context
from tests.delivery.receiver import Receiver, receiving
from tests.watchman.platform import Platform


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def platform(mongo_uri: str, redis_url: str, database: str, receiver: Receiver) -> AsyncIterator[Platform]:
    clock = ManualClock(NOW)
    addresses = {"deadman_url": receiver.url + "/alive", "platform_webhook_url": receiver.url + "/platform"}
    async with (
        open_test_context(mongo_uri, redis_url, database, clock, allow_private_webhooks=True, **addresses) as context,
        Platform(context, clock, receiver) as platform,
    ):
        yield platform
