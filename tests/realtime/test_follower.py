"""The follower hands on what is contiguous, says what is lost, and never stops."""

import asyncio
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from app.clock import DatabaseClock
from app.context import Context
from app.domain.ids import lane_of
from app.embedded import redis_url as url_of, start_redis
from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import both, open_test_context, outsider, owner
from tests.realtime.log import Log, kinds, places, subscribed

Client = MongoClient[dict[str, Any]]
ACME = lane_of("acme")


async def test_a_hole_is_passed_over_counted_and_answered_with_resync(
    hub: Hub, log: Log, mongo_client: Client, database: str
) -> None:
    assert lane_of("umbrella") != ACME
    async with subscribed(hub, owner) as heard, subscribed(hub, outsider) as elsewhere:
        alert = await log.open("acme", "till-1")
        await heard.count(1)
        mongo_client[database]["lanes"].update_one({"_id": ACME}, {"$inc": {"seq": 2}})
        await log.comment(alert)
        items = await heard.count(3)
        await log.open("umbrella", "till-1")
        others = await elsewhere.count(1)
    assert (kinds(items), places(items)) == (["OPENED", "RESYNC", "COMMENTED"], [(ACME, 1), (ACME, 4)])
    assert kinds(others) == ["OPENED"]
    assert (hub.holes, hub.resyncs) == (1, 1)


async def test_a_hole_in_a_replay_is_answered_with_resync(
    context: Context, hub: Hub, log: Log, mongo_client: Client, database: str
) -> None:
    async with subscribed(hub, owner) as heard:
        alert = await log.open("acme", "till-1")
        await log.comment(alert, 5)
        first = (await heard.count(6))[0].cursor
    mongo_client[database]["alert_events"].delete_one({"lane": ACME, "seq": 3})
    again = Hub(context)
    async with running("hub", again.run), subscribed(again, owner, after=first) as heard:
        items = await heard.count(5)
        again.stop()
    assert kinds(items) == ["COMMENTED", "RESYNC", "COMMENTED", "COMMENTED", "COMMENTED"]


async def test_a_record_that_went_back_in_time_is_answered_with_resync(
    hub: Hub, log: Log, mongo_client: Client, database: str
) -> None:
    async with subscribed(hub, owner) as heard:
        alert = await log.open("acme", "till-1")
        await log.comment(alert, 5)
        old = (await heard.count(6))[-1].cursor
        mongo_client[database]["alert_events"].delete_many({"lane": ACME, "seq": {"$gt": 2}})
        mongo_client[database]["lanes"].update_one({"_id": "epoch"}, {"$set": {"value": "restored"}})
        mongo_client[database]["lanes"].update_one({"_id": ACME}, {"$set": {"seq": 2}})
        await heard.count(7)
        await log.comment(alert)
        items = await heard.count(8)
        async with subscribed(hub, owner, after=old) as resumed:
            assert kinds(await resumed.count(1)) == ["RESYNC"]
    assert kinds(items)[6:] == ["RESYNC", "COMMENTED"]
    assert places(items)[-1] == (ACME, 3)


async def test_news_come_once_while_redis_is_away(mongo_uri: str, database: str, tmp_path: Path) -> None:
    redis = start_redis(tmp_path, wished_port=0)
    try:
        async with open_test_context(mongo_uri, url_of(redis.port), database, DatabaseClock()) as context:
            hub, log = Hub(context), Log(context)
            async with running("hub", hub.run), subscribed(hub, both) as heard:
                alert = await log.open("acme", "till-1")
                await heard.count(1)
                redis.child.kill()
                redis.child.wait(5)
                for count in (2, 3, 4):
                    await log.comment(alert)
                    await heard.count(count)
                redis = start_redis(tmp_path, wished_port=redis.port)
                await asyncio.wait_for(_rings(context), 10)
                await log.comment(alert, 3)
                items = await heard.count(7)
                assert places(items) == [(ACME, seq) for seq in range(1, 8)]
                hub.stop()
    finally:
        redis.stop()


async def test_the_follower_goes_on_after_the_database_failed(hub: Hub, log: Log, mongo_client: Client) -> None:
    alert = await log.open("acme", "till-1")
    failing = {"failCommands": ["find"], "closeConnection": True, "appName": "fleetbeat"}
    async with subscribed(hub, owner) as heard:
        mongo_client.admin.command("configureFailPoint", "failCommand", mode={"times": 8}, data=failing)
        try:
            await log.comment(alert)
            items = await heard.until(lambda items: "COMMENTED" in kinds(items))
        finally:
            mongo_client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert kinds(items)[-1:] == ["COMMENTED"]


async def test_a_process_knows_how_far_it_is_behind(hub: Hub, log: Log) -> None:
    async with subscribed(hub, owner) as heard:
        await log.open("acme", "till-1")
        await heard.count(1)
    assert hub.events_seen == 1
    assert 0 <= hub.lag_sec < 5


async def _rings(context: Context) -> None:
    """Until Redis answers again."""
    while not await context.bus.ping():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
