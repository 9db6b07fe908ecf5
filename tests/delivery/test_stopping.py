"""A courier that is stopped, as at every deploy: what is under way comes to its end, and nobody is told twice for it."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from app.channels.ways import Ways, open_ways
from app.context import Context
from app.courier import Courier
from app.domain.channel import Channel
from app.domain.delivery import LEASE, DeliveryStatus
from app.messages import Desk, Parcel, open_desk
from tests.delivery.test_bundles import burst, slack
from tests.delivery.world import World

FAR_TOO_LONG_SEC = 3_600.0


async def stop(work: "asyncio.Task[None]") -> None:
    """As supervisors do: again and again."""
    for _ in range(3):
        work.cancel()
        await asyncio.wait([work], timeout=0)


async def work_that_is_stopped_on_its_way(world: World, ways: Ways, drain_sec: float) -> "asyncio.Task[None]":
    work = asyncio.create_task(Courier(world.context, ways, drain_sec).run())
    await world.receiver.until(1)
    await stop(work)
    return work


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_what_is_under_way_at_the_stop_ends_sent_and_is_received_once(world: World, kind: str) -> None:
    await (slack(world) if kind == "slack" else world.channel())
    await world.open()
    world.receiver.answers = ["late"]
    async with open_ways(world.context.settings) as ways:
        work = await work_that_is_stopped_on_its_way(world, ways, FAR_TOO_LONG_SEC)
        assert not work.done()
        world.receiver.over.set()
        await asyncio.wait([work])
    assert await world.states() == ["SENT"]
    await world.send(LEASE.total_seconds())
    assert len(world.receiver.calls) == 1


async def test_a_receiver_that_hangs_holds_the_stop_no_longer_than_the_bound(world: World) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = ["hang"]
    async with open_ways(world.context.settings) as ways:
        work = await work_that_is_stopped_on_its_way(world, ways, 0.01)
        await asyncio.wait([work], timeout=5)
        assert work.done()
    await world.send(LEASE.total_seconds())
    assert await world.states() == ["SENT"]


async def test_nothing_new_is_begun_after_the_stop(world: World) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = ["late"]
    async with open_ways(world.context.settings) as ways:
        work = await work_that_is_stopped_on_its_way(world, ways, FAR_TOO_LONG_SEC)
        await world.open(subject_id="pos-2")
        world.receiver.over.set()
        await asyncio.wait([work])
    assert await world.states() == ["SENT", "PENDING"]
    assert len(world.receiver.calls) == 1


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_what_was_taken_and_not_begun_at_the_stop_is_free_at_once(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (slack(world) if kind == "slack" else world.channel())
    await burst(world, 2)
    taken, go_on = asyncio.Event(), asyncio.Event()

    async def halting(context: Context, parcels: Sequence[Parcel], channels: Mapping[str, Channel]) -> Desk:
        taken.set()
        await go_on.wait()
        return await open_desk(context, parcels, channels)

    monkeypatch.setattr("app.courier.open_desk", halting)
    async with open_ways(world.context.settings) as ways:
        work = asyncio.create_task(Courier(world.context, ways, FAR_TOO_LONG_SEC).run())
        await taken.wait()
        await stop(work)
        go_on.set()
        await asyncio.wait([work])
    assert {(one.status, one.attempts) for one in await world.deliveries()} == {(DeliveryStatus.PENDING, 0)}
    assert world.receiver.calls == []
    await world.send()
    assert {one.attempts for one in await world.deliveries() if one.status is DeliveryStatus.SENT} == {1}
