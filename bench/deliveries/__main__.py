"""Prints how fast and how surely alerts are told, writes `bench/deliveries.json`, and fails where a bound is broken."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from bench.deliveries.installation import installed
from bench.deliveries.measures import Breach, Burst, Chaos, breach, burst, chaos, is_clean

MOST_BREACH_SEC, MOST_P99_SEC = 30.0, 2.0
RESULT = Path(__file__).parents[1] / "deliveries.json"


async def main(chosen: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder)) as here:
            results: list[Breach | Burst | Chaos] = []
            if chosen.chaos:
                results.append(await chaos(here, chosen.chaos, chosen.kill, chosen.percent, chosen.seed))
            else:
                results += [await breach(here), await burst(here, chosen.deliveries)]
    broken = [line for result in results for line in bounds_broken(result)]
    for result in results:
        _print(result)
    for line in broken:
        print(f"BROKEN: {line}")
    _write(results, chosen.kill)
    return 1 if broken else 0


def bounds_broken(result: Breach | Burst | Chaos) -> list[str]:
    """Which bounds do not hold, in words."""
    match result:
        case Breach() if result.longest_sec >= MOST_BREACH_SEC:
            return [f"{result.longest_sec} s from breach to message, not under {MOST_BREACH_SEC:g} s"]
        case Burst() if result.p99_sec >= MOST_P99_SEC:
            return [f"p99 of {result.p99_sec} s from dispatch to receipt, not under {MOST_P99_SEC:g} s"]
        case Chaos() if not is_clean(result):
            return [f"{result.lost} lost, {result.other_key} with another key, {result.statuses}"]
    return []


def _print(result: Breach | Burst | Chaos) -> None:
    table = Table(title=type(result).__doc__, show_header=False)
    for name, value in msgspec.structs.asdict(result).items():
        table.add_row(name, str(dict(value) if isinstance(value, dict) else value))
    Console(width=120).print(table)


def _write(results: list[Breach | Burst | Chaos], kills: int) -> None:
    """What was not measured this time stays as it was."""
    there: dict[str, Any] = msgspec.json.decode(RESULT.read_bytes()) if RESULT.exists() else {}
    for result in results:
        name = type(result).__name__.lower() + ("_killed" if isinstance(result, Chaos) and kills else "")
        there[name] = msgspec.to_builtins(result)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(there, order="sorted"), indent=2) + b"\n")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--deliveries", type=int, default=1_000, help="told at once")
    options.add_argument("--chaos", type=int, nargs="?", const=10_000, help="so many to receivers that fail, 10,000 by default")
    options.add_argument("--kill", type=int, default=0, help="with --chaos: how often the worker is killed on the way")
    options.add_argument("--percent", type=int, default=30, help="of answers that are failures")
    options.add_argument("--seed", type=int, default=2026)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    sys.exit(asyncio.run(main(options.parse_args())))
