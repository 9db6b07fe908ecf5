"""What the layout loses when parts of it are killed: a primary and a worker, then an API and another worker. It should be nothing.

Beats go round the API processes in turn; a subscriber sits on each. Devices fall silent round each killing and come back in the
end: each is to have one alert, opened once and resolved once, and whoever beats is to have none.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec

from app.domain.ids import device_key
from bench.fleet import BEATS, add_devices, add_tenant, beat_input
from bench.gateway import Gateway
from bench.growth.layout import Layout, laid_out
from bench.growth.streams import Event, EventStream, HealthStream
from bench.rounds import LostError
from bench.stage import Server, Stage, ask

APIS = WORKERS = 3
DEVICES, SILENT = 300, 40
OFFLINE_SEC, BEAT_SEC = 6, 1.5
PROBES = 60
BATCH = 25
TENANT = "failover"
RULE = "device_offline"
_PATIENCE_SEC = 90.0


class Failover(msgspec.Struct, frozen=True, kw_only=True):
    """`crossed_*_ms`: from the call with a beat at one API to subscribers on the two others. `longest_wait_sec`: the slowest
    beat from its first try to its acknowledgement, retries and the election included. `election_sec`: from the killing of the
    primary to the next acknowledged write of a majority. `streams`: what the three subscribers had in all."""

    apis: int
    workers: int
    members: int
    devices: int
    crossed_p50_ms: float
    crossed_p99_ms: float
    killed: list[str]
    election_sec: float
    acknowledged_beats: int
    lost_beats: int
    refused_calls: int
    longest_wait_sec: float
    silent: int
    alerts: int
    alerts_twice: int
    alerts_of_the_living: int
    unresolved: int
    streams: dict[str, int]

    def faults(self) -> list[str]:
        """What was lost, came twice or was wrong, in words; empty where all is well."""
        wanted = {"alerts": self.silent, "lost_beats": 0, "alerts_twice": 0, "alerts_of_the_living": 0, "unresolved": 0}
        found = [
            f"{name}: {getattr(self, name)} instead of {want}" for name, want in wanted.items() if getattr(self, name) != want
        ]
        return found + [f"streams: {count} {name}" for name, count in self.streams.items() if name != "events" and count]


async def failover(folder: Path) -> Failover:
    async with laid_out(folder, heartbeat_offline_seconds=OFFLINE_SEC) as layout:
        return await _Drill(layout).run()


class _Drill:
    """One run, with what is known of it on the way."""

    def __init__(self, layout: Layout) -> None:
        self._stage: Stage = layout.stage
        self._set = layout.database
        self._admin = layout.stage.person([TENANT])
        self._killed: list[str] = []
        self._election_sec = 0.0

    async def run(self) -> Failover:
        stage = self._stage
        await add_tenant(stage.context, TENANT)
        devices = list(await add_devices(stage.context, TENANT, DEVICES, OFFLINE_SEC))
        apis = [await stage.ours() for _ in range(APIS)]
        workers = await self._workers()
        crossed = await self._cross(apis, devices[:PROBES])
        ports = [api.port for api in apis]
        gateway = Gateway(ports, TENANT, self._admin, devices, BEAT_SEC, BATCH)
        cursor = await self._cursor(apis[0])
        streams = [EventStream(ports[turn:] + ports[:turn], self._admin, cursor) for turn in range(APIS)]
        random.Random(7).shuffle(devices)
        first, second = set(devices[:SILENT]), set(devices[SILENT : 2 * SILENT])
        async with _running(gateway.run(), *(stream.run() for stream in streams)):
            await gateway.until_rounds(3)
            gateway.silent = set(first)
            # The deadline comes while there is no primary and a worker less.
            await gateway.until_rounds(int(OFFLINE_SEC / BEAT_SEC) - 1)
            await self._kill_primary()
            self._kill("worker", workers[0])
            await _all_told(streams, "OPENED", first)
            gateway.silent |= second
            await gateway.until_rounds(int(OFFLINE_SEC / BEAT_SEC) - 1)
            self._kill("api", apis[0])
            self._kill("worker", workers[1])
            await _all_told(streams, "OPENED", first | second)
            gateway.silent = set()
            await _all_told(streams, "RESOLVED", first | second)
        return await self._figures(crossed, gateway, streams, first | second)

    async def _workers(self) -> list[Server]:
        stage, started = self._stage, [await self._stage.worker() for _ in range(WORKERS)]
        async with asyncio.timeout(_PATIENCE_SEC):
            while len(await stage.context.store.workers.alive(stage.context.clock.now())) < WORKERS:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.1)
        return started

    async def _cursor(self, api: Server) -> str:
        said = await ask(api.port, "{ alerts(first: 1) { streamCursor } }", self._admin)
        return str(said["alerts"]["streamCursor"])  # type: ignore[index]

    async def _cross(self, apis: Sequence[Server], devices: Sequence[str]) -> list[float]:
        """Seconds from a beat at one API to each of the others."""
        streams = [HealthStream(api.port, self._admin) for api in apis]
        loop, took, chance = asyncio.get_running_loop(), list[float](), random.Random(2026)
        async with _running(*(stream.run() for stream in streams)):
            async with asyncio.timeout(_PATIENCE_SEC):
                await asyncio.gather(*(stream.live.wait() for stream in streams))
            for number, device in enumerate(devices):
                one = number % len(apis)
                began = loop.time()
                await ask(apis[one].port, BEATS, self._admin, inputs=[beat_input(TENANT, device, 1, chance)])
                others = [stream for turn, stream in enumerate(streams) if turn != one]
                took += [await stream.until_heard(device, began, _PATIENCE_SEC) - began for stream in others]
        return took

    async def _kill_primary(self) -> None:
        primary = await asyncio.to_thread(self._set.primary)
        began = time.monotonic()
        primary.child.kill()
        self._killed.append("primary")
        while True:
            with contextlib.suppress(Exception):  # what it says while there is no primary is of no interest here
                await self._stage.context.store.leases.hold("drill", "bench", self._stage.context.clock.now(), 1)
                break
        self._election_sec = time.monotonic() - began

    def _kill(self, name: str, server: Server) -> None:
        server.child.kill()
        self._killed.append(name)

    async def _figures(
        self, crossed: list[float], gateway: Gateway, streams: Sequence[EventStream], silent: set[str]
    ) -> Failover:
        database = self._stage.context.mongo.database
        alerts = await database["provider_alerts"].find({"rule_key": RULE}).to_list(None)
        opened = Counter(row["subject_id"] for row in alerts)
        ids = {f"{device_key(TENANT, device)}:bench:{number}:" for device, number in gateway.acknowledged}
        stored = {row["_id"] for row in await database["device_heartbeats"].find({}, projection={"_id": 1}).to_list(None)}
        return Failover(
            apis=APIS,
            workers=WORKERS,
            members=len(self._set.members),
            devices=DEVICES,
            crossed_p50_ms=round(statistics.median(crossed) * 1000, 1),
            crossed_p99_ms=round(sorted(crossed)[int(len(crossed) * 0.99)] * 1000, 1),
            killed=self._killed,
            election_sec=round(self._election_sec, 2),
            acknowledged_beats=len(ids),
            lost_beats=len(ids - stored),
            refused_calls=gateway.refused,
            longest_wait_sec=round(gateway.longest_wait_sec, 2),
            silent=len(silent),
            alerts=len(opened.keys() & silent),
            alerts_twice=sum(count > 1 for count in opened.values()),
            alerts_of_the_living=len(opened.keys() - silent),
            unresolved=sum(bool(row["live"]) for row in alerts),
            streams=_heard(streams, silent),
        )


def _heard(streams: Sequence[EventStream], silent: set[str]) -> dict[str, int]:
    """Over all subscribers: events, those that came twice or out of order, those that did not come, and resyncs."""
    wanted = {(kind, device) for device in silent for kind in ("OPENED", "RESOLVED")}
    found = Counter(events=0, twice=0, disordered=0, missed=0, resyncs=0)
    for stream in streams:
        ids = [event.id for event in stream.events]
        places = [tuple(map(int, one.split("-"))) for one in ids]
        found["events"] += len(ids)
        found["twice"] += len(ids) - len(set(ids))
        found["disordered"] += sum(later <= one for one, later in pairwise(places))
        found["missed"] += len(wanted - {(event.type, event.subject_id) for event in stream.events if event.rule_key == RULE})
        found["resyncs"] += stream.resyncs
    return dict(found)


async def _all_told(streams: Sequence[EventStream], kind: str, devices: set[str]) -> None:
    def complete(events: Sequence[Event]) -> bool:
        return devices <= {event.subject_id for event in events if event.type == kind and event.rule_key == RULE}

    try:
        await asyncio.gather(*(stream.until(complete, _PATIENCE_SEC) for stream in streams))
    except TimeoutError:
        raise LostError(f"not every subscriber was told in {_PATIENCE_SEC:g} s that each silent device is {kind}") from None


@asynccontextmanager
async def _running(*works: Coroutine[object, object, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
