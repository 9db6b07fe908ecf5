"""Beats that arrive together are written together; what cannot be written is said to everyone who waits, and is not written."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import MongoClient

from app.context import Context
from app.domain.beat_input import BeatInput
from app.errors import FleetbeatError, UnavailableError
from app.heartbeats import BeatAck, record, record_many
from app.store.mongo import classify
from tests.cast import owner
from tests.counting import counted
from tests.elsewhere import failing
from tests.heartbeats.conftest import Kept

DEVICES = [f"till-{number}" for number in range(5)]


@pytest.fixture(autouse=True)
async def known(context: Context) -> None:
    """The devices are there, and the process knows them: a beat goes straight to the intake."""
    await record_many(context, owner, [BeatInput(device_id=one, boot_id="first", sequence=0) for one in DEVICES])
    await context.intake.drain()


async def beat_at_once(context: Context, boot_id: str = "second") -> Sequence[BeatAck | BaseException]:
    calls = [record(context, owner, BeatInput(device_id=one, boot_id=boot_id, sequence=1)) for one in DEVICES]
    return await asyncio.gather(*calls, return_exceptions=True)


def code_of(outcome: BeatAck | BaseException) -> str:
    """What the caller is told."""
    assert isinstance(outcome, Exception)
    known = outcome if isinstance(outcome, FleetbeatError) else classify(outcome)
    return "INTERNAL" if known is None else known.code.name


async def test_beats_that_arrive_together_are_written_together(context: Context, kept: Kept, database: str) -> None:
    with counted(database) as commands:
        outcomes = await beat_at_once(context)
    assert all(isinstance(one, BeatAck) and one.accepted for one in outcomes)
    assert sorted(commands) == ["find", "insert", "update"]
    assert len(kept()["device_heartbeats"]) == 2 * len(DEVICES)


async def test_a_full_queue_refuses_what_is_one_too_many(context: Context, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.intake.commit, "capacity", 3)
    outcomes = await beat_at_once(context)
    refused = [one for one in outcomes if isinstance(one, UnavailableError)]
    assert [one.extensions() for one in refused] == [{"retryAfterSec": 1}] * 2
    assert len(kept()["device_heartbeats"]) == len(DEVICES) + 3
    assert context.intake.figures.refused == 2
    # There is room again as soon as those are written.
    assert isinstance(await record(context, owner, BeatInput(device_id="till-4")), BeatAck)


async def test_a_call_that_does_not_fit_is_refused_whole(context: Context, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.intake.commit, "capacity", 4)
    before = kept()
    with pytest.raises(UnavailableError):
        await record_many(context, owner, [BeatInput(device_id=one) for one in DEVICES])
    assert kept() == before


async def test_more_beats_than_one_write_takes_are_written_in_turn(
    context: Context, kept: Kept, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.intake.commit, "batch", 2)
    with counted(database) as commands:
        outcomes = await beat_at_once(context)
    assert all(isinstance(one, BeatAck) for one in outcomes)
    assert commands.count("insert") == 3
    assert len(kept()["device_heartbeats"]) == 2 * len(DEVICES)


async def test_while_one_write_is_under_way_the_next_begins_where_enough_wait(
    context: Context, mongo_client: "MongoClient[dict[str, Any]]", database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.intake.commit, "enough", 1)
    with failing(mongo_client, "insert", 1, blockConnection=True, blockTimeMS=1_000), counted(database) as commands:
        slow = asyncio.create_task(record(context, owner, BeatInput(device_id="till-0")))
        while "insert" not in commands:  # noqa: ASYNC110 - it is told in another thread
            await asyncio.sleep(0)
        assert (await record(context, owner, BeatInput(device_id="till-1"))).accepted
        assert not slow.done()
        assert (await slow).accepted


@pytest.mark.parametrize("batch", [1, 3, 1_000])
@pytest.mark.parametrize("enough", [1, 5, 1_000])
async def test_whenever_they_come_every_beat_is_answered_and_stored_once(
    context: Context, kept: Kept, monkeypatch: pytest.MonkeyPatch, batch: int, enough: int
) -> None:
    monkeypatch.setattr(context.intake.commit, "batch", batch)
    monkeypatch.setattr(context.intake.commit, "enough", enough)
    turns = random.Random(batch)

    async def beat(number: int) -> BeatAck:
        for _ in range(turns.randrange(60)):
            await asyncio.sleep(0)
        return await record(context, owner, BeatInput(device_id=DEVICES[number % 5], boot_id="often", sequence=number))

    outcomes = await asyncio.gather(*(beat(number) for number in range(100)))
    assert all(one.accepted for one in outcomes)
    assert len(kept()["device_heartbeats"]) == len(DEVICES) + 100
    await context.intake.drain()


@pytest.mark.parametrize("command", ["insert", "update", "find"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_connection_is_tried_again_and_the_beat_stored_once(
    context: Context, kept: Kept, mongo_client: "MongoClient[dict[str, Any]]", command: str, times: int
) -> None:
    with failing(mongo_client, command, times, closeConnection=True):
        outcomes = await beat_at_once(context)
    assert all(isinstance(one, BeatAck) for one in outcomes), outcomes
    assert len(kept()["device_heartbeats"]) == 2 * len(DEVICES)
    assert context.intake.figures.failed == 0


@pytest.mark.parametrize("command", ["insert", "update"])
@pytest.mark.parametrize(("how", "code"), [({"closeConnection": True}, "UNAVAILABLE"), ({"errorCode": 2}, "INTERNAL")])
async def test_a_lasting_failure_is_told_to_all_who_wait_and_the_intake_goes_on(
    context: Context,
    kept: Kept,
    mongo_client: "MongoClient[dict[str, Any]]",
    command: str,
    how: dict[str, Any],
    code: str,
) -> None:
    with failing(mongo_client, command, 1_000, **how):
        outcomes = await beat_at_once(context)
    assert [code_of(one) for one in outcomes] == [code] * len(DEVICES)
    assert context.intake.figures.failed == len(DEVICES)
    # Sent again, as the protocol asks for, they are stored once, whatever of them was stored before.
    assert all(isinstance(one, BeatAck) for one in await beat_at_once(context))
    assert len(kept()["device_heartbeats"]) == 2 * len(DEVICES)


async def test_a_caller_that_goes_away_does_not_take_the_others_with_it(context: Context, kept: Kept) -> None:
    gone = asyncio.create_task(record(context, owner, BeatInput(device_id="till-0")))
    stays = asyncio.create_task(record(context, owner, BeatInput(device_id="till-1")))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).accepted
    assert gone.cancelled()
    assert isinstance(await record(context, owner, BeatInput(device_id="till-2")), BeatAck)


async def test_draining_waits_for_what_was_taken(context: Context, kept: Kept) -> None:
    calls = [asyncio.create_task(record(context, owner, BeatInput(device_id=one))) for one in DEVICES]
    await asyncio.sleep(0)
    await context.intake.drain()
    assert len(kept()["device_heartbeats"]) == 2 * len(DEVICES)
    await asyncio.gather(*calls)
