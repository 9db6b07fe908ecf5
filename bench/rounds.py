"""Rounds that alternate between the sides: A B A B, so that a slow minute of the machine meets all of them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from bench.load.http import Calls, Report
from bench.results import Sample

Turn = Callable[[], Awaitable[Sample]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: the whole of it, or the quick one, which has no round that only warms."""

    rounds: int
    seconds: float
    warm_sec: float
    quick: bool = False


FULL = Effort(rounds=9, seconds=2.5, warm_sec=1.0)
QUICK = Effort(rounds=1, seconds=0.8, warm_sec=1.2, quick=True)


class LostError(Exception):
    """What was sent is not all there, or was answered wrongly: its figures would mean nothing."""


async def alternate(turns: Mapping[str, Turn], rounds: int, *, warm: bool = True) -> dict[str, list[Sample]]:
    """Each side's samples. With `warm` a first round does not count: code that compiles itself, caches and connections."""
    found: dict[str, list[Sample]] = {name: [] for name in turns}
    for number in range(-1 if warm else 0, rounds):
        for name, turn in turns.items():
            sample = await turn()
            if number >= 0:
                found[name].append(sample)
    return found


async def generate(module: str, spec: msgspec.Struct, patience: float) -> bytes:
    """What a generator says, a process of its own that is given `spec`; it is ended after `patience` seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(patience):
            said, _ = await process.communicate(msgspec.json.encode(spec))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise LostError(f"{module} ended with {process.returncode}")
    return said


async def call(calls: Calls) -> Report:
    """Runs HTTP load; every answer has to be a good one."""
    said = await generate("bench.load.http", calls, calls.warm_sec + calls.seconds + 60)
    report = msgspec.json.decode(said, type=Report)
    if report.bad or not report.calls:
        raise LostError(f"{report.bad} of {report.answered} answers were not as wanted; the first: {report.first_bad}")
    return report


def sample_of(report: Report, each: int = 1) -> dict[str, float]:
    """Figures of a report whose calls hold `each` operations; `server` and `database` are the names that were watched."""
    operations = report.calls * each
    server, database = (report.cpu_sec.get(name, 0.0) for name in ("server", "database"))
    found = {
        "per_sec": operations / report.seconds,
        "cpu_us": server / operations * 1e6,
        "p50_ms": report.p50_ms,
        "p99_ms": report.p99_ms,
        "server_share": server / report.seconds,
        "client_share": report.client_cpu_sec / report.seconds,
    }
    if "database" in report.cpu_sec:
        found |= {"database_cpu_us": database / operations * 1e6, "database_share": database / report.seconds}
    return found
