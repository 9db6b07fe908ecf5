"""The worker: the functions of the queue with their policy, the ticks, and a supervised life around both."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from arq.connections import ArqRedis
from arq.worker import Function, Worker, func

from app.context import Context, open_context
from app.courier import deliver, keep_delivering
from app.delivery_counts import add_outcomes
from app.realtime.bus import FAST_QUEUE
from app.settings import Settings
from app.store.indexes import ensure_collections
from app.store.workers import WorkerRecord
from app.supervision import running, undisturbed
from app.watchman import keep_watch
from jobs.evaluate import judge, roll_up, sweep
from jobs.queue import AWAY, Queue, close_pool, decode, encode, open_pool
from jobs.ticks import keep_ticking, run_tick, ticks_of

SWEEP_SEC = 20
JUDGE_SEC = 60
ROLL_UP_SEC = 300
DELIVER_SEC = 60
DRAIN_SEC = 10
"""For jobs, after the courier's own: together they are less than any supervisor of ours gives a worker to leave."""
GOOD_TRANSACTION_LIMIT_SEC = 10
REPORT_EVERY_SEC = 2.0
CORRECT_EVERY_SEC = 30.0
_log = structlog.get_logger(__name__)


def functions(retries: int) -> list[Function]:
    """What the queue may ask for. Each has its own short timeout: a killed worker's job is hidden for as long."""
    tries = retries + 1
    return [
        func(_sweep_job, name="sweep", timeout=SWEEP_SEC, keep_result=0, max_tries=tries),
        func(_judge_job, name="judge", timeout=JUDGE_SEC, keep_result=0, max_tries=tries),
        func(_deliver_job, name="deliver", timeout=DELIVER_SEC, keep_result=0, max_tries=tries),
        func(_roll_up_job, name="roll_up", timeout=ROLL_UP_SEC, keep_result=0, max_tries=tries),
    ]


async def run(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; then finishes what it is at, deliveries first, hands back the rest, and leaves."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    async with open_context(settings) as context:
        await ensure_collections(context.mongo)
        limit = await context.mongo.transaction_limit_sec()
        if limit is not None and limit > GOOD_TRANSACTION_LIMIT_SEC:
            _log.warning(
                "mongo.transaction_limit",
                transactionLifetimeLimitSeconds=limit,
                meaning="a worker that is killed in a transaction holds its lane for so long",
                advice="db.adminCommand({setParameter: 1, transactionLifetimeLimitSeconds: 5})",
            )
        await work_until(context, stopping)


async def run_ticks(settings: Settings, names: Sequence[str]) -> None:
    """Runs the named ticks once, here, without the queue: for cron, and for a look at three in the morning."""
    async with open_context(settings) as context:
        await ensure_collections(context.mongo)
        for tick in ticks_of(settings):
            if tick.name in names or "all" in names:
                ran = await run_tick(context, tick, None)
                _log.info("tick.ran" if ran else "tick.skipped", tick=tick.name)
        await add_outcomes(context)


def tick_names(settings: Settings) -> list[str]:
    return [tick.name for tick in ticks_of(settings)]


async def work_until(context: Context, stopping: asyncio.Event) -> None:
    """The ticks, the queue, and the signs of life, each restarted for as long as nobody stops the worker."""
    worker_id = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
    queue = Queue(context.settings.redis_url)
    life = _Life(context, worker_id)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(queue.close)
        stack.push_async_callback(add_outcomes, context)
        context.errands.serve_by(queue.put)
        stack.callback(context.errands.serve_here, None)
        stack.push_async_callback(context.store.workers.leave, worker_id)
        await stack.enter_async_context(running("queue", life.serve_queue))
        for tick in ticks_of(context.settings):
            await stack.enter_async_context(running(tick.name, partial(keep_ticking, context, tick, queue)))
        await stack.enter_async_context(running("courier", partial(keep_delivering, context)))
        intervals = {tick.name: tick.interval_sec for tick in ticks_of(context.settings)}
        await stack.enter_async_context(running("watchman", partial(keep_watch, context, intervals)))
        await stack.enter_async_context(running("report", life.report))
        await stack.enter_async_context(running("time", partial(_keep_time, context)))
        _log.info("worker.started", worker=worker_id)
        await stopping.wait()
        _log.info("worker.stopping", worker=worker_id)


class _Life:
    """One worker's queue side, and what it says of itself."""

    def __init__(self, context: Context, worker_id: str) -> None:
        self._context = context
        self._id = worker_id
        self._worker: Worker | None = None
        self._done_before = 0
        self._failed_before = 0

    async def serve_queue(self) -> None:
        """Takes jobs until cancelled. arq gives up when Redis restarts; it is started anew until Redis is back."""
        while True:
            try:
                await self._serve(await open_pool(self._context.settings.redis_url))
            except AWAY as error:
                _log.warning("queue.away", error=type(error).__name__)
            await asyncio.sleep(1)

    async def _serve(self, pool: ArqRedis) -> None:
        worker = self._worker = self._new_worker(pool)
        try:
            await worker.async_run()
        finally:
            await undisturbed(_drain(worker, pool))
            self._worker = None
            self._done_before += worker.jobs_complete
            self._failed_before += worker.jobs_failed

    async def report(self) -> None:
        while True:
            worker = self._worker
            record = WorkerRecord(
                id=self._id,
                last_seen=self._context.clock.now(),
                jobs_done=self._done_before + (worker.jobs_complete if worker else 0),
                jobs_failed=self._failed_before + (worker.jobs_failed if worker else 0),
                jobs_ongoing=len(worker.tasks) if worker else 0,
            )
            await self._context.store.workers.report(record)
            await add_outcomes(self._context)
            await self._context.bus.ping()
            await asyncio.sleep(REPORT_EVERY_SEC)

    def _new_worker(self, pool: ArqRedis) -> Worker:
        return Worker(
            functions(self._context.settings.worker_max_retries),
            queue_name=FAST_QUEUE,
            redis_pool=pool,
            ctx={"context": self._context},
            handle_signals=False,
            max_jobs=8,
            poll_delay=0.1,
            queue_read_limit=1_000,
            health_check_interval=10,
            health_check_key=f"{FAST_QUEUE}:health:{self._id}",
            job_serializer=encode,
            job_deserializer=decode,
            log_results=False,
        )


async def _drain(worker: Worker, pool: ArqRedis) -> None:
    """Lets running jobs finish; what does not in time is cancelled, and arq runs it again elsewhere."""
    worker.allow_pick_jobs = False
    jobs = list(worker.tasks.values())
    if jobs:
        await asyncio.wait(jobs, timeout=DRAIN_SEC)
    worker.handle_sig(signal.SIGUSR1)
    with contextlib.suppress(*AWAY):
        async with asyncio.timeout(2):
            await asyncio.gather(*jobs, return_exceptions=True)
            await pool.delete(worker.health_check_key)
    await close_pool(pool)


async def _sweep_job(ctx: dict[str, Any], lane: int) -> None:
    context: Context = ctx["context"]
    await sweep(context, lane)


async def _judge_job(ctx: dict[str, Any], lane: int) -> None:
    context: Context = ctx["context"]
    await judge(context, lane)


async def _roll_up_job(ctx: dict[str, Any], lane: int) -> None:
    context: Context = ctx["context"]
    await roll_up(context, lane)


async def _deliver_job(ctx: dict[str, Any], lane: int) -> None:
    context: Context = ctx["context"]
    await deliver(context, lane)


async def _keep_time(context: Context) -> None:
    """Follows the database's clock."""
    while True:
        await context.correct_clock()
        await asyncio.sleep(CORRECT_EVERY_SEC)
