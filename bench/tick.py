"""How long a rule tick takes over 100,000 devices and 20 rules, and how long one with nothing new.

Real servers, the product's own tick, one process. Everything is kept as devices would leave it: each beat its own document.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from app.clock import ManualClock
from app.context import Context, open_context
from app.domain.beat import Beat
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.tenant import EVERY_TENANT, Tenant
from app.embedded import embedded_servers, mongo_uri, redis_url
from app.seed import seed_context
from app.settings import read_settings
from app.store.encoding import to_document
from bench.rules import RULES, add_rules
from jobs.ticks import run_tick, ticks_of

TENANTS = 8
EVERY_SEC = 15.0
AT_ONCE = 5_000
OFFLINE_SEC = 3_600


async def measure(context: Context, clock: ManualClock, devices: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of wall time and of this process's CPU, for ticks in which every device beat and for idle ones."""
    [tick] = [one for one in ticks_of(context.settings) if one.name == "rules"]
    names = await add_fleet(context, clock, devices)
    figures: dict[str, list[float]] = {"busy": [], "busy_cpu": [], "idle": [], "idle_cpu": []}
    for turn in range(rounds + 1):
        clock.advance(EVERY_SEC)
        await beat(context, clock, names, turn)
        clock.advance(1)
        # The tick after a busy one reads a little of it again; the one after that has nothing new.
        for kind in ("busy", "again", "idle"):
            wall, cpu = time.perf_counter(), time.process_time()
            assert await run_tick(context, tick, None)
            if turn and kind != "again":  # the first round warms connections and caches
                figures[kind].append(time.perf_counter() - wall)
                figures[f"{kind}_cpu"].append(time.process_time() - cpu)
            clock.advance(EVERY_SEC)
    return figures


async def add_fleet(context: Context, clock: ManualClock, devices: int) -> list[tuple[str, str]]:
    """(tenant, device) of devices that are well, over several tenants and a hundred stores each, and the rules for them."""
    await seed_context(context)
    now = clock.now()
    for number in range(TENANTS):
        await context.store.tenants.insert(Tenant(id=f"tenant-{number}", name=f"Tenant {number}", created_at=now))
    await add_rules(context)
    names = [(f"tenant-{number % TENANTS}", f"device-{number}") for number in range(devices)]
    collection = context.mongo.tenant_collection("devices")
    for start in range(0, devices, AT_ONCE):
        await collection.insert(EVERY_TENANT, [to_document(_device(*one, now)) for one in names[start : start + AT_ONCE]])
    return names


def _device(tenant_id: str, device_id: str, now: datetime) -> Device:
    return Device(
        id=device_key(tenant_id, device_id),
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        status=DeviceStatus.ONLINE,
        since=now,
        created_at=now,
        offline_after=OFFLINE_SEC,
        wake_after=OFFLINE_SEC,
        last_seen=now,
        due_at=now + timedelta(seconds=OFFLINE_SEC),
        store_id=f"store-{device_id[-2:]}",
        app_version="4.2.0",
    )


async def beat(context: Context, clock: ManualClock, names: Sequence[tuple[str, str]], turn: int) -> None:
    """Each of these devices beats, within the second that begins now. `turn` is never the same twice."""
    chance = random.Random(turn)
    now = clock.now()
    for start in range(0, len(names), AT_ONCE):
        beats = [
            Beat(
                id=f"{tenant_id}:{device_id}:{turn}",
                tenant_id=tenant_id,
                device_id=device_id,
                lane=lane_of(tenant_id),
                timestamp=now + timedelta(milliseconds=chance.randrange(1_000)),
                received_at=now + timedelta(milliseconds=chance.randrange(1_000)),
                expire_at=now + timedelta(days=7),
                cpu_usage=_gauge(chance),
                memory_usage=_gauge(chance),
                disk_usage=chance.uniform(10, 80),
                sync_lag_sec=chance.uniform(0, 60),
                error_rate_5m=0.0,
                request_latency_p95=chance.uniform(50, 400),
            )
            for tenant_id, device_id in names[start : start + AT_ONCE]
        ]
        await context.store.heartbeats.insert(beats)


def _gauge(chance: random.Random) -> float:
    """One in a thousand is too high, as in a fleet that is mostly well."""
    return 97.0 if chance.random() < 0.001 else chance.uniform(5, 70)


async def main(devices: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_servers(Path(folder)) as (mongod, redis):
        settings = read_settings(
            {},
            needs_auth=False,
            mongo_uri=mongo_uri(mongod.port, "bench"),
            redis_url=redis_url(redis.port),
            rule_tick_seconds=EVERY_SEC,
        )
        clock = ManualClock(datetime.now(UTC))
        async with open_context(settings, clock) as context:
            figures = await measure(context, clock, devices, rounds)
    _show(figures, devices)


def _show(figures: dict[str, list[float]], devices: int) -> None:
    table = Table(title=f"A rule tick over {devices:,} devices and {RULES} rules (median; lowest to highest)")
    for heading in ("tick", "seconds", "CPU seconds of the process"):
        table.add_column(heading)
    for name, words in (("busy", "every device beat since the last one"), ("idle", "nothing new")):
        table.add_row(words, *(_spread(figures[kind]) for kind in (name, f"{name}_cpu")))
    Console(width=100).print(table)


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    asyncio.run(main(asked.devices, asked.rounds))
