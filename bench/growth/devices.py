"""Over the number of devices: the overview, a tick with nothing new, one with k devices that beat, a sweep, and k that fall silent."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from app.clock import ManualClock
from app.context import Context, open_context
from app.domain.silence import GAP
from app.domain.tenant import Role
from app.overview import overview
from app.principal import Principal, PrincipalKind
from app.seed import seed_context
from app.store.indexes import ensure_collections
from app.store.intakes import IntakeRecord
from bench.growth import fleet
from bench.rounds import Effort
from bench.stage import Stage
from bench.usage import cpu_sec
from jobs.ticks import Tick, run_tick, ticks_of

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 20_000)
CHANGED = (100, 1_000, 10_000)
SILENT = 100
EVERY_SEC = 15.0
_EVERYBODY = Principal(PrincipalKind.PERSON, "bench", Role.SUPER_ADMIN, None)


class Cost(msgspec.Struct, frozen=True):
    """Medians: `cpu_ms` of the process that does it and `database_cpu_ms` of mongod, for one time."""

    ms: float
    cpu_ms: float
    database_cpu_ms: float


class OfDevices(msgspec.Struct, frozen=True, kw_only=True):
    """At so many devices. `tick` and `sweep` are those with nothing new; `changed` is a tick by how many devices beat since the
    last one; `silent` is a sweep in which so many fall silent, an alert each; `examined` is what the overview's counting looks at:
    keys of an index, and documents."""

    devices: int
    overview: Cost
    overview_of_tenant: Cost
    examined_keys: int
    examined_documents: int
    tick: Cost
    sweep: Cost
    changed: dict[str, Cost]
    silent: Cost


async def over_devices(stage: Stage, effort: Effort) -> list[OfDevices]:
    """One fleet that grows; its time stands still between the steps."""
    settings = stage.settings.model_copy(update={"mongo_database": "growth", "rule_tick_seconds": EVERY_SEC})
    clock = ManualClock(datetime.now(UTC))
    found: list[OfDevices] = []
    async with open_context(settings, clock) as context:
        await ensure_collections(context.mongo)
        await seed_context(context)
        await fleet.add_tenants_and_rules(context)
        measured, there = _Measured(stage, context, clock, effort.rounds + 1), 0
        for size in QUICK_SIZES if effort.quick else SIZES:
            await fleet.add_devices(context, there, size)
            there = size
            found.append(await measured.at(size))
            print(f"{size:,} devices measured", flush=True)
    return found


@dataclass(slots=True)
class _Measured:
    stage: Stage
    context: Context
    clock: ManualClock
    rounds: int
    turn: int = 0

    async def at(self, size: int) -> OfDevices:
        whole = await self._cost(lambda: overview(self.context, _EVERYBODY, None))
        one = await self._cost(lambda: overview(self.context, _EVERYBODY, fleet.TENANTS[0]))
        keys, documents = await self._examined()
        rules, sweep = (self._tick(name) for name in ("rules", "sweep"))
        await self._wait()
        await self._ran(rules)  # the mark of each lane
        idle = await self._cost(lambda: self._ran(rules), self._wait)
        sweep_idle = await self._cost(lambda: self._ran(sweep), self._sign)
        changed = {}
        for count in CHANGED:
            if count <= size:
                changed[str(count)] = await self._cost(lambda: self._ran(rules), self._beaten(count, size))
        silent = await self._cost(lambda: self._ran(sweep), self._silenced(size))
        return OfDevices(
            devices=size,
            overview=whole,
            overview_of_tenant=one,
            examined_keys=keys,
            examined_documents=documents,
            tick=idle,
            sweep=sweep_idle,
            changed=changed,
            silent=silent,
        )

    async def _cost(self, work: Callable[[], Awaitable[object]], prepare: Callable[[], Awaitable[None]] | None = None) -> Cost:
        samples: list[tuple[float, float, float]] = []
        for _ in range(self.rounds):
            if prepare is not None:
                await prepare()
            wall, own, database = time.perf_counter(), time.process_time(), cpu_sec(self.stage.database.pid)
            await work()
            samples.append(
                (
                    time.perf_counter() - wall,
                    time.process_time() - own,
                    cpu_sec(self.stage.database.pid) - database,
                )
            )
        # The first one warms.
        medians = [round(statistics.median(column) * 1000, 2) for column in zip(*samples[1:], strict=True)]
        return Cost(*medians)

    def _tick(self, name: str) -> Tick:
        return next(one for one in ticks_of(self.context.settings) if one.name == name)

    async def _ran(self, tick: Tick) -> None:
        assert await run_tick(self.context, tick, None)

    async def _wait(self) -> None:
        """So long that a tick may run again and reads nothing twice."""
        self.clock.advance(EVERY_SEC)

    async def _sign(self) -> None:
        """Somebody takes beats, or nobody would be judged."""
        self.clock.advance(1)
        record = IntakeRecord(id="bench", at=self.clock.now(), beats_per_sec=0, subscribers=0)
        await self.context.store.intakes.sign(record, GAP)

    def _beaten(self, count: int, size: int) -> Callable[[], Awaitable[None]]:
        async def prepare() -> None:
            self.turn += 1
            self.clock.advance(EVERY_SEC)
            await fleet.beat(self.context, random.Random(self.turn).sample(range(size), count), self.turn)
            self.clock.advance(1)

        return prepare

    def _silenced(self, size: int) -> Callable[[], Awaitable[None]]:
        """Devices that were last seen long ago, while signs of life came all the time."""

        async def prepare() -> None:
            await self._sign()
            await asyncio.sleep(0)
            self.turn += 1
            keys = [fleet.key(number) for number in random.Random(self.turn).sample(range(size), SILENT)]
            now = self.clock.now()
            seen = now - timedelta(seconds=fleet.OFFLINE_SEC + 1)
            await self.context.mongo.database["intakes"].update_one({"_id": "all"}, {"$set": {"gap_end": seen}})
            await self.context.mongo.database["devices"].update_many(
                {"_id": {"$in": keys}}, {"$set": {"last_seen": seen, "due_at": now}}
            )

        return prepare

    async def _examined(self) -> tuple[int, int]:
        """Keys and documents that the counting of all devices looks at."""
        group = {"_id": {"status": "$status", "well": "$services_health"}, "count": {"$sum": 1}}
        pipeline = [{"$match": {"retired_at": None}}, {"$group": group}]
        command = {"aggregate": "devices", "pipeline": pipeline, "cursor": {}}
        said = await self.context.mongo.database.command("explain", command, verbosity="executionStats")
        figures = said.get("executionStats") or said["stages"][0]["$cursor"]["executionStats"]
        return int(figures["totalKeysExamined"]), int(figures["totalDocsExamined"])
