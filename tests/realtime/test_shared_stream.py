"""Those who ask the same are told by one stream, and nobody notices: each event once, in order, whoever comes and goes."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from app.context import Context
from app.domain.ids import lane_of
from app.principal import Principal
from app.realtime.hub import Hub
from schema.alerts import alert
from schema.asgi import FleetbeatGraphQL
from schema.build import build_schema
from schema.context import OperationContext
from schema.documents import digest_of
from schema.errors import ErrorPresenter, nothing_known
from schema.question import question_of
from schema.transport import Seams, Transport, TransportOptions
from tests.api.serving import Serve, serve
from tests.cast import mate, outsider, owner, viewer
from tests.flows.client import Api, Stream
from tests.realtime.log import Log

__all__ = ["serve"]
PEOPLE = {person.id: person for person in (owner, mate, viewer, outsider)}
EVENTS = "subscription($filter: AlertFilter, $after: Cursor) { alertEvents(filter: $filter, after: $after) { id cursor type alert { id title } } }"
LONG = "subscription { alertEvents { id alert { message } } }"
WITH_CHANNELS = "subscription { alertEvents { id alert { deliveries { channel { name } } } } }"


class Stage:
    """An API on a port, with people who may sign in by their names."""

    def __init__(self, graphql: FleetbeatGraphQL, session: aiohttp.ClientSession, url: str) -> None:
        self.graphql = graphql
        self._session = session
        self._url = url

    def api(self, person: Principal = owner) -> Api:
        return Api(self._session, self._url, person.id)


@pytest.fixture
async def stage(context: Context, hub: Hub, serve: Serve) -> AsyncIterator[Stage]:
    async def who(authorization: str | None, _: str | None) -> Principal:
        return PEOPLE[authorization or ""]

    seams = Seams(who, lambda person: OperationContext(context, person, hub, alert), context.clock.now)
    graphql = FleetbeatGraphQL(build_schema(), Transport(seams, TransportOptions(), ErrorPresenter(nothing_known)))
    served = await serve(graphql)
    async with aiohttp.ClientSession() as session:
        yield Stage(graphql, session, served.http)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)


def sleepers(hub: Hub) -> int:
    """How many streams are woken by an event of acme."""
    return hub.follower.interests.resting_in(lane_of("acme"))


async def ids(stream: Stream, count: int) -> list[str]:
    return [one["alertEvents"]["id"] for one in await stream.take(count, 20)]


async def test_of_many_who_ask_the_same_one_stream_is_woken(stage: Stage, hub: Hub, log: Log) -> None:
    async with asyncio.TaskGroup() as group, listening(stage, 30) as streams:
        await until(lambda: sleepers(hub) == 1)
        assert (len(stage.graphql.streams), hub.subscribers) == (1, 30)
        opened = await log.open("acme", "till-1")
        await log.comment(opened, 9)
        heard = [group.create_task(ids(stream, 10)) for stream in streams]
        await asyncio.gather(*heard)
    assert len({tuple(task.result()) for task in heard}) == 1
    assert heard[0].result() == [event.id for event in await log.everything("acme")]


async def test_whoever_comes_while_much_happens_hears_each_event_once_and_in_order(stage: Stage, hub: Hub, log: Log) -> None:
    opened = await log.open("acme", "till-1")
    await until(lambda: hub.follower.positions[lane_of("acme")] == 1)
    async with stage.api().subscribe(EVENTS) as first:
        await log.comment(opened)
        cursor = (await first.next())["alertEvents"]["cursor"]

    async def listen(delay: float) -> list[str]:
        await asyncio.sleep(delay)
        async with stage.api().subscribe(EVENTS, after=cursor) as stream:
            return await ids(stream, 200)

    chance = random.Random(7)
    async with asyncio.TaskGroup() as group:
        heard = [group.create_task(listen(chance.uniform(0, 0.5))) for _ in range(25)]
        for _ in range(40):
            await log.comment(opened, 5)
    expected = [event.id for event in await log.everything("acme")][2:]
    assert [task.result() for task in heard] == [expected] * 25


async def test_who_asks_otherwise_or_may_see_otherwise_has_another_stream(stage: Stage, hub: Hub, log: Log) -> None:
    high = {"severity": ["HIGH"]}
    async with (
        stage.api(owner).subscribe(EVENTS) as all_of_acme,
        stage.api(owner).subscribe(EVENTS, filter=high),
        stage.api(outsider).subscribe(EVENTS) as all_of_umbrella,
    ):
        await until(lambda: len(stage.graphql.streams) == 3)
        mine = await log.open("acme", "till-1")
        theirs = await log.open("umbrella", "till-1")
        assert (await all_of_acme.next())["alertEvents"]["alert"]["id"] == mine.id
        assert (await all_of_umbrella.next())["alertEvents"]["alert"]["id"] == theirs.id
    await until(lambda: len(stage.graphql.streams) == 0)
    assert hub.subscribers == 0


async def test_what_shows_people_different_things_is_shared_with_nobody_else(stage: Stage) -> None:
    async with stage.api(owner).subscribe(WITH_CHANNELS), stage.api(owner).subscribe(WITH_CHANNELS):
        await until(lambda: len(stage.graphql.streams) == 1)
        assert question_of(WITH_CHANNELS, None, None, owner) != question_of(WITH_CHANNELS, None, None, viewer)
        assert question_of(EVENTS, None, {}, mate) == question_of(EVENTS, None, {}, mate)


async def test_who_asks_by_the_hash_of_a_document_sits_with_those_who_sent_it(stage: Stage, hub: Hub, log: Log) -> None:
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest_of(EVENTS)}}
    async with stage.api().subscribe(EVENTS) as by_text, stage.api().subscribe(EVENTS) as by_hash:
        asked = {"id": "2", "type": "subscribe", "payload": {"query": "", "extensions": persisted}}
        await by_hash.socket.send(json.dumps(asked))
        await until(lambda: sleepers(hub) == 1 and hub.subscribers == 3)
        opened = await log.open("acme", "till-1")
        assert await ids(by_text, 1) == [(await log.everything("acme"))[0].id]
        assert len(set(await ids(by_hash, 2))) == 1
        assert len(stage.graphql.streams) == 1
        await log.comment(opened)
        assert len(await ids(by_hash, 2)) == 2


async def test_one_that_leaves_leaves_the_others(stage: Stage, hub: Hub, log: Log) -> None:
    async with stage.api().subscribe(EVENTS) as stays:
        async with stage.api().subscribe(EVENTS) as leaves:
            await until(lambda: sleepers(hub) == 1 and hub.subscribers == 2)
            opened = await log.open("acme", "till-1")
            await ids(leaves, 1)
        await until(lambda: hub.subscribers == 1)
        await log.comment(opened)
        assert len(await ids(stays, 2)) == 2


async def test_a_subscription_that_is_over_is_told_nothing_under_its_id(stage: Stage, hub: Hub, log: Log) -> None:
    async with stage.api().subscribe(EVENTS) as stays, stage.api().subscribe(EVENTS) as ends:
        await until(lambda: sleepers(hub) == 1 and hub.subscribers == 2)
        await ends.socket.send('{"id":"1","type":"complete"}')
        await until(lambda: hub.subscribers == 1)
        await log.open("acme", "till-1")
        await ids(stays, 1)
        await ends.socket.send('{"type":"ping"}')
        assert "pong" in str(await ends.socket.recv())


async def test_who_does_not_read_for_a_while_misses_nothing_and_holds_up_nobody(stage: Stage, hub: Hub, log: Log) -> None:
    opened = await log.open("acme", "till-1")
    await until(lambda: hub.follower.positions[lane_of("acme")] == 1)
    long = msgspec.structs.replace(opened, message="x" * 10_000)
    async with stage.api().subscribe(LONG) as quick, stage.api().subscribe(LONG) as slow:
        await until(lambda: sleepers(hub) == 1 and hub.subscribers == 2)
        slow.socket.transport.pause_reading()
        for _ in range(10):
            await log.comment(long, 100)
            await ids(quick, 100)
        slow.socket.transport.resume_reading()
        heard = await ids(slow, 1_000)
        await until(lambda: sleepers(hub) == 1)
    assert heard == [event.id for event in await log.everything("acme")][1:]


async def test_the_cursor_of_a_shared_event_resumes_behind_it(stage: Stage, hub: Hub, log: Log) -> None:
    async with stage.api().subscribe(EVENTS) as one, stage.api().subscribe(EVENTS) as two:
        await until(lambda: sleepers(hub) == 1 and hub.subscribers == 2)
        opened = await log.open("acme", "till-1")
        cursor = (await one.next())["alertEvents"]["cursor"]
        assert (await two.next())["alertEvents"]["cursor"] == cursor
        await log.comment(opened, 3)
        async with stage.api().subscribe(EVENTS, after=cursor) as later:
            assert await ids(later, 3) == await ids(one, 3)


@pytest.mark.parametrize(
    "query",
    [
        "{ alerts { nodes { id } } }",
        'subscription { alertEvents(after: "x") { id } }',
        "subscription($on: Boolean!) { alertEvents @include(if: $on) { id } }",
        "subscription { overview { activeAlerts } }",
        "subscription { ...F } fragment F on Subscription { alertEvents { id } }",
        "subscription A { alertEvents { id } } subscription B { alertEvents { id } }",
        "subscription {",
    ],
)
def test_what_cannot_be_shared_is_answered_alone(query: str) -> None:
    assert question_of(query, None, None, owner) is None


def listening(stage: Stage, count: int) -> Any:
    return _Listening(stage, count)


class _Listening:
    """So many subscribers at once."""

    def __init__(self, stage: Stage, count: int) -> None:
        self._all = [stage.api().subscribe(EVENTS) for _ in range(count)]

    async def __aenter__(self) -> list[Stream]:
        return [await one.__aenter__() for one in self._all]

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*(one.__aexit__(None, None, None) for one in self._all))
