"""Over the number of processes: workers that judge what came in, and API processes that take beats."""

import asyncio
import statistics
import time
from collections.abc import Sequence

import msgspec

from app.domain.ids import LANES
from app.rule_tick import MARK
from bench.fleet import add_devices, add_tenant, batch_calls, beat_calls
from bench.growth import fleet
from bench.growth.usage import exact_cpu_sec
from bench.load.http import FIRST, Call, Calls
from bench.rounds import Effort, LostError, call
from bench.stage import Server, Stage
from jobs.queue import Queue

WORKERS, QUICK_WORKERS = (1, 2, 3, 4), (1, 2)
BEATS, QUICK_BEATS = 50_000, 5_000
APIS = (1, 2)
DEVICES, QUICK_DEVICES, BATCH = 100_000, 10_000, 100
"""So many that none beats twice within two seconds, after which it would be noted once a second."""
CONNECTIONS, BATCH_CONNECTIONS = 128, 16
TENANT = "bench"
_PATIENCE_SEC = 120.0


class OfWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """With so many workers and 20 rules: beats judged a second, CPU for each of all workers together and of mongod, and how many
    cores each took of the machine; `idle_percent` of a core that one worker takes while nothing happens."""

    workers: int
    per_sec: float
    cpu_us: float
    database_cpu_us: float
    worker_cores: float
    database_cores: float
    idle_percent: float


class OfApis(msgspec.Struct, frozen=True, kw_only=True):
    """With so many API processes: beats a second that a majority has, and CPU for each; the cores that servers, mongod and the
    generators took. `p99_ms` is the worse one where there are several generators."""

    apis: int
    per_sec: float
    cpu_us: float
    database_cpu_us: float
    p99_ms: float
    api_cores: float
    database_cores: float
    client_cores: float


async def over_workers(stage: Stage, effort: Effort) -> list[OfWorkers]:
    """The same beats for each number of workers: through the queue, lane by lane, as a rule tick hands them over."""
    context = stage.context
    await fleet.add_tenants_and_rules(context)
    beats = QUICK_BEATS if effort.quick else BEATS
    await fleet.add_devices(context, 0, beats)
    queue, found = Queue(stage.settings.redis_url), list[OfWorkers]()
    for count in QUICK_WORKERS if effort.quick else WORKERS:
        # Its own tick comes once, at the start: what follows is asked for here.
        workers = [await stage.worker(rule_tick_seconds=3600) for _ in range(count)]
        await _until_alive(stage, count)
        samples = [await _judged(stage, queue, workers, beats, turn) for turn in range(effort.rounds + 1)][1:]
        idle = await _idle(workers, 2.0 if effort.quick else 10.0)
        found.append(_of_workers(count, beats, idle, samples))
        stage.stop(*workers)
        await _until_alive(stage, 0)
        print(f"{count} workers measured", flush=True)
    await queue.close()
    return found


