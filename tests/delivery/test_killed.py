"""A worker is killed at any moment: nothing is lost, and what is told twice is told under the same key."""

import asyncio

import pytest

from app.channels.ways import open_ways
from app.courier import Courier
from app.domain.delivery import LEASE
from tests.delivery.killing import Fuse, mortal, until_killed
from tests.delivery.test_bundles import slack
from tests.delivery.world import World


async def work_until_killed(world: World, length: int) -> bool:
    """One look of a courier that dies after so many steps; whether it came to that."""
    fuse = Fuse(length)
    context = mortal(world.context, fuse)
    async with open_ways(world.context.settings) as ways:
        return await until_killed(asyncio.create_task(Courier(context, ways).work_off()), fuse)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "again"), [("webhook", False), ("slack", False), ("slack", True)])
async def test_whatever_a_worker_is_killed_at_nothing_is_lost_and_repeats_have_the_same_key(
    world: World, kind: str, again: bool
) -> None:
    """`again`: one more is killed when the rest of the storm is due."""
    await (slack(world) if kind == "slack" else world.channel())
    length, alive = 0, False
    while not alive:
        length += 1
        names = [f"{length:03}-{number}" for number in range(4)]
        for name in names:
            await world.open(subject_id=name, title=f"Till {name} is off")
        alive = not await work_until_killed(world, length)
        world.clock.advance(5)
        if again:
            alive = not await work_until_killed(world, length) and alive
        for _ in range(3):
            await world.send(LEASE.total_seconds())
        assert {one.is_finished for one in await world.deliveries()} == {True}
        for name in names:
            told = [call for call in world.receiver.calls if f"Till {name} is off" in call.body.decode()]
            assert len({call.headers["Idempotency-Key"] for call in told}) == 1, (length, name)
        world.receiver.calls.clear()
        await world.send(60)
    assert length > 20
