"""The tables of `docs/scaling.md`, made of `bench/growth.json`: `python -m bench.growth.table` writes them between their marks."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.domain.ids import LANES
from bench.growth.model import MEMBERS, RETENTION_DAYS, Growth, costs, needs
from bench.results import measured_again, read

GROWTH = Path(__file__).parents[1] / "growth.json"
SCALING = Path(__file__).parents[2] / "docs" / "scaling.md"


def written(text: str, growth: Growth) -> str:
    """The document with the tables of these figures. Raises ValueError where the place of one is missing."""
    for name, table in TABLES.items():
        begin, end = f"<!-- growth:{name} -->", f"<!-- /growth:{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"docs/scaling.md has no place for a table: {begin} and {end}")
        text = f"{before}{begin}\n{table(growth)}{end}{after}"
    return text


def _machine(growth: Growth) -> str:
    machine = growth["machine"]
    return (
        f"Measured on {machine['at']}: {machine['cores']} cores ({machine['processor']}) for MongoDB, Redis, every process of ours "
        f"and the load together; Python {machine['python']}; load before the start {machine['load']:g}.{measured_again(growth)}\n"
    )


def _devices(growth: Growth) -> str:
    rows = growth["devices"]
    head = ["Devices", *(f"{row['devices']:,}" for row in rows)]
    body = [
        ["overview of all, ms", *(_two(row["overview"]) for row in rows)],
        ["overview of one tenant (1/16), ms", *(_two(row["overview_of_tenant"]) for row in rows)],
        ["keys, documents looked at for the overview", *(_examined(row) for row in rows)],
        ["rule tick, nothing new", *(_two(row["tick"]) for row in rows)],
        ["sweep, nobody due", *(_two(row["sweep"]) for row in rows)],
    ]
    for name, words in (("changed", "rule tick, {} beat"), ("silent", "sweep, {} fall silent")):
        for count in rows[-1][name]:
            cells = (_two(row[name][count]) if count in row[name] else "" for row in rows)
            body.append([words.format(f"{int(count):,}"), *cells])
    body.append(["sweep, 100 of one version fall silent (a tenth has it)", *(_two(row["silent_of_version"]) for row in rows)])
    return _table(head, body)


def _costs(growth: Growth) -> str:
    found, apis = costs(growth), growth["apis"]
    sockets = growth["subscribers"][-1]
    rows = [
        ["a beat, one a call", _us(apis["heartbeat"][0]["cpu_us"]), _us(apis["heartbeat"][0]["database_cpu_us"]), "beats"],
        [
            "a beat, a hundred a call",
            _us(apis["heartbeats"][0]["cpu_us"]),
            _us(apis["heartbeats"][0]["database_cpu_us"]),
            "beats",
        ],
        [
            "a beat judged by 20 rules",
            _us(found.changed.each),
            _us(found.changed_database.each),
            "devices that beat since a tick",
        ],
        ["a device that does nothing, per tick", _us(found.device_idle.each), _us(found.device_idle_database.each), "nothing"],
        ["a rule tick, 16 lanes", _us(found.changed.fixed), _us(found.changed_database.fixed), "ticks"],
        ["a device found silent, with its alert", _us(found.silent.each), _us(found.silent_database.each), "alerts"],
        ["a device in an overview of all", "0", _us(found.device_in_overview.each), "**devices**, per overview"],
        ["a delivery to a subscriber", _us(found.socket_in_event.each), "0", "subscribers of what happened"],
        ["an event, however many hear it", _us(found.socket_in_event.fixed), "", "events"],
        ["an idle subscriber, per second", _us(found.socket_idle.each), "0", "subscribers (pings)"],
    ]
    table = _table(["One more", "CPU of ours, µs", "CPU of mongod, µs", "grows with"], rows)
    return f"{table}\nA subscriber takes {sockets['kb_a_socket']:.0f} KB at {sockets['sockets']:,} of them.\n"


def _subscribers(growth: Growth) -> str:
    fields = {
        "sockets": "Subscribers",
        "idle_percent": "idle, % of a core",
        "event_ms": "CPU an event, ms",
        "delivery_us": "CPU a delivery, µs",
        "per_sec": "deliveries/s",
        "kb_a_socket": "KB each",
    }
    return _columns(growth["subscribers"], fields)


def _workers(growth: Growth) -> str:
    fields = {
        "workers": "Workers",
        "per_sec": "beats judged/s",
        "cpu_us": "CPU a beat, µs",
        "database_cpu_us": "CPU of mongod a beat, µs",
        "worker_cores": "cores, workers",
        "database_cores": "cores, mongod",
        "idle_percent": "idle, % of a core each",
    }
    return _columns(growth["workers"], fields)


def _apis(growth: Growth) -> str:
    fields = {
        "apis": "API processes",
        "per_sec": "beats/s",
        "cpu_us": "CPU a beat, µs",
        "database_cpu_us": "CPU of mongod a beat, µs",
        "p99_ms": "p99, ms",
        "api_cores": "cores, API",
        "database_cores": "cores, mongod",
        "client_cores": "cores, load",
    }
    words = {"heartbeat": "One beat a call:", "heartbeats": "A hundred beats a call:"}
    return "\n".join(f"{words[kind]}\n\n{_columns(growth['apis'][kind], fields)}" for kind in words)


def _bytes(growth: Growth) -> str:
    found = growth["bytes"]
    rows = [
        ["document", found["document"]],
        ["on disk, compressed", found["on_disk"]],
        ["keys of its indexes, on disk", found["index_keys"]],
        ["oplog, with the change of its device", found["oplog"]],
        ["API to MongoDB", found["to_mongod"]],
        ["MongoDB to API", found["from_mongod"]],
        ["body of a call with one", found["call_alone"]],
        ["its share of a call with a hundred", found["call_of_hundred"]],
    ]
    table = _table(["Of one beat", "bytes"], [[name, f"{value:,.0f}"] for name, value in rows])
    ended, rate = found["deleted_cpu_us"], found["deleted_per_sec"]
    return f"{table}\nIts end costs mongod {ended:.0f} µs of CPU; one thread ends {rate:,.0f} a second.\n"


def _ten_million(growth: Growth) -> str:
    need = needs(growth)
    rows = [
        ["beats", f"{need.beats_per_sec:,.0f} a second"],
        ["API, beats in calls of a hundred", f"{need.api_cores:.1f} cores"],
        ["API, each beat a call of its own", f"{need.api_cores_alone:.0f} cores"],
        ["workers, judging with 20 rules", f"{need.judging_cores:.1f} cores"],
        ["primaries, taking beats", f"{need.intake_database_cores:.1f} cores"],
        ["primaries, judging", f"{need.judging_database_cores:.1f} cores"],
        ["primaries, deleting what expired", f"{need.deleting_database_cores:.1f} cores, {need.deleting_threads:.1f} threads"],
        ["primaries, all of it", f"{need.database_cores:.1f} cores"],
        ["pages of the beats' index that are written to", f"{need.hot_index_gb:,.0f} GB of cache, one page a device"],
        [
            f"an even lane of {LANES}",
            f"{need.lane_beats_per_sec:,.0f} beats a second; judged for {need.lane_busy:.0%} of the time",
        ],
        ["beats on disk, one copy", f"{need.beats_gb_a_day:,.0f} GB a day"],
        [f"beats on disk, {RETENTION_DAYS} days, {MEMBERS} copies", f"{need.kept_gb / 1000:,.1f} TB"],
        [f"devices on disk, {MEMBERS} copies", f"{need.devices_gb:,.0f} GB"],
        ["calls into the API", f"{need.calls_mbit:,.0f} Mbit/s"],
        ["API and MongoDB, both ways", f"{need.to_mongod_mbit:,.0f} Mbit/s"],
        ["to the secondaries", f"{need.oplog_mbit:,.0f} Mbit/s"],
        ["an overview of all tenants", f"{need.overview_sec:.1f} s of mongod's CPU, over all shards"],
    ]
    return _table([f"{need.devices:,} devices, a beat a minute", "needs"], rows)


def _failover(growth: Growth) -> str:
    found = growth["failover"]
    rows = [
        [
            "a beat at one API, heard at another, p50 and p99",
            f"{found['crossed_p50_ms']:.0f} and {found['crossed_p99_ms']:.0f} ms",
        ],
        ["killed by SIGKILL", ", ".join(found["killed"])],
        ["from the killing of the primary to the next write of a majority", f"{found['election_sec']:.1f} s"],
        ["the longest that a beat waited for its acknowledgement", f"{found['longest_wait_sec']:.1f} s"],
        ["acknowledged beats, and those of them that were lost", f"{found['acknowledged_beats']:,}, {found['lost_beats']}"],
        ["devices that fell silent, alerts of them", f"{found['silent']}, {found['alerts']}"],
        ["alerts that opened twice, alerts of devices that beat", f"{found['alerts_twice']}, {found['alerts_of_the_living']}"],
        ["events at three subscribers", f"{found['streams']['events']}"],
        ["of them twice, out of order; missed; RESYNC", _streams(found["streams"])],
    ]
    return _table(["", ""], rows)


TABLES: dict[str, Callable[[Growth], str]] = {
    "machine": _machine,
    "costs": _costs,
    "devices": _devices,
    "subscribers": _subscribers,
    "workers": _workers,
    "apis": _apis,
    "bytes": _bytes,
    "ten-million": _ten_million,
    "failover": _failover,
}


def marks(text: str) -> list[str]:
    """The tables that a document has a place for."""
    return re.findall(r"<!-- growth:([a-z-]+) -->", text)


def _streams(streams: Mapping[str, int]) -> str:
    return f"{streams['twice']}, {streams['disordered']}; {streams['missed']}; {streams['resyncs']}"


def _examined(row: Mapping[str, Any]) -> str:
    return f"{row['examined_keys']:,}, {row['examined_documents']:,}"


def _two(cost: Mapping[str, float]) -> str:
    """CPU of ours and of mongod, and behind them how long it took."""
    return f"{_number(cost['cpu_ms'])} + {_number(cost['database_cpu_ms'])} ({_number(cost['ms'])})"


def _columns(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> str:
    return _table(list(fields.values()), [[_number(row[field]) for field in fields] for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _us(value: float) -> str:
    return _number(max(0.0, value)) if abs(value) >= 0.005 else "0"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    SCALING.write_text(written(SCALING.read_text(), read(GROWTH)))
