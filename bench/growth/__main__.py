"""Measures what grows with what, on this machine: `bench/growth.json`, and the tables of `docs/scaling.md`."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from app.store.indexes import ensure_collections
from bench.growth.devices import over_devices
from bench.growth.failover import failover
from bench.growth.processes import over_apis, over_workers
from bench.growth.sockets import over_subscribers
from bench.growth.storage import bytes_of_a_beat
from bench.growth.table import GROWTH, SCALING, written
from bench.machine import this_machine
from bench.results import QUICK_RESULTS, read, to_plain, write, write_machine
from bench.rounds import FULL, QUICK, Effort, LostError
from bench.stage import ServerGoneError, Stage, staged

CURVES: dict[str, Callable[[Stage, Effort], Awaitable[object]]] = {
    "devices": over_devices,
    "subscribers": over_subscribers,
    "workers": over_workers,
    "apis": over_apis,
    "bytes": bytes_of_a_beat,
}
FAILOVER = "failover"
QUICK_GROWTH = QUICK_RESULTS.with_name("growth.local.json")


async def main(quick: bool, chosen: Sequence[str], again: Sequence[str]) -> int:
    effort, path = (QUICK, QUICK_GROWTH) if quick else (FULL, GROWTH)
    write_machine(this_machine(), again, path)
    failed = 0
    for name in chosen:
        began = time.monotonic()
        try:
            write({name: await _measured(name, effort)}, path)
        except (LostError, ServerGoneError, TimeoutError) as error:
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    # A first run of some curves alone has no tables yet.
    if not quick and {*CURVES, FAILOVER} <= read(GROWTH).keys():
        SCALING.write_text(written(SCALING.read_text(), read(GROWTH)))
    print(f"figures are in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if failed else 0


async def _measured(name: str, effort: Effort) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        if name == FAILOVER:
            found = await failover(Path(folder))
            if faults := found.faults():
                raise LostError("; ".join(faults))
            return to_plain(found)
        async with staged(Path(folder)) as stage:
            await ensure_collections(stage.context.mongo)
            return to_plain(await CURVES[name](stage, effort))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="in two minutes, short and small, to growth.local.json alone")
    options.add_argument("--only", nargs="*", choices=sorted(CURVES), help="these alone; the others stay as they were")
    options.add_argument("--failover", action="store_true", help="only kill parts of the layout, and count what was lost")
    given = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    again = [FAILOVER] if given.failover else given.only or []
    sys.exit(asyncio.run(main(given.quick, again or [*CURVES, FAILOVER], again)))
