"""Events to many sockets: how many a second, at what CPU of the server, how late; and nothing lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import aiohttp

from bench.fleet import add_tenant
from bench.load.sockets import WARM, SocketReport, Sockets
from bench.load.subscribers import subscribed
from bench.measures.publishing import Published, Publisher, by_mutation, by_record
from bench.results import Comparison, Sample, compared, side
from bench.rounds import Effort, LostError, alternate
from bench.stage import Server, Stage
from bench.usage import running_sec

SOCKETS = (500, 2_000)
EVENTS = 20
QUICK_SOCKETS = (500,)
QUICK_EVENTS = 10
GROUP = 10
"""Events in one transaction of ours, of as many calls of a peer's."""

RATE = 10.0
"""Events a second, where it is latency that is measured."""

TENANT = "fanout"
QUERY = "subscription Events { alertEvents { id type at alert { id title message severity status firstSeen } } }"
_PATIENCE_SEC = 120.0


@dataclass(frozen=True, slots=True)
class _Side:
    server: Server
    publish: Publisher
    init: dict[str, str]
    empty_mb: float = 0.0
    """Resident memory with all that it loads for its first subscribers, and none of them there."""


async def fanout(stage: Stage, effort: Effort) -> dict[str, Comparison]:
    """As fast as they go, by the number of sockets."""
    found: dict[str, Comparison] = {}
    for count in QUICK_SOCKETS if effort.quick else SOCKETS:
        events = QUICK_EVENTS if effort.quick else EVENTS
        what = f"{events} alert events to {count:,} subscribers of one tenant, as fast as they go; per operation is a delivery"
        found[str(count)] = await _compare(stage, effort, what, partial(_burst, stage, count, events))
    return found


async def fanout_latency(stage: Stage, effort: Effort) -> Comparison:
    count, events = (QUICK_SOCKETS if effort.quick else SOCKETS)[-1], int(RATE * effort.seconds)
    what = f"{RATE:g} events/s to {count:,} subscribers: from the commit (of a peer: from the call) to each socket"
    return await _compare(stage, effort, what, partial(_steady, stage, count, events))


async def _compare(stage: Stage, effort: Effort, what: str, measure: Callable[[_Side], Awaitable[Sample]]) -> Comparison:
    async with _sides(stage) as sides:
        turns = {name: partial(measure, one) for name, one in sides.items()}
        # Nothing warms but the proof that all are live: a round is long.
        samples = await alternate(turns, 1 if effort.quick else effort.rounds, warm=False)
        return compared(what, {name: side(samples[name], one.server.memory()) for name, one in sides.items()}, stage.without)


@asynccontextmanager
async def _sides(stage: Stage) -> AsyncIterator[dict[str, _Side]]:
    if await stage.context.store.tenants.get(TENANT) is None:
        await add_tenant(stage.context, TENANT)
    async with aiohttp.ClientSession() as session:
        ours = await stage.ours()
        sides = {"ours": _Side(ours, by_record(stage.context, TENANT), {"authorization": stage.person([TENANT])})}
        stock = await stage.python("bench.peers.strawberry_stock")
        sides["strawberry"] = _Side(stock, by_mutation(stock.port, session), {})
        if "yoga" not in stage.without:
            yoga = await stage.node("yoga")
            sides["yoga"] = _Side(yoga, by_mutation(yoga.port, session), {})
        yield {name: await _begun(stage, one) for name, one in sides.items()}
        stage.stop(*(one.server for one in sides.values()))


async def _begun(stage: Stage, one: _Side) -> _Side:
    async with subscribed(_sockets(stage, one, 10, 1)) as subscribers:
        await subscribers.until_live(lambda: _prove(one))
    return replace(one, empty_mb=one.server.memory().rss_mb)


async def _burst(stage: Stage, count: int, events: int, one: _Side) -> Sample:
    async with subscribed(_sockets(stage, one, count, events)) as subscribers:
        await subscribers.until_live(lambda: _prove(one))
        full, cpu, began = one.server.memory(), _cpu(one), time.monotonic()
        for start in range(0, events, GROUP):
            await one.publish(range(start, start + GROUP))
        await subscribers.until_complete(_PATIENCE_SEC)
        cpu = _cpu(one) - cpu
        report = _whole(await subscribers.report())
    seconds = report.ended - began
    return {
        "per_sec": report.deliveries / seconds,
        "cpu_us": cpu / report.deliveries * 1e6,
        "kb_a_socket": max(0.0, full.rss_mb - one.empty_mb) * 1024 / count,
        "server_share": cpu / seconds,
        "client_share": report.client_cpu_sec / seconds,
    }


async def _steady(stage: Stage, count: int, events: int, one: _Side) -> Sample:
    async with subscribed(_sockets(stage, one, count, events, times=True)) as subscribers:
        await subscribers.until_live(lambda: _prove(one))
        cpu, began, there = _cpu(one), time.monotonic(), list[Published]()
        for number in range(events):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            there.append(await one.publish([number]))
        await subscribers.until_complete(_PATIENCE_SEC)
        cpu, seconds = _cpu(one) - cpu, time.monotonic() - began
        report = _whole(await subscribers.report())
    came = list(zip(report.numbers, report.times, strict=True))
    late = sorted(at - there[number].there for number, at in came)
    whole = sorted(at - there[number].began for number, at in came)
    return {
        "p50_ms": late[len(late) // 2] * 1000,
        "p99_ms": late[int(len(late) * 0.99)] * 1000,
        "worst_ms": late[-1] * 1000,
        "whole_p99_ms": whole[int(len(whole) * 0.99)] * 1000,
        "cpu_us": cpu / report.deliveries * 1e6,
        "server_share": cpu / seconds,
        "client_share": report.client_cpu_sec / seconds,
    }


def _sockets(stage: Stage, one: _Side, count: int, events: int, *, times: bool = False) -> Sockets:
    report = str(stage.folder / "sockets.json")
    return Sockets(port=one.server.port, count=count, query=QUERY, events=events, init=one.init, times=times, report=report)


async def _prove(one: _Side) -> None:
    await one.publish([WARM])


def _cpu(one: _Side) -> float:
    return sum(map(running_sec, one.server.pids()))


def _whole(report: SocketReport) -> SocketReport:
    if report.lost or report.repeated or report.closed:
        raise LostError(f"{report.lost} deliveries were lost, {report.repeated} came twice, {report.closed} sockets were closed")
    return report
