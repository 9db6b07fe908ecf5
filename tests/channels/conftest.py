"""A far end on the loopback for every test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.delivery.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
