"""What the worker does: a rule tick, and telling which devices fell silent."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec

from app.clock import ManualClock
from app.context import open_context
from app.domain.tenant import only
from bench import tick as bench_tick
from bench.fleet import add_devices, add_tenant
from bench.gateway import Gateway
from bench.results import Comparison, Sample, compared, side
from bench.rounds import Effort, LostError
from bench.rules import RULES
from bench.stage import Server, Stage
from bench.tick_growth import QUICK as QUICK_GROWTH, Size as Growth, growth
from bench.usage import cpu_sec

TICK_DEVICES, TICK_ROUNDS = 100_000, 3
QUICK_TICK_DEVICES = 5_000
FLEET, OFFLINE_SEC, BEAT_SEC, SILENT = 20_000, 30, 10.0, 400
QUICK_FLEET, QUICK_OFFLINE_SEC, QUICK_BEAT_SEC, QUICK_SILENT = 1_000, 4, 1.0, 40
BATCH = 100
TENANT = "fleet"
EVENTS = "subscription { alertEvents { type alert { ruleKey subjectId } } }"


async def tick(stage: Stage, effort: Effort) -> dict[str, Comparison]:
    """A tick after every device beat, and one with nothing new; 20 rules. And how ticks and sweeps grow."""
    devices, rounds = (QUICK_TICK_DEVICES, 1) if effort.quick else (TICK_DEVICES, TICK_ROUNDS)
    settings = stage.settings.model_copy(update={"mongo_database": "tick", "rule_tick_seconds": bench_tick.EVERY_SEC})
    clock = ManualClock(datetime.now(UTC))
    async with open_context(settings, clock) as context:
        figures = await bench_tick.measure(context, clock, devices, rounds)
    found: dict[str, Comparison] = {}
    for kind, words in (("busy", "every device beat since the last one"), ("idle", "nothing new")):
        pairs = zip(figures[kind], figures[f"{kind}_cpu"], strict=True)
        samples = [{"seconds": seconds, "cpu_sec": cpu} for seconds, cpu in pairs]
        what = f"a rule tick over {devices:,} devices and {RULES} rules, in one process: {words}"
        found[kind] = compared(what, {"ours": side(samples)})
    return found | await growth(stage, QUICK_GROWTH if effort.quick else Growth())


async def offline_detect(stage: Stage, effort: Effort) -> Comparison:
    """From a device's deadline to the event at a subscriber, through a worker and an API as users run them."""
    fleet, offline_sec, beat_sec, silent = (
        (QUICK_FLEET, QUICK_OFFLINE_SEC, QUICK_BEAT_SEC, QUICK_SILENT) if effort.quick else (FLEET, OFFLINE_SEC, BEAT_SEC, SILENT)
    )
    await add_tenant(stage.context, TENANT)
    devices = list(await add_devices(stage.context, TENANT, fleet, offline_sec))
    random.Random(2026).shuffle(devices)
    api, worker = await stage.ours(), await stage.worker()
    gateway = Gateway([api.port], TENANT, stage.person([TENANT]), devices, beat_sec, BATCH)
    heard: dict[str, datetime] = {}
    async with _background(gateway.run()), _background(_listen(stage, api, heard)):
        await gateway.until_rounds(3)
        gone = set(random.Random(7).sample(devices, silent))
        gateway.silent = gone
        cpu, began = _cpu(api, worker), asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * offline_sec + beat_sec + 20):
                while not gone <= heard.keys():  # noqa: ASYNC110 - what it waits for comes from several sides
                    await asyncio.sleep(0.1)
        seconds = asyncio.get_running_loop().time() - began
        took = {name: after - cpu[name] for name, after in _cpu(api, worker).items()}
    if gateway.refused:
        raise LostError(f"{gateway.refused} calls of {BATCH} beats were not taken at once")
    if heard.keys() != gone:
        raise LostError(f"{len(gone - heard.keys())} of {silent} were not noticed; {len(heard.keys() - gone)} were that beat")
    late = await _late(stage, heard, offline_sec)
    sample: Sample = {
        "p50_sec": late[len(late) // 2],
        "p99_sec": late[int(len(late) * 0.99)],
        "worst_sec": late[-1],
        "worker_share": took["worker"] / seconds,
        "api_share": took["api"] / seconds,
    }
    what = f"{fleet:,} devices that beat every {beat_sec:g} s; {silent} fall silent: from the deadline ({offline_sec} s) to a subscriber"
    memory = worker.memory()
    stage.stop(api, worker)
    return compared(what, {"ours": side([sample], memory)})


async def _listen(stage: Stage, api: Server, heard: dict[str, datetime]) -> None:
    """When a subscriber heard first of each device that is offline, by the database's time."""
    address = f"http://127.0.0.1:{api.port}/graphql"
    init = {"type": "connection_init", "payload": {"authorization": stage.person([TENANT])}}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, protocols=["graphql-transport-ws"]) as socket,
    ):
        await socket.send_json(init)
        await socket.receive_json()
        await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": EVENTS}})
        async for message in socket:
            said = msgspec.json.decode(message.data)
            if said["type"] != "next":
                continue
            event = said["payload"]["data"]["alertEvents"]
            if event["type"] == "OPENED" and event["alert"]["ruleKey"] == "device_offline":
                heard.setdefault(event["alert"]["subjectId"], stage.context.clock.now())


async def _late(stage: Stage, heard: dict[str, datetime], offline_sec: int) -> list[float]:
    """Seconds after the deadline, the shortest first."""
    found = await stage.context.store.devices.get_many(only(TENANT), [f"{TENANT}:{one}" for one in heard])
    seen = {device.device_id: device.last_seen for device in found.values()}
    late = []
    for device_id, at in heard.items():
        last = seen[device_id]
        assert last is not None
        late.append((at - last - timedelta(seconds=offline_sec)).total_seconds())
    return sorted(late)


@asynccontextmanager
async def _background(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _cpu(api: Server, worker: Server) -> dict[str, float]:
    return {"api": sum(map(cpu_sec, api.pids())), "worker": sum(map(cpu_sec, worker.pids()))}
