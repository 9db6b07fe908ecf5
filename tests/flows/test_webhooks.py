"""From a breach to a webhook that is received, through processes of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from app.domain.tenant import Role
from tests.delivery.receiver import receiving
from tests.flows.documents import BEAT, CREATE_TENANT, REGISTER
from tests.flows.installation import Installation, installed

CREATE_CHANNEL = "mutation($input: ChannelInput!) { createChannel(input: $input) { id target } }"
TOLD = "{ deliveries { status attempts recipient channel { name } } }"
SECRET = "a key for the tests 0123456789"


@pytest.fixture
async def telling(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database, ALLOW_PRIVATE_WEBHOOKS="true") as here:
        yield here


async def test_a_silent_device_is_told_by_webhook_once_and_its_return_once(
    telling: Installation, figure: Callable[[str], None]
) -> None:
    await telling.person().ask(CREATE_TENANT, id="acme", name="Acme")
    admin = telling.person(Role.ADMIN, "acme", name="olga")
    token = (await admin.ask(REGISTER, input={"deviceId": "till-1", "name": "Till 1"}))["registerDevice"]["token"]
    device = telling.device(token)
    async with receiving() as receiver:
        webhook = {"url": receiver.url, "secret": SECRET}
        await admin.ask(CREATE_CHANNEL, input={"name": "Pager", "config": {"webhook": webhook}})
        await device.ask(BEAT, input={"deviceId": "till-1"})
        beaten = time.monotonic()
        await receiver.until(1)
        late = time.monotonic() - beaten - 5
        await device.ask(BEAT, input={"deviceId": "till-1"})
        beaten = time.monotonic()
        await receiver.until(2)
        back = time.monotonic() - beaten
        figure(f"webhook received {late:.2f} s after the deadline of a silent device, {back:.2f} s after the beat of its return")
        assert late < 30
        assert back < 30
        async with asyncio.timeout(15):
            while [one["status"] for one in (await admin.ask(TOLD))["deliveries"]] != ["SENT", "SENT"]:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        assert receiver.events() == ["device.offline", "device.online"]
        assert [call.said["device"]["status"] for call in receiver.calls] == ["offline", "online"]
