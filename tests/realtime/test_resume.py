"""Whoever comes back with a cursor has everything between exactly once, or is told to start anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pymongo import MongoClient

from app.context import Context
from app.domain.alert import AlertEvent
from app.domain.cursor import StreamCursor, write_cursor
from app.domain.ids import LANES, lane_of
from app.realtime.alert_stream import StreamItem, alert_events
from app.realtime.follower import Follower
from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import both, owner
from tests.realtime.log import EVERYTHING, PATIENCE_SEC, Log, kinds, places, subscribed

Client = MongoClient[dict[str, Any]]
START = dict.fromkeys(range(LANES), 0)
ACME = lane_of("acme")


@asynccontextmanager
async def small_hub(context: Context, kept: int) -> AsyncIterator[Hub]:
    """A hub that remembers this many events."""
    hub = Hub(context)
    hub.follower = Follower(context.store.events, hub._on_events, kept)
    async with running("hub", hub.run):
        await hub.follower.ready.wait()
        yield hub
        hub.stop()


async def cursor_at(context: Context, positions: dict[int, int], epoch: str | None = None) -> str:
    return write_cursor(StreamCursor(epoch or await context.store.events.epoch(), 0, positions))


async def take(hub: Hub, after: str | None, count: int) -> list[StreamItem]:
    """What a subscriber is told that goes away after so many items."""
    stream = alert_events(hub, both, EVERYTHING, after)
    async with asyncio.timeout(PATIENCE_SEC):
        items = [await anext(stream) for _ in range(count)]
    await stream.aclose()
    return items


def of_lane(events: list[tuple[int, int]], lane: int) -> list[int]:
    return [seq for at, seq in events if at == lane]


@dataclass(frozen=True, slots=True)
class Written:
    """A hub over a record that is there already, and a cursor of before it."""

    hub: Hub
    start: str
    everything: list[AlertEvent]


@pytest.fixture(params=[7, 10_000], ids=["from the record", "from the ring"])
async def written(request: pytest.FixtureRequest, context: Context, log: Log) -> AsyncIterator[Written]:
    start = await cursor_at(context, START)
    async with small_hub(context, request.param) as hub:
        for tenant_id, device_id in (("acme", "till-1"), ("umbrella", "till-1"), ("acme", "till-2")):
            await log.comment(await log.open(tenant_id, device_id), 12)
        async with subscribed(hub, both, after=start) as heard:
            await heard.count(39)
        yield Written(hub, start, await log.everything("acme", "umbrella"))


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(1, 9), max_size=12))
async def test_cuts_at_any_points_lose_and_repeat_nothing(written: Written, cuts: list[int]) -> None:
    cursor, heard = written.start, list[tuple[int, int]]()
    for cut in [*cuts, len(written.everything)]:
        items = await take(written.hub, cursor, min(cut, len(written.everything) - len(heard)))
        heard += places(items)
        cursor = items[-1].cursor if items else cursor
    for lane in (ACME, lane_of("umbrella")):
        assert of_lane(heard, lane) == [event.seq for event in written.everything if event.lane == lane]


async def test_a_subscriber_that_falls_behind_the_ring_reads_on_from_the_record(context: Context, log: Log) -> None:
    async with small_hub(context, kept=5) as hub, subscribed(hub, both) as control:
        stream = alert_events(hub, both, EVERYTHING, None)
        first = asyncio.ensure_future(anext(stream))
        alert = await log.open("acme", "till-1")
        items = [await first]
        for _ in range(6):
            await log.comment(alert, 20)
        await control.count(121)
        items += [await anext(stream) for _ in range(120)]
        await log.comment(alert)
        items.append(await anext(stream))
        await stream.aclose()
        assert places(items) == [(event.lane, event.seq) for event in await log.everything("acme")]
        assert hub.replays >= 1


async def test_events_that_are_written_during_a_replay_come_once(context: Context, log: Log) -> None:
    start = await cursor_at(context, START)
    alert = await log.open("acme", "till-1")
    await log.comment(alert, 700)
    async with small_hub(context, kept=50) as hub, subscribed(hub, both, after=start) as heard:
        for _ in range(10):
            await log.comment(alert, 9)
        items = await heard.count(791)
    assert places(items) == [(ACME, seq) for seq in range(1, 792)]


async def test_a_lane_that_a_cursor_does_not_know_starts_at_its_head(context: Context, log: Log) -> None:
    await log.open("acme", "till-1")
    await log.open("umbrella", "till-1")
    async with small_hub(context, 100) as hub, subscribed(hub, both, after=await cursor_at(context, {ACME: 0})) as heard:
        await heard.count(1)
        await log.open("umbrella", "till-2")
        items = await heard.count(2)
    assert places(items) == [(ACME, 1), (lane_of("umbrella"), 2)]


async def test_a_cursor_older_than_what_is_kept_is_answered_with_a_fresh_one(
    context: Context, log: Log, mongo_client: Client, database: str
) -> None:
    start = await cursor_at(context, START)
    alert = await log.open("acme", "till-1")
    await log.comment(alert, 9)
    mongo_client[database]["alert_events"].delete_many({"seq": {"$lte": 4}})
    async with small_hub(context, 100) as hub:
        async with subscribed(hub, owner, after=start) as heard:
            await heard.count(1)
            await log.comment(alert)
            items = await heard.count(2)
        assert (kinds(items), places(items)) == (["RESYNC", "COMMENTED"], [(ACME, 11)])
        assert hub.resyncs == 1
        edge = await cursor_at(context, {ACME: 4})
        async with subscribed(hub, owner, after=edge) as heard:
            assert places(await heard.count(7)) == [(ACME, seq) for seq in range(5, 12)]
        async with subscribed(hub, owner, after=items[0].cursor) as heard:
            assert places(await heard.count(1)) == [(ACME, 11)]


async def test_a_cursor_into_a_lane_of_which_nothing_is_kept_is_answered_with_a_fresh_one(
    context: Context, log: Log, mongo_client: Client, database: str
) -> None:
    await log.open("acme", "till-1")
    mongo_client[database]["alert_events"].delete_many({})
    async with small_hub(context, 100) as hub, subscribed(hub, owner, after=await cursor_at(context, START)) as heard:
        assert kinds(await heard.count(1)) == ["RESYNC"]


@pytest.mark.parametrize(("epoch", "seq"), [("another", 0), (None, 99)], ids=["of another epoch", "from the future"])
async def test_a_cursor_that_does_not_hold_is_answered_with_a_fresh_one(
    context: Context, log: Log, epoch: str | None, seq: int
) -> None:
    alert = await log.open("acme", "till-1")
    after = await cursor_at(context, {ACME: seq}, epoch)
    async with small_hub(context, 100) as hub, subscribed(hub, owner, after=after) as heard:
        await heard.count(1)
        await log.comment(alert)
        items = await heard.count(2)
    assert (kinds(items), places(items)) == (["RESYNC", "COMMENTED"], [(ACME, 2)])


async def test_a_cursor_of_a_process_that_was_ahead_of_this_one_holds(context: Context, log: Log) -> None:
    """It was given by another process, whose bell rang earlier."""
    alert = await log.open("acme", "till-1")
    async with small_hub(context, 100) as hub:
        hub.follower.positions[ACME] = 0
        after = await cursor_at(context, {ACME: 1})
        async with subscribed(hub, owner, after=after) as heard:
            await log.comment(alert)
            items = await heard.count(1)
    assert (kinds(items), places(items)) == (["COMMENTED"], [(ACME, 2)])
