"""Measures Fleetbeat beside its peers on this machine, and writes `results.json` and the table of the README."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import structlog

from bench.machine import this_machine
from bench.measures.alerts import ack, alert_list
from bench.measures.fanout import fanout, fanout_latency
from bench.measures.heartbeats import heartbeat_batch, heartbeat_http, heartbeat_nodb, heartbeat_spread
from bench.measures.judging import offline_detect, tick
from bench.measures.queries import query_small
from bench.results import QUICK_RESULTS, RESULTS, read, to_plain, write, write_machine
from bench.rounds import FULL, QUICK, LostError
from bench.stage import ServerGoneError, staged
from bench.table import README, table, written

MEASURES = (
    heartbeat_http,
    heartbeat_spread,
    heartbeat_batch,
    heartbeat_nodb,
    query_small,
    fanout,
    fanout_latency,
    tick,
    offline_detect,
    alert_list,
    ack,
)
KEYS = {measure.__name__: measure for measure in MEASURES}
QUICK_KEYS = [key for key in KEYS if key != heartbeat_spread.__name__]
"""Fifty thousand devices take longer to make than a quick round takes."""


async def main(chosen: argparse.Namespace) -> int:
    effort, path = (QUICK, QUICK_RESULTS) if chosen.quick else (FULL, RESULTS)
    write_machine(this_machine(), chosen.only or (), path)
    failed = 0
    for key in chosen.only or (QUICK_KEYS if chosen.quick else KEYS):
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                async with staged(Path(folder)) as stage:
                    found = to_plain(await KEYS[key](stage, effort))
        except (LostError, ServerGoneError, TimeoutError) as error:
            # The others are worth having; this one's figures would mean nothing.
            failed += 1
            print(f"{key}: FAILED: {type(error).__name__}: {error}", flush=True)
            continue
        write({key: found}, path)
        print(f"{table({key: found})}{key}: {time.monotonic() - began:.0f} s\n", flush=True)
    if not chosen.quick:
        README.write_text(written(README.read_text(), read()))
    print(f"figures are in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if failed else 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--quick", action="store_true", help="short and small, in two minutes or three, to results.local.json alone"
    )
    options.add_argument("--only", nargs="*", choices=sorted(KEYS), help="these keys alone; the others stay as they were")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    sys.exit(asyncio.run(main(options.parse_args())))
