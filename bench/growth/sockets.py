"""Over the number of subscribers of one API process: what a delivery costs, and what one costs who is told nothing."""

import asyncio
import time

import msgspec

from bench.fleet import add_tenant
from bench.growth.usage import exact_cpu_sec
from bench.load.sockets import WARM, Sockets
from bench.load.subscribers import subscribed
from bench.measures.fanout import QUERY
from bench.measures.publishing import by_record
from bench.rounds import Effort, LostError
from bench.stage import Server, Stage

COUNTS = (100, 500, 2_000, 5_000)
QUICK_COUNTS = (100, 500)
EVENTS, GROUP = 20, 10
IDLE_SEC, QUICK_IDLE_SEC = 25.0, 2.0
"""Longer than uvicorn's 20 s between pings, or the idle ones would cost nothing by chance."""

TENANT = "subscribers"
_PATIENCE_SEC = 120.0


class OfSubscribers(msgspec.Struct, frozen=True, kw_only=True):
    """At so many sockets: CPU of the API process. `idle_percent` of a core while nothing happens, `event_ms` for one event to all of
    them, `delivery_us` the same by socket; `per_sec` deliveries as fast as they go; memory in KB a socket over that of none."""

    sockets: int
    idle_percent: float
    event_ms: float
    delivery_us: float
    per_sec: float
    kb_a_socket: float


async def over_subscribers(stage: Stage, effort: Effort) -> list[OfSubscribers]:
    """A process of its own for each number; the first row is one without any."""
    await add_tenant(stage.context, TENANT)
    idle_sec = QUICK_IDLE_SEC if effort.quick else IDLE_SEC
    server = await stage.ours()
    alone = OfSubscribers(
        sockets=0, idle_percent=await _idle(server, idle_sec), event_ms=0, delivery_us=0, per_sec=0, kb_a_socket=0
    )
    stage.stop(server)
    found = [alone]
    for count in QUICK_COUNTS if effort.quick else COUNTS:
        found.append(await _at(stage, count, idle_sec))
        print(f"{count:,} subscribers measured", flush=True)
    return found


async def _at(stage: Stage, count: int, idle_sec: float) -> OfSubscribers:
    server = await stage.ours()
    publish = by_record(stage.context, TENANT)
    init, report = {"authorization": stage.person([TENANT])}, str(stage.folder / "sockets.json")
    empty = server.memory().rss_mb
    wanted = Sockets(port=server.port, count=count, query=QUERY, events=EVENTS, init=init, report=report)

    async def prove() -> None:
        await publish([WARM])

    async with subscribed(wanted) as subscribers:
        await subscribers.until_live(prove)
        full = server.memory().rss_mb
        idle = await _idle(server, idle_sec)
        cpu, began = _cpu(server), time.monotonic()
        for start in range(0, EVENTS, GROUP):
            await publish(range(start, start + GROUP))
        await subscribers.until_complete(_PATIENCE_SEC)
        cpu = _cpu(server) - cpu
        heard = await subscribers.report()
    stage.stop(server)
    if heard.lost or heard.repeated or heard.closed:
        raise LostError(f"{heard.lost} deliveries were lost, {heard.repeated} came twice, {heard.closed} sockets were closed")
    return OfSubscribers(
        sockets=count,
        idle_percent=idle,
        event_ms=round(cpu / EVENTS * 1000, 2),
        delivery_us=round(cpu / heard.deliveries * 1e6, 2),
        per_sec=round(heard.deliveries / (heard.ended - began)),
        kb_a_socket=round((full - empty) * 1024 / count, 1),
    )


async def _idle(server: Server, seconds: float) -> float:
    """Percent of a core, while nothing happens."""
    cpu = _cpu(server)
    await asyncio.sleep(seconds)
    return round((_cpu(server) - cpu) / seconds * 100, 2)


def _cpu(server: Server) -> float:
    return sum(map(exact_cpu_sec, server.pids()))
