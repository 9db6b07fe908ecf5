"""How what the worker does grows: a tick with the devices that beat and with those that are there, a sweep with those that are lost.

`python -m bench.tick_growth` measures that alone, and prints it as JSON.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from app.clock import ManualClock
from app.context import Context, open_context
from app.domain.ids import device_key
from app.domain.tenant import EVERY_TENANT
from app.store.intakes import IntakeRecord
from bench.results import Comparison, Sample, compared, side, to_plain
from bench.rules import RULES
from bench.stage import Stage, staged
from bench.tick import EVERY_SEC, OFFLINE_SEC, add_fleet, beat
from bench.usage import cpu_sec
from jobs.ticks import run_tick, ticks_of

DEVICES = 100_000
CHANGED = (100, 1_000, 10_000, 100_000)
FLEETS = (10_000, 100_000, 1_000_000)
CHANGED_OF_FLEETS = 1_000
LOST = (100, 1_000, 10_000)
ROUNDS = 3
SWEEP_SEC = 1.0


class Size(msgspec.Struct, frozen=True):
    """How much to measure."""

    devices: int = DEVICES
    changed: Sequence[int] = CHANGED
    fleets: Sequence[int] = FLEETS
    lost: Sequence[int] = LOST
    rounds: int = ROUNDS


QUICK = Size(1_000, (100, 1_000), (500, 2_000), (50, 150), 1)


class _Yard:
    """A fleet whose time is ours, and ticks over it; each tick is one sample of this process and of the database."""

    def __init__(self, stage: Stage, context: Context, clock: ManualClock, names: list[tuple[str, str]]) -> None:
        self.context = context
        self.clock = clock
        self.names = names
        self._database = stage.database.pid
        self._ticks = {tick.name: tick for tick in ticks_of(context.settings)}
        self._turn = 0

    async def some_beat(self, count: int) -> None:
        self._turn += 1
        await beat(self.context, self.clock, random.Random(self._turn).sample(self.names, count), self._turn)

    async def tick(self, name: str) -> dict[str, float]:
        await sign(self.context)
        wall, cpu, database = time.perf_counter(), time.process_time(), cpu_sec(self._database)
        assert await run_tick(self.context, self._ticks[name], None)
        return {
            "ms": (time.perf_counter() - wall) * 1_000,
            "cpu_ms": (time.process_time() - cpu) * 1_000,
            "database_ms": (cpu_sec(self._database) - database) * 1_000,
        }

    async def tick_of(self, changed: int) -> dict[str, float]:
        """A tick after so many devices beat; before it, one that has nothing new."""
        self.clock.advance(EVERY_SEC)
        await self.tick("rules")
        await self.some_beat(changed)
        self.clock.advance(EVERY_SEC)
        return await self.tick("rules")

    async def sweep_of(self, names: Sequence[tuple[str, str]]) -> dict[str, float]:
        """A sweep just after these have missed their deadlines."""
        ends = self.clock.now()
        self.clock.advance(SWEEP_SEC)
        devices = self.context.mongo.tenant_collection("devices")
        silent = [{"$set": {"due_at": ends, "last_seen": {"$subtract": [ends, {"$multiply": ["$offline_after", 1_000]}]}}}]
        await devices.update(EVERY_TENANT, {"_id": {"$in": [device_key(*one) for one in names]}}, silent)
        return await self.tick("sweep")


async def sign(context: Context) -> None:
    """As an intake that writes all the time."""
    record = IntakeRecord(id="bench", at=context.clock.now(), beats_per_sec=0, subscribers=0)
    await context.store.intakes.sign(record, timedelta(days=1))


async def by_changed(stage: Stage, size: Size) -> Comparison:
    """The same fleet, more and more of which beats between two ticks."""
    samples: list[Sample] = []
    async with _yard(stage, "by_changed", size.devices) as yard:
        for _ in range(size.rounds):
            sample: dict[str, float] = {}
            for count in size.changed:
                sample |= _named(await yard.tick_of(count), count)
            samples.append(sample | _each(sample, size.changed))
    what = f"a rule tick over {size.devices:,} devices and {RULES} rules, by how many of them beat since the last one"
    return compared(what, {"ours": side(samples)})


async def by_devices(stage: Stage, size: Size) -> Comparison:
    """Fleets of different sizes, of which equally many beat."""
    changed = min(CHANGED_OF_FLEETS, *size.fleets)
    samples: list[dict[str, float]] = [{} for _ in range(size.rounds)]
    for fleet in size.fleets:
        async with _yard(stage, f"fleet_{fleet}", fleet) as yard:
            for sample in samples:
                sample.update(_named(await yard.tick_of(changed), fleet))
    what = f"a rule tick with {RULES} rules since whose last {changed:,} devices beat, by how many devices there are"
    return compared(what, {"ours": side(samples)})


async def by_lost(stage: Stage, size: Size) -> Comparison:
    """A sweep, by how many devices of a fleet have just fallen silent."""
    samples: list[Sample] = []
    async with _yard(stage, "by_lost", size.devices) as yard:
        left = iter(random.Random(2026).sample(yard.names, len(yard.names)))
        for _ in range(size.rounds):
            sample: dict[str, float] = {}
            for count in size.lost:
                sample |= _named(await yard.sweep_of(list(itertools.islice(left, count))), count)
            samples.append(sample | _each(sample, size.lost))
    what = f"a sweep over {size.devices:,} devices, by how many of them fell silent in the second before"
    return compared(what, {"ours": side(samples)})


KEYS = {measure.__name__: measure for measure in (by_changed, by_devices, by_lost)}


async def growth(stage: Stage, size: Size, only: Sequence[str] = ()) -> dict[str, Comparison]:
    """By key; of all, or of these alone."""
    return {key: await KEYS[key](stage, size) for key in only or KEYS}


@asynccontextmanager
async def _yard(stage: Stage, database: str, devices: int) -> AsyncIterator[_Yard]:
    """A fleet in a database of its own, every device of which beat once; a first tick has warmed connections and caches."""
    settings = stage.settings.model_copy(update={"mongo_database": database, "rule_tick_seconds": EVERY_SEC})
    clock = ManualClock(datetime.now(UTC))
    async with open_context(settings, clock) as context:
        await sign(context)
        # What the first sign of life says of a gap before it excuses nobody any more.
        clock.advance(OFFLINE_SEC + EVERY_SEC)
        yard = _Yard(stage, context, clock, await add_fleet(context, clock, devices))
        await yard.tick_of(devices)
        yield yard


def _named(sample: Sample, count: int) -> dict[str, float]:
    return {f"{name}_of_{count}": value for name, value in sample.items()}


def _each(sample: Sample, counts: Sequence[int]) -> dict[str, float]:
    """What one more costs, in microseconds, between the least and the most."""
    least, most = counts[0], counts[-1]
    names = ("ms", "cpu_ms", "database_ms")
    return {
        f"{name.removesuffix('ms')}us_each": (sample[f"{name}_of_{most}"] - sample[f"{name}_of_{least}"]) * 1_000 / (most - least)
        for name in names
    }


async def main(size: Size, only: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder)) as stage:
            found = to_plain(await growth(stage, size, only))
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="short and small")
    options.add_argument("--only", nargs="*", choices=sorted(KEYS), default=(), help="these alone")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    asked = options.parse_args()
    asyncio.run(main(QUICK if asked.quick else Size(), asked.only))
