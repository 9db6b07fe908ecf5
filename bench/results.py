"""What a bench found, as `results.json` keeps it."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.machine import Machine
from bench.usage import Memory

RESULTS = Path(__file__).with_name("results.json")
QUICK_RESULTS = Path(__file__).with_name("results.local.json")
"""Of the quick run: good enough to see whether a change helps, not to be quoted."""

Sample = Mapping[str, float]
"""One round of one side, by the name of the figure."""

HIGHER_IS_BETTER = {"per_sec"}
"""Of all other figures (times, CPU, memory) less is better."""

UNCOMPARED = {"server_share", "client_share", "database_share"}
"""They say how busy each process was, in cores, and are nobody's merit."""

_CLIENT_FULL, _SERVER_FULL = 0.85, 0.85


class Figure(msgspec.Struct, frozen=True):
    """The median over the rounds, and how far they lie apart."""

    median: float
    lowest: float
    highest: float


class Side(msgspec.Struct, frozen=True, omit_defaults=True):
    """One server's figures. `client_bound`: the generator was at the end of its core and the server was not, so that more was
    not asked of it."""

    rounds: int
    figures: dict[str, Figure]
    memory: Memory | None = None
    client_bound: bool = False


class Comparison(msgspec.Struct, frozen=True, omit_defaults=True):
    """Ours beside the peers; `ratio` says by peer and figure how many times better ours is. `left_out` has the reasons."""

    what: str
    ours: Side
    peers: dict[str, Side] = {}
    ratio: dict[str, dict[str, float]] = {}
    left_out: dict[str, str] = {}


def side(samples: Sequence[Sample], memory: Memory | None = None) -> Side:
    figures = {name: _figure([sample[name] for sample in samples]) for name in samples[0]}
    client, server = (figures[name].median if name in figures else 0.0 for name in ("client_share", "server_share"))
    return Side(len(samples), figures, memory, client >= _CLIENT_FULL and server < _SERVER_FULL)


def compared(what: str, sides: Mapping[str, Side], left_out: Mapping[str, str] | None = None) -> Comparison:
    """`ours` against all others of `sides`."""
    peers = {name: one for name, one in sides.items() if name != "ours"}
    ratio = {name: _ratios(sides["ours"], one) for name, one in peers.items()}
    return Comparison(what, sides["ours"], peers, ratio, dict(left_out or {}))


def _ratios(ours: Side, theirs: Side) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ours.figures.keys() & theirs.figures.keys() - UNCOMPARED:
        mine, other = ours.figures[name].median, theirs.figures[name].median
        above, below = (mine, other) if name in HIGHER_IS_BETTER else (other, mine)
        if above and below:
            found[name] = _rounded(above / below)
    return dict(sorted(found.items()))


def _figure(values: Sequence[float]) -> Figure:
    return Figure(_rounded(statistics.median(values)), _rounded(min(values)), _rounded(max(values)))


def _rounded(value: float) -> float:
    """To four digits, or whole where there are more."""
    return float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))


def read(path: Path = RESULTS) -> dict[str, Any]:
    return dict(msgspec.json.decode(path.read_bytes())) if path.exists() else {}


def to_plain(found: object) -> Any:
    """As the file holds it."""
    return msgspec.to_builtins(found)


def write(found: Mapping[str, Any], path: Path = RESULTS) -> None:
    """What was not measured this time stays as it was."""
    kept = {**read(path), **to_plain(found)}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept, order="sorted"), indent=2) + b"\n")


def write_machine(machine: Machine, again: Sequence[str], path: Path = RESULTS) -> None:
    """What is measured now, on this machine: everything, or the keys of `again` alone, beside what was measured before."""
    if not again:
        write({"machine": machine, "again": {}}, path)
        return
    kept = read(path)
    write({"machine": kept.get("machine", machine), "again": {**kept.get("again", {}), **dict.fromkeys(again, machine)}}, path)


def measured_again(found: Mapping[str, Any]) -> str:
    """What of a file was measured later than the rest: a sentence, or nothing."""
    each = [f"`{key}` ({one['at']}, load {one['load']:g})" for key, one in sorted(found.get("again", {}).items())]
    return f" Measured again: {', '.join(each)}." if each else ""
