"""The courier looks after everybody: whoever hangs, fails, or has much to be told holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from pymongo import MongoClient

from app.channels.ways import open_ways
from app.courier import OF_ONE_CHANNEL, PAGE, Courier
from app.domain.channel_input import SlackInput
from app.domain.pace import MOST_IN_BUNDLE
from tests.cast import outsider, owner
from tests.delivery.world import World
from tests.jobs.queue import until


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[Courier]:
    """A courier that works off what is due while the body runs, and is stopped with it."""
    async with open_ways(world.context.settings) as ways:
        courier = Courier(world.context, ways)
        task = asyncio.create_task(courier.work_off())
        try:
            yield courier
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def many_like_the_first(world: World, count: int) -> None:
    """As if so many alerts more had opened in the same tick."""
    first = (await world.deliveries())[0]
    rows = [msgspec.structs.replace(first, id=f"{first.id}-{number}") for number in range(1, count)]
    await world.context.store.deliveries.insert(rows)


async def failed_once(world: World) -> bool:
    return any(one.error is not None for one in await world.deliveries())


async def test_a_page_full_of_what_hangs_hides_nobody(world: World) -> None:
    await world.channel(owner, "/slow")
    await world.open()
    await many_like_the_first(world, PAGE + 100)
    world.receiver.answers = ["hang"] * OF_ONE_CHANNEL
    async with at_work(world) as courier:
        await world.receiver.until(OF_ONE_CHANNEL)
        await world.channel(outsider, "/quick")
        world.clock.advance(1)
        await world.open(subject_id="other", tenant_id="umbrella", first_seen=world.clock.now())
        courier.wake()
        calls = await world.receiver.until(OF_ONE_CHANNEL + 1)
        assert calls[-1].path == "/hook/quick"


async def test_who_is_due_by_time_alone_does_not_wait_for_one_that_hangs(world: World) -> None:
    await world.channel(owner, "/slow")
    await world.open()
    world.receiver.answers = ["hang", 503]
    async with at_work(world) as courier:
        await world.receiver.until(1)
        await world.channel(outsider, "/quick")
        await world.open(subject_id="other", tenant_id="umbrella")
        courier.wake()
        await world.receiver.until(2)
        await until(lambda: failed_once(world))
        world.clock.advance(3)
        async with asyncio.timeout(5):
            calls = await world.receiver.until(3)
        assert [call.path for call in calls] == ["/hook/slow", "/hook/quick", "/hook/quick"]


async def test_thousands_that_wait_behind_others_hold_up_neither_new_ones_nor_other_recipients(world: World) -> None:
    for path in ("/down", "/well"):
        await world.channel(path=path, config=SlackInput(webhook_url=world.receiver.url + path))
    first, second = (await world.open(subject_id="first")), await world.open(subject_id="second")
    [down, *_] = rows = [one for one in await world.deliveries() if one.alert_id == second.id]
    wait = msgspec.structs.replace(down, alert_id=first.id, next_attempt_at=None)
    behind = [msgspec.structs.replace(wait, id=f"behind-{number}", seq=0) for number in range(MOST_IN_BUNDLE)]
    await world.context.store.deliveries.insert(behind)
    await world.context.mongo.database["deliveries"].delete_many({"alert_id": first.id, "next_attempt_at": {"$ne": None}})
    assert len(rows) == 2
    async with asyncio.timeout(10):
        await world.send()
    assert sorted(call.path for call in world.receiver.calls) == ["/hook/down", "/hook/well"]


async def test_a_look_that_fails_leaves_alone_what_is_under_way(
    world: World, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    await world.channel(owner, "/slow")
    await world.open()
    world.receiver.answers = ["hang"]
    async with at_work(world) as courier:
        await world.receiver.until(1)
        await world.channel(outsider, "/quick")
        await world.open(subject_id="other", tenant_id="umbrella")
        fault = {"failCommands": ["find"], "errorCode": 2, "namespace": "fleetbeat_test.deliveries"}
        mongo_client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)
        courier.wake()
        await world.receiver.until(2)
    assert (await world.deliveries())[0].attempts == 1
