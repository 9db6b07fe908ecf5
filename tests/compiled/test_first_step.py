"""A coroutine whose first step is taken at once goes on as any other does."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from schema.first_step import begun

NAME: ContextVar[str] = ContextVar("name", default="nobody's")


def begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    return begun(work, asyncio.get_running_loop())


async def test_what_has_nothing_to_wait_for_is_done_at_once_and_has_no_task() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("all")

    assert begin(work()) is None
    assert done == ["all"]


async def test_what_waits_is_gone_on_with_by_a_task() -> None:
    first, second, said = asyncio.Event(), asyncio.get_running_loop().create_future(), list[str]()

    async def work() -> None:
        said.append("begun")
        await first.wait()
        said.append("called")
        said.append(await second)
        async with asyncio.timeout(10):  # by now it has a task
            await asyncio.sleep(0)
        said.append("over")

    task = begin(work())
    assert task is not None
    assert said == ["begun"]
    first.set()
    second.set_result("answered")
    await task
    assert said == ["begun", "called", "answered", "over"]


async def test_what_it_waits_for_may_be_there_before_its_task_has_looked() -> None:
    answer = asyncio.get_running_loop().create_future()

    async def work() -> None:
        assert await answer == "there"

    task = begin(work())
    assert task is not None
    answer.set_result("there")
    await task


async def test_what_fails_where_it_waits_is_told_there() -> None:
    answer = asyncio.get_running_loop().create_future()

    async def work() -> None:
        with pytest.raises(ValueError, match="no good"):
            await answer
        raise KeyError("of its own")

    task = begin(work())
    assert task is not None
    answer.set_exception(ValueError("no good"))
    with pytest.raises(KeyError, match="of its own"):
        await task


@pytest.mark.parametrize("has_begun", [True, False])
async def test_who_cancels_the_task_cancels_it_where_it_waits_even_before_the_task_began(has_begun: bool) -> None:
    left: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("cleaned up")

    task = begin(work())
    assert task is not None
    if has_begun:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["cleaned up"]


async def test_what_fails_at_once_is_raised_at_once() -> None:
    async def work() -> None:
        raise KeyError("at once")

    with pytest.raises(KeyError):
        begin(work())


async def test_it_has_a_context_of_its_own_to_the_end() -> None:
    go_on, seen = asyncio.Event(), list[str]()

    async def work() -> None:
        NAME.set("its own")
        await go_on.wait()
        seen.append(NAME.get())

    task = begin(work())
    assert task is not None
    assert NAME.get() == "nobody's"
    go_on.set()
    await task
    assert seen == ["its own"]
