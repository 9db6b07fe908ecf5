"""Measures Fleetbeat beside its peers on this machine, and writes `results.json` and the table of the README."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import structlog

from bench.measures.alerts import ack, alert_list
from bench.measures.fanout import fanout, fanout_latency
from bench.measures.heartbeats import heartbeat_batch, heartbeat_http, heartbeat_nodb
from bench.measures.judging import offline_detect, tick
from bench.measures.queries import query_small
from bench.results import write
from bench.rounds import FULL, QUICK
from bench.stage import staged

KEYS = {
    one.__name__: one
    for one in (heartbeat_http, heartbeat_batch, heartbeat_nodb, query_small, fanout, fanout_latency, tick, offline_detect, alert_list, ack)
}


def show(key: str, found: object) -> None:
    print(key, found)


async def main(chosen: argparse.Namespace) -> int:
    effort = QUICK if chosen.quick else FULL
    for key in chosen.only or KEYS:
        with tempfile.TemporaryDirectory() as folder:
            async with staged(Path(folder)) as stage:
                found = await KEYS[key](stage, effort)
        show(key, found)
        write({key: found})
    return 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="in two minutes, with fewer and shorter rounds")
    options.add_argument("--only", nargs="*", choices=sorted(KEYS), help="these keys alone; the others stay as they were")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    sys.exit(asyncio.run(main(options.parse_args())))
