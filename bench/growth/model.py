"""What one more costs, and what ten million devices would: arithmetic on what was measured, and nothing else."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.domain.ids import LANES
from bench.growth.slopes import Line, line

Growth = Mapping[str, Any]
"""`bench/growth.json`."""

MANY = 10_000_000
BEAT_EVERY_SEC = 60
MEMBERS = 3
RETENTION_DAYS = 7
INDEX_PAGE = 16_384
"""Bytes of a leaf of an index, which WiredTiger has in memory when it writes to it."""

_DAY_SEC = 86_400
_GB = 1e9


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Each is a line: on top of what is `fixed`, what `each` one more costs, in µs of CPU. `*_database` are of mongod."""

    device_idle: Line
    device_idle_database: Line
    device_in_overview: Line
    changed: Line
    changed_database: Line
    silent: Line
    silent_database: Line
    socket_in_event: Line
    socket_idle: Line


def costs(growth: Growth) -> Costs:
    """`changed` and `silent` are those at the largest fleet that was measured; `socket_idle` is µs of CPU a second."""
    devices, sockets = growth["devices"], growth["subscribers"]
    largest = devices[-1]

    def by_size(name: str, clock: str) -> Line:
        return line([(row["devices"], row[name][clock] * 1000) for row in devices])

    def at_largest(name: str, clock: str) -> Line:
        return line([(int(count), cost[clock] * 1000) for count, cost in largest[name].items()])

    return Costs(
        device_idle=by_size("tick", "cpu_ms"),
        device_idle_database=by_size("tick", "database_cpu_ms"),
        device_in_overview=by_size("overview", "database_cpu_ms"),
        changed=at_largest("changed", "cpu_ms"),
        changed_database=at_largest("changed", "database_cpu_ms"),
        silent=at_largest("silent", "cpu_ms"),
        silent_database=at_largest("silent", "database_cpu_ms"),
        socket_in_event=line([(row["sockets"], row["event_ms"] * 1000) for row in sockets]),
        socket_idle=line([(row["sockets"], row["idle_percent"] * 10_000) for row in sockets]),
    )


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """For so many devices that beat once a minute, through gateways that send a hundred in a call. Cores are busy ones: a machine
    is bought with as many again. `lane_busy`: the share of its time for which an even lane is judged. `deleting_threads`: how many
    mongods it takes to end as many beats as come, each with the one thread that does it. `hot_index_gb`: not measured; the page of
    (tenant, device, time) that the next beat of each device goes to."""

    devices: int
    beats_per_sec: float
    api_cores: float
    api_cores_alone: float
    judging_cores: float
    intake_database_cores: float
    judging_database_cores: float
    deleting_database_cores: float
    database_cores: float
    deleting_threads: float
    hot_index_gb: float
    lane_beats_per_sec: float
    lane_busy: float
    beats_gb_a_day: float
    kept_gb: float
    devices_gb: float
    calls_mbit: float
    to_mongod_mbit: float
    oplog_mbit: float
    overview_sec: float


def needs(growth: Growth, devices: int = MANY, every_sec: float = BEAT_EVERY_SEC) -> Needs:
    rate = devices / every_sec
    batched, alone = (growth["apis"][kind][0] for kind in ("heartbeats", "heartbeat"))
    judged, of_beat = growth["workers"][0], growth["bytes"]
    disk = of_beat["on_disk"] + of_beat["index_keys"]
    judging = rate * judged["cpu_us"] / 1e6
    in_mongod = rate * judged["database_cpu_us"] / 1e6
    taking = rate * batched["database_cpu_us"] / 1e6
    deleting = rate * of_beat["deleted_cpu_us"] / 1e6
    return Needs(
        devices=devices,
        beats_per_sec=rate,
        api_cores=rate * batched["cpu_us"] / 1e6,
        api_cores_alone=rate * alone["cpu_us"] / 1e6,
        judging_cores=judging,
        intake_database_cores=taking,
        judging_database_cores=in_mongod,
        deleting_database_cores=deleting,
        database_cores=taking + in_mongod + deleting,
        deleting_threads=rate / of_beat["deleted_per_sec"],
        hot_index_gb=devices * INDEX_PAGE / _GB,
        lane_beats_per_sec=rate / LANES,
        lane_busy=(judging + in_mongod) / LANES,
        beats_gb_a_day=rate * _DAY_SEC * disk / _GB,
        kept_gb=rate * _DAY_SEC * disk * RETENTION_DAYS * MEMBERS / _GB,
        devices_gb=devices * growth["devices"][-1]["disk_bytes"] * MEMBERS / _GB,
        calls_mbit=rate * of_beat["call_of_hundred"] * 8 / 1e6,
        to_mongod_mbit=rate * (of_beat["to_mongod"] + of_beat["from_mongod"]) * 8 / 1e6,
        oplog_mbit=rate * of_beat["oplog"] * (MEMBERS - 1) * 8 / 1e6,
        overview_sec=devices * costs(growth).device_in_overview.each / 1e6,
    )
