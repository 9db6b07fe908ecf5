"""How the outbox is doing, for people and for Prometheus: read by indexes alone."""

from datetime import timedelta

import pytest
from starlette.requests import Request

from app.delivery_counts import add_outcomes
from app.domain.delivery import UNFINISHED, DeliveryStatus
from app.probes import Probes
from app.realtime.hub import Hub
from app.system import system_status
from jobs.queue import Queue
from tests.cast import viewer
from tests.counting import counted
from tests.delivery.world import World
from tests.elsewhere import Client, failing
from tests.watchman.platform import Platform


@pytest.fixture
def world(platform: Platform) -> World:
    return World(platform.context, platform.clock, platform.receiver)


async def fill(platform: Platform) -> None:
    now = platform.clock.now()
    await platform.delivery(1, DeliveryStatus.PENDING, now - timedelta(seconds=20))
    await platform.delivery(2, DeliveryStatus.SENDING, now - timedelta(seconds=30.5), lease="gone")
    await platform.delivery(3, DeliveryStatus.PENDING, now + timedelta(hours=8))
    await platform.delivery(4, DeliveryStatus.PENDING, None)
    await platform.delivery(5, DeliveryStatus.SENT, None)
    await platform.delivery(6, DeliveryStatus.DEAD, None)


async def metrics(platform: Platform) -> dict[str, float]:
    context = platform.context
    queue = Queue(context.settings.redis_url)
    answer = await Probes(context, Hub(context), queue).metrics(Request({"type": "http"}))
    await queue.close()
    lines = bytes(answer.body).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


async def test_the_system_says_how_much_waits_and_for_how_long_the_oldest_that_may_go(platform: Platform) -> None:
    empty = await system_status(platform.context, viewer)
    assert (empty.delivery_queue, empty.oldest_delivery_sec) == (0, 0.0)
    await fill(platform)
    status = await system_status(platform.context, viewer)
    assert (status.delivery_queue, status.oldest_delivery_sec) == (4, 30.5)


async def test_prometheus_sees_the_same(platform: Platform) -> None:
    await fill(platform)
    seen = await metrics(platform)
    assert (seen["fleetbeat_delivery_queue"], seen["fleetbeat_oldest_delivery_seconds"]) == (4, 30.5)


async def test_prometheus_sees_what_became_of_tries_by_kind_of_channel(platform: Platform, world: World) -> None:
    await add_outcomes(platform.context)  # what other tests left behind
    before = await metrics(platform)
    await world.channel()
    platform.receiver.answers = [500, 404]
    for name in ("pos-1", "pos-2", "pos-3"):
        await world.open(subject_id=name)
        await world.send()
    await world.send(after_sec=10)
    await add_outcomes(platform.context)
    seen = await metrics(platform)
    names = {outcome: f'fleetbeat_deliveries{{kind="webhook",outcome="{outcome}"}}' for outcome in ("sent", "dead", "retried")}
    tries = {outcome: seen[name] - before.get(name, 0) for outcome, name in names.items()}
    assert tries == {"sent": 2, "dead": 1, "retried": 1}


async def test_counts_that_cannot_be_added_are_added_later(platform: Platform, world: World, mongo_client: Client) -> None:
    await add_outcomes(platform.context)  # what other tests left behind
    before = (await platform.context.store.delivery_figures.outcomes()).get(("webhook", "sent"), 0)
    await world.channel()
    await world.open()
    await world.send()
    with failing(mongo_client, "update", 1, errorCode=2), pytest.raises(Exception, match="failCommand"):
        await add_outcomes(platform.context)
    for _ in range(2):
        await add_outcomes(platform.context)
    assert (await platform.context.store.delivery_figures.outcomes())["webhook", "sent"] == before + 1


async def test_the_figures_read_no_delivery_that_is_finished(platform: Platform) -> None:
    await fill(platform)
    deliveries = platform.context.mongo.database["deliveries"]
    for number in range(10, 60):
        await platform.delivery(number, DeliveryStatus.SENT, None)
    unfinished = {"status": {"$in": [status.value for status in UNFINISHED]}}
    plan = await deliveries.find(unfinished).hint("unfinished").explain()
    assert plan["executionStats"]["totalKeysExamined"] <= 6
    with counted(platform.context.settings.mongo_database) as asked:
        assert await platform.context.store.delivery_figures.unfinished() == 4
        await platform.context.store.delivery_figures.oldest_due_at(platform.clock.now())
    assert asked == ["aggregate", "find"]
    chosen = await deliveries.find(unfinished).explain()
    assert "unfinished" in str(chosen["queryPlanner"]["winningPlan"])
