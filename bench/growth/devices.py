"""Over the number of devices: the overview, a tick with nothing new, one with k devices that beat, a sweep, and k that fall silent."""

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
from bench.growth.usage import exact_cpu_sec
from bench.rounds import Effort
from bench.stage import Stage
from jobs.ticks import Tick, run_tick, ticks_of

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 20_000)
CHANGED = (100, 1_000, 10_000)
SILENT = (100, 1_000)
EVERY_SEC = 15.0
_EVERYBODY = Principal(PrincipalKind.PERSON, "bench", Role.SUPER_ADMIN, None)


class Cost(msgspec.Struct, frozen=True):
    """Medians: `cpu_ms` of the process that does it and `database_cpu_ms` of mongod, for one time."""

    ms: float
    cpu_ms: float
    database_cpu_ms: float


class OfDevices(msgspec.Struct, frozen=True, kw_only=True):
    """At so many devices. `tick` and `sweep` are those with nothing new; `changed` is a tick by how many devices beat since the
    last one, `silent` a sweep by how many are found silent, an alert each; `silent_of_version` one of the least of them, all of one
    app version, which a tenth of the devices have. `examined_*`: keys and documents that MongoDB looks at
    for the overview of all. `disk_bytes`: of one device with its keys, after compression."""

    devices: int
    overview: Cost
    overview_of_tenant: Cost
    examined_keys: int
    examined_documents: int
    tick: Cost
    sweep: Cost
    changed: dict[str, Cost]
    silent: dict[str, Cost]
    silent_of_version: Cost
    disk_bytes: float


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
        changed, silent = dict[str, Cost](), dict[str, Cost]()
        for count in (one for one in CHANGED if one <= size):
            changed[str(count)] = await self._cost(lambda: self._ran(rules), self._beaten(count, size))
        for count in (one for one in SILENT if 2 * one <= size):
            silent[str(count)] = await self._cost(lambda: self._ran(sweep), self._silenced(count, size, of_version=False))
        of_version = await self._cost(lambda: self._ran(sweep), self._silenced(SILENT[0], size, of_version=True))
        await self._forget()
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
            silent_of_version=of_version,
            disk_bytes=await self._disk_bytes(),
        )

    async def _cost(self, work: Callable[[], Awaitable[object]], prepare: Callable[[], Awaitable[None]] | None = None) -> Cost:
        samples: list[tuple[float, ...]] = []
        for _ in range(self.rounds):
            if prepare is not None:
                await prepare()
            before = self._clocks()
            await work()
            samples.append(tuple(after - one for one, after in zip(before, self._clocks(), strict=True)))
        # The first one warms.
        medians = [round(statistics.median(column) * 1000, 2) for column in zip(*samples[1:], strict=True)]
        return Cost(*medians)

    def _clocks(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), exact_cpu_sec(self.stage.database.pid)

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

    def _silenced(self, count: int, size: int, *, of_version: bool) -> Callable[[], Awaitable[None]]:
        """Devices that were last seen long ago, while signs of life came all the time."""

        async def prepare() -> None:
            await self._forget()
            await self._sign()
            self.turn += 1
            some = [number for number in range(size) if fleet.has_version(number) is of_version]
            keys = [fleet.key(number) for number in random.Random(self.turn).sample(some, count)]
            now = self.clock.now()
            seen = now - timedelta(seconds=fleet.OFFLINE_SEC + 1)
            database = self.context.mongo.database
            await database["intakes"].update_one({"_id": "all"}, {"$set": {"gap_end": seen}})
            await database["devices"].update_many({"_id": {"$in": keys}}, {"$set": {"last_seen": seen, "due_at": now}})

        return prepare

    async def _forget(self) -> None:
        """Everybody is well again, and nothing ever happened."""
        database, now = self.context.mongo.database, self.clock.now()
        for name in ("provider_alerts", "rule_states", "alert_events", "deliveries"):
            await database[name].delete_many({})
        far = now + fleet.NEVER_DUE
        well = {"status": "online", "missed": False, "judged_seen": None, "last_seen": far, "due_at": far}
        await database["devices"].update_many({"status": "offline"}, {"$set": well})

    async def _disk_bytes(self) -> float:
        database = self.context.mongo.database
        await database.client.admin.command("fsync")
        stats = await database.command("collStats", "devices")
        return float(round((stats["storageSize"] + stats["totalIndexSize"]) / stats["count"]))

    async def _examined(self) -> tuple[int, int]:
        database = self.context.mongo.database
        await database.command("profile", 2)
        await overview(self.context, _EVERYBODY, None)
        await database.command("profile", 0)
        asked = await database["system.profile"].find({}).to_list(None)
        await database["system.profile"].drop()
        keys, documents = (sum(row.get(name, 0) for row in asked) for name in ("keysExamined", "docsExamined"))
        return keys, documents
