"""The ticks: each at most once in its interval, with the queue or without it."""

import asyncio

import pytest

from app.context import Context
from app.domain.ids import LANES
from jobs.evaluate import Work, judge, sweep
from jobs.ticks import Tick, run_tick, ticks_of
from jobs.worker import run_ticks, tick_names
from tests.elsewhere import elsewhere
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues, work_off


def tick_of(context: Context, name: str) -> Tick:
    return next(tick for tick in ticks_of(context.settings) if tick.name == name)


async def _ask_often(context: Context) -> list[bool]:
    return await asyncio.gather(*(run_tick(context, tick_of(context, "rules"), None) for _ in range(10)))


async def test_whoever_asks_a_tick_runs_once_in_its_interval(fleet: Fleet, context: Context) -> None:
    for _ in range(3):
        here, there = await asyncio.gather(_ask_often(context), elsewhere(context, _ask_often))
        assert sum([*here, *there]) == 1
        await fleet.pass_time(tick_of(context, "rules").interval_sec)


async def test_without_redis_the_tick_does_the_work_itself(fleet: Fleet, context: Context, queues: Queues, nowhere: str) -> None:
    assert await run_tick(context, tick_of(context, "sweep"), queues.at(nowhere))
    assert await fleet.told() == [("till-1", "OPENED")]


async def test_with_redis_a_worker_does_the_work(fleet: Fleet, context: Context, queues: Queues) -> None:
    queue = queues.at(context.settings.redis_url)
    assert await run_tick(context, tick_of(context, "sweep"), queue)
    assert await queue.depth() == 1  # of the lane that has work
    assert await fleet.told() == []
    worker = await work_off(context)
    assert (worker.jobs_complete, worker.jobs_failed, await queue.depth()) == (1, 0, 0)
    assert await fleet.told() == [("till-1", "OPENED")]


async def test_the_rules_are_judged_in_every_lane(fleet: Fleet, context: Context, queues: Queues) -> None:
    await fleet.beat("till-1", disk_usage=95)
    assert await run_tick(context, tick_of(context, "rules"), queues.at(context.settings.redis_url))
    assert (await work_off(context)).jobs_complete == LANES
    assert [alert.rule_key for alert in await fleet.alerts("till-1")] == ["disk_full"]


async def test_every_lane_is_rolled_up(fleet: Fleet, context: Context, queues: Queues) -> None:
    assert await run_tick(context, tick_of(context, "rollups"), queues.at(context.settings.redis_url))
    assert (await work_off(context)).jobs_complete == LANES
    assert len(await context.store.leases.watermarks("rollups")) == LANES


async def test_a_job_is_queued_once_however_often_it_is_put(fleet: Fleet, context: Context, queues: Queues) -> None:
    queue = queues.at(context.settings.redis_url)
    assert [await queue.put("sweep", "one", fleet.lane) for _ in range(3)] == [True] * 3
    assert await queue.depth() == 1


async def test_a_job_that_is_done_twice_opens_nothing_twice(fleet: Fleet, context: Context, queues: Queues) -> None:
    queue = queues.at(context.settings.redis_url)
    for name in ("one", "two"):
        assert await queue.put("sweep", name, fleet.lane)
    assert (await work_off(context)).jobs_complete == 2
    assert await fleet.told() == [("till-1", "OPENED")]


async def test_a_tick_that_fails_says_so_and_comes_again(fleet: Fleet, context: Context) -> None:
    done: list[int] = []

    async def lanes(_: Context) -> set[int]:
        if not done:
            done.append(0)
            raise ZeroDivisionError
        return {3}

    async def job(_: Context, lane: int) -> int:
        done.append(lane)
        return 1

    tick = Tick("tried", 1.0, lanes, job)
    with pytest.raises(ZeroDivisionError):
        await run_tick(context, tick, None)
    [record] = await context.store.leases.ticks()
    assert (record.name, record.last_error, record.last_finished_at) == ("tried", "ZeroDivisionError", fleet.clock.now())
    await fleet.pass_time(1)
    assert await run_tick(context, tick, None)
    [record] = await context.store.leases.ticks()
    assert (done, record.last_error) == ([0, 3], None)


@pytest.mark.parametrize(("kind", "job"), [("sweep", sweep), ("judge", judge)])
async def test_a_lane_that_another_works_on_is_left_alone(fleet: Fleet, kind: str, job: Work) -> None:
    context, leases = fleet.context, fleet.context.store.leases
    assert await leases.hold_lane(kind, fleet.lane, "another", fleet.clock.now(), 5)
    assert await job(context, fleet.lane) == 0
    assert await fleet.told() == []
    await leases.release_lane(kind, fleet.lane, "another", fleet.clock.now())
    assert await job(context, fleet.lane) > 0


async def test_a_job_that_fails_leaves_its_lane_free(fleet: Fleet, context: Context) -> None:
    # It stands for any fault in the middle of a job.
    await context.mongo.database["devices"].update_one({}, {"$set": {"last_seen": "never"}})
    with pytest.raises(Exception, match="last_seen"):
        await sweep(context, fleet.lane)
    assert await context.store.leases.hold_lane("sweep", fleet.lane, "another", fleet.clock.now(), 5)


@pytest.mark.parametrize(
    ("names", "ran"),
    [
        (["sweep"], ["sweep"]),
        (["rules"], ["rules"]),
        (["rollups"], ["rollups"]),
        (["all"], ["outbox", "rollups", "rules", "sweep"]),
    ],
)
async def test_ticks_by_hand_are_those_that_were_named(context: Context, names: list[str], ran: list[str]) -> None:
    await run_ticks(context.settings, names)
    assert [tick.name for tick in await context.store.leases.ticks()] == ran


def test_the_names_of_the_ticks_are_known(context: Context) -> None:
    assert tick_names(context.settings) == ["sweep", "rules", "rollups", "outbox"]
