"""Group commit: whoever waits hears what became of it, whatever that is."""

import asyncio
from collections.abc import Sequence

import pytest

from app.asked import ASKED, Asked
from app.realtime.group_commit import GroupCommit


class EndError(BaseException):
    """As of a process that is at its end."""


async def test_whoever_waits_is_told_when_the_writer_ends_for_good() -> None:
    began = asyncio.Event()
    goes_on = asyncio.Event()

    async def write(_: Sequence[int]) -> None:
        began.set()
        await goes_on.wait()
        raise EndError

    commit = GroupCommit(write, batch=2, capacity=10)
    callers = [asyncio.create_task(commit.take([number, number])) for number in range(3)]
    await began.wait()
    goes_on.set()
    for caller in callers:
        with pytest.raises(EndError):
            await caller


async def test_what_is_written_for_many_is_nobodys_request() -> None:
    async def write(_: Sequence[int]) -> Asked | None:
        return ASKED.get()

    ASKED.set(Asked({}))
    commit = GroupCommit(write, batch=1, capacity=1)
    assert await commit.take([1]) is None


async def test_whoever_waits_is_told_where_a_writer_is_cancelled_before_its_first_step() -> None:
    async def write(_: Sequence[int]) -> None:
        raise AssertionError("it was cancelled before")

    commit = GroupCommit(write, batch=1, capacity=10)
    for _ in range(2):
        caller = asyncio.create_task(commit.take([1]))
        await asyncio.sleep(0)
        [writer] = [task for task in asyncio.all_tasks() if task.get_name() == "group_commit"]
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller


async def test_a_write_that_fails_is_told_to_its_own_callers_alone() -> None:
    async def write(items: Sequence[int]) -> None:
        if 0 in items:
            raise ValueError("not this one")

    commit = GroupCommit(write, batch=1, capacity=10)
    failed, stored = (asyncio.create_task(commit.take([number])) for number in range(2))
    with pytest.raises(ValueError, match="not this one"):
        await failed
    await stored
