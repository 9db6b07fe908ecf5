"""A picture is drawn again when something in it may have changed, and now and then anyway."""

import asyncio

import pytest

from app.context import Context
from app.domain.tenant import only
from app.realtime.hub import Hub
from app.realtime.overview_stream import pictures
from app.realtime.shared_reads import SharedReads
from tests.realtime.log import PATIENCE_SEC, Log, hearing

ACME = only("acme")


class Counter:
    """Something to read: a figure, and how often it was read."""

    def __init__(self) -> None:
        self.figure = 0
        self.reads = 0

    async def read(self) -> int:
        self.reads += 1
        return self.figure


async def test_the_first_picture_comes_at_once_and_the_next_with_a_change(hub: Hub, log: Log) -> None:
    counter = Counter()
    async with hearing(pictures(hub, ACME, "figure", counter.read)) as heard:
        await heard.count(1)
        counter.figure = 1
        await log.open("acme", "till-1")
        assert await heard.count(2) == [0, 1]


async def test_a_bell_of_a_device_draws_it_anew(context: Context, hub: Hub) -> None:
    counter = Counter()
    async with hearing(pictures(hub, ACME, "figure", counter.read)) as heard:
        await heard.count(1)
        counter.figure = 1
        async with asyncio.timeout(PATIENCE_SEC):
            while len(heard.items) < 2:
                await context.bus.ring_health("acme", ["acme:till-1"])
                await asyncio.sleep(0.05)
    assert heard.items == [0, 1]


async def test_it_comes_again_in_time_though_nothing_changed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.realtime.overview_stream.AT_LEAST_EVERY_SEC", 1.1)
    counter = Counter()
    async with hearing(pictures(hub, ACME, "figure", counter.read)) as heard:
        assert await heard.count(2) == [0, 0]


async def test_those_who_ask_the_same_at_once_share_one_reading(hub: Hub) -> None:
    counter = Counter()
    async with (
        hearing(pictures(hub, ACME, "figure", counter.read)) as one,
        hearing(pictures(hub, ACME, "figure", counter.read)) as two,
    ):
        await one.count(1)
        await two.count(1)
    assert counter.reads == 1


async def test_other_tenants_do_not_share(hub: Hub) -> None:
    counter = Counter()
    umbrella = only("umbrella")
    async with (
        hearing(pictures(hub, ACME, "figure", counter.read)) as one,
        hearing(pictures(hub, umbrella, "figure", counter.read)) as two,
    ):
        await one.count(1)
        await two.count(1)
    assert counter.reads == 2


async def test_an_answer_from_before_a_change_does_not_serve_those_who_come_after_it() -> None:
    reads, counter = SharedReads(), Counter()
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await reads.ask("figure", counter.read, started) == 0
    counter.figure = 1
    assert await reads.ask("figure", counter.read, started) == 0
    assert await reads.ask("figure", counter.read, loop.time() + 1) == 1
