"""An outage is told once, and its end once, however often anybody looks."""

import asyncio

import pytest

from app.domain.channel import WebhookFormat
from app.domain.channel_input import WebhookInput
from tests.delivery.world import KEY, World
from tests.evaluation.fleet import Fleet


@pytest.fixture
async def fleet(world: World) -> Fleet:
    fleet = Fleet(world.context, world.clock)
    await fleet.sign()
    return fleet


async def look(fleet: Fleet, world: World, times: int, every: float = 1) -> None:
    """Two sweeps and two couriers at once, so often."""
    for _ in range(times):
        await fleet.pass_time(every)
        await asyncio.gather(fleet.sweep(), fleet.sweep())
        await asyncio.gather(world.send(), world.send())


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (WebhookFormat.FLEETBEAT, ["device.offline", "device.online"]),
        (WebhookFormat.MACHINE, ["machine.offline", "machine.online"]),
    ],
    ids=lambda value: value.name if isinstance(value, WebhookFormat) else "",
)
async def test_each_outage_is_told_once_and_its_end_once(
    fleet: Fleet, world: World, written: WebhookFormat, names: list[str]
) -> None:
    await world.channel(config=WebhookInput(url=world.receiver.url, secret=KEY, format=written))
    await fleet.add("pos-1", offline_after=5)
    for _ in range(2):
        await fleet.beat("pos-1")
        await look(fleet, world, 20)
        await fleet.beat("pos-1")
        await look(fleet, world, 4)
        await fleet.pass_time(900)  # the cooldown
    assert world.receiver.events() == names * 2


async def test_a_store_that_loses_its_line_is_one_message_and_its_return_one(fleet: Fleet, world: World) -> None:
    await world.channel()
    tills = [f"pos-{number}" for number in range(20)]
    await fleet.add(*tills, offline_after=30, store_id="north")
    for till in tills:
        await fleet.beat(till)
    await look(fleet, world, 45, every=2)
    assert world.receiver.events() == ["alert.opened"]
    assert world.receiver.calls[0].said["alert"]["subject_kind"] == "store"
    for till in tills:
        await fleet.beat(till)
    await look(fleet, world, 10)
    assert world.receiver.events() == ["alert.opened", "alert.resolved"]
