"""What a beat takes of the disk and of the network: counted by MongoDB itself."""

import asyncio
import random
import time
from datetime import timedelta
from typing import Any

import msgspec

from app.store.mongo import Mongo
from bench.fleet import BEAT, BEATS, add_devices, add_tenant, batch_calls, beat_input, body
from bench.growth.usage import exact_cpu_sec
from bench.load.http import Calls
from bench.rounds import Effort, call
from bench.stage import Stage

TENANT, DEVICES, QUICK_DEVICES, BATCH = "bytes", 100_000, 10_000, 100
_CONNECTIONS = 8


class Bytes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one beat of twelve fields, in bytes: its document, on the disk after compression, its keys in all indexes, in the oplog
    (with what it writes to its device), between API and MongoDB both ways, and its call: alone, and as one of a hundred. `deleted_*`: what
    its end costs mongod, one thread that follows the index by which MongoDB itself ends what has expired."""

    document: float
    on_disk: float
    index_keys: float
    oplog: float
    to_mongod: float
    from_mongod: float
    call_alone: int
    call_of_hundred: float
    deleted_cpu_us: float
    deleted_per_sec: float
    measured_beats: int


async def bytes_of_a_beat(stage: Stage, effort: Effort) -> Bytes:
    """An API takes beats of many devices, a hundred a call; then MongoDB is asked."""
    await add_tenant(stage.context, TENANT)
    count = QUICK_DEVICES if effort.quick else DEVICES  # so many that none beats twice within two seconds
    devices = list(await add_devices(stage.context, TENANT, count, beaten=True))
    mongo, api = stage.context.mongo, await stage.ours()
    beats_before, before = await _beats(mongo), await _traffic(mongo)
    report = await call(
        Calls(
            port=api.port,
            calls=batch_calls(TENANT, devices, BATCH, stage.person([TENANT])),
            wanted=f'"accepted":{BATCH}',
            connections=_CONNECTIONS,
            warm_sec=effort.warm_sec,
            seconds=effort.seconds,
        )
    )
    await asyncio.to_thread(stage.stop, api)
    after = await _traffic(mongo)
    await mongo.database.client.admin.command("fsync")
    beats = await _beats(mongo) - beats_before
    assert beats == report.answered * BATCH
    stored = await _stats(mongo, "device_heartbeats")
    chance = random.Random(2026)
    inputs = [beat_input(TENANT, device, 100_000_000, chance) for device in devices[:BATCH]]
    went = {name: (after[name] - before[name]) / beats for name in after}
    deleted_us, deleted_per_sec = await _deleted(stage)
    return Bytes(
        document=round(stored["avgObjSize"]),
        on_disk=round(stored["storageSize"] / stored["count"], 1),
        index_keys=round(stored["totalIndexSize"] / stored["count"], 1),
        oplog=round(went["oplog"]),
        to_mongod=round(went["in"]),
        from_mongod=round(went["out"]),
        call_alone=len(body(BEAT, {"input": inputs[0]})),
        call_of_hundred=round(len(body(BEATS, {"inputs": inputs})) / BATCH),
        deleted_cpu_us=deleted_us,
        deleted_per_sec=deleted_per_sec,
        measured_beats=beats,
    )


async def _deleted(stage: Stage) -> tuple[float, float]:
    """CPU of mongod for each beat in µs, and beats a second."""
    beats, far = stage.context.mongo.database["device_heartbeats"], stage.context.clock.now() + timedelta(days=400)
    cpu, began = exact_cpu_sec(stage.database.pid), time.monotonic()
    gone = (await beats.delete_many({"expire_at": {"$lte": far}}, hint="retention")).deleted_count
    seconds, cpu = time.monotonic() - began, exact_cpu_sec(stage.database.pid) - cpu
    return round(cpu / gone * 1e6, 1), round(gone / seconds)


async def _beats(mongo: Mongo) -> int:
    return int(await mongo.database["device_heartbeats"].count_documents({}))


async def _stats(mongo: Mongo, collection: str) -> dict[str, Any]:
    stats: dict[str, Any] = await mongo.database.command("collStats", collection)
    return stats


async def _traffic(mongo: Mongo) -> dict[str, float]:
    client = mongo.database.client
    network = (await client.admin.command("serverStatus"))["network"]
    oplog = await client["local"].command("collStats", "oplog.rs")
    return {"in": network["bytesIn"], "out": network["bytesOut"], "oplog": oplog["size"]}