async def over_apis(stage: Stage, effort: Effort) -> dict[str, list[OfApis]]:
    """One beat a call and a hundred a call; each process has a generator of its own."""
    await add_tenant(stage.context, TENANT)
    devices = await add_devices(stage.context, TENANT, QUICK_DEVICES if effort.quick else DEVICES, beaten=True)
    kinds = {
        "heartbeat": (beat_calls(TENANT, devices), '"accepted":true', CONNECTIONS, 1),
        "heartbeats": (
            batch_calls(TENANT, list(devices), BATCH, stage.person([TENANT])),
            f'"accepted":{BATCH}',
            BATCH_CONNECTIONS,
            BATCH,
        ),
    }
    found: dict[str, list[OfApis]] = {kind: [] for kind in kinds}
    first = FIRST
    for count in APIS:
        apis = [await stage.ours() for _ in range(count)]
        for kind, (calls, wanted, connections, each) in kinds.items():
            taken = _Taken(stage, effort, apis, calls, wanted, connections // count, each)
            samples = []
            for _ in range(effort.rounds + (not effort.quick)):  # the first one warms
                first += 10_000_000
                samples.append(await taken.sample(first))
            found[kind].append(_median(samples[1:] or samples))
        stage.stop(*apis)
        print(f"{count} API processes measured", flush=True)
    return found


class _Taken(msgspec.Struct, frozen=True):
    """What is asked of the API processes, each by a generator of its own with its share of the connections."""

    stage: Stage
    effort: Effort
    apis: Sequence[Server]
    calls: list[Call]
    wanted: str
    connections: int
    each: int

    async def sample(self, first: int) -> OfApis:
        asked = [self._calls(number, first) for number in range(len(self.apis))]
        reports = await asyncio.gather(*(call(one) for one in asked))
        beats = sum(report.calls for report in reports) * self.each
        seconds = statistics.mean(report.seconds for report in reports)
        server = sum(report.cpu_sec["server"] for report in reports)
        database = statistics.mean(report.cpu_sec["database"] for report in reports)
        return OfApis(
            apis=len(self.apis),
            per_sec=round(beats / seconds),
            cpu_us=round(server / beats * 1e6, 1),
            database_cpu_us=round(database / beats * 1e6, 1),
            p99_ms=round(max(report.p99_ms for report in reports), 1),
            api_cores=round(server / seconds, 2),
            database_cores=round(database / seconds, 2),
            client_cores=round(sum(report.client_cpu_sec for report in reports) / seconds, 2),
        )

    def _calls(self, number: int, first: int) -> Calls:
        return Calls(
            port=self.apis[number].port,
            # No device beats at both.
            calls=self.calls[number :: len(self.apis)],
            wanted=self.wanted,
            connections=self.connections,
            warm_sec=self.effort.warm_sec,
            seconds=self.effort.seconds,
            first=first,
            watched={"server": self.apis[number].pids(), "database": [self.stage.database.pid]},
        )


async def _judged(stage: Stage, queue: Queue, workers: Sequence[Server], beats: int, turn: int) -> tuple[float, float, float]:
    """Seconds until every lane was judged, CPU seconds of the workers, and of mongod."""
    context = stage.context
    await context.mongo.database["device_heartbeats"].delete_many({})
    await fleet.beat(context, range(beats), turn)
    wanted = context.clock.now()
    before, began = _cpu(stage, workers), time.monotonic()
    for lane in range(LANES):
        if not await queue.put("judge", f"growth:{len(workers)}:{turn}:{lane}", lane):
            raise LostError("the queue did not take a job")
    async with asyncio.timeout(_PATIENCE_SEC):
        while min((await context.store.leases.watermarks(MARK)).values()) < wanted:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    seconds = time.monotonic() - began
    own, database = (after - one for one, after in zip(before, _cpu(stage, workers), strict=True))
    return seconds, own, database


def _of_workers(count: int, beats: int, idle: float, samples: Sequence[tuple[float, float, float]]) -> OfWorkers:
    seconds, own, database = (statistics.median(column) for column in zip(*samples, strict=True))
    return OfWorkers(
        workers=count,
        per_sec=round(beats / seconds),
        cpu_us=round(own / beats * 1e6, 1),
        database_cpu_us=round(database / beats * 1e6, 1),
        worker_cores=round(own / seconds, 2),
        database_cores=round(database / seconds, 2),
        idle_percent=round(idle / count, 2),
    )


async def _until_alive(stage: Stage, count: int) -> None:
    async with asyncio.timeout(_PATIENCE_SEC):
        while len(await stage.context.store.workers.alive(stage.context.clock.now())) != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.1)


async def _idle(workers: Sequence[Server], seconds: float) -> float:
    """Percent of a core, of all together."""
    before = sum(exact_cpu_sec(pid) for worker in workers for pid in worker.pids())
    await asyncio.sleep(seconds)
    return (sum(exact_cpu_sec(pid) for worker in workers for pid in worker.pids()) - before) / seconds * 100


def _cpu(stage: Stage, workers: Sequence[Server]) -> tuple[float, float]:
    own = sum(exact_cpu_sec(pid) for worker in workers for pid in worker.pids())
    return own, exact_cpu_sec(stage.database.pid)


def _median(samples: Sequence[OfApis]) -> OfApis:
    """The round whose rate is in the middle."""
    return sorted(samples, key=lambda one: one.per_sec)[len(samples) // 2]
