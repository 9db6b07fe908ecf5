"""What the figures were measured on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True):
    """`load` is how many processes wanted to run on average in the minute before: above 0.5 the machine was not ours alone."""

    at: str
    cores: int
    processor: str
    system: str
    python: str
    node: str
    load: float


def this_machine() -> Machine:
    return Machine(
        at=f"{datetime.now(UTC):%Y-%m-%d}",
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        system=platform.system(),
        python=platform.python_version(),
        node=_node(),
        load=round(os.getloadavg()[0], 1),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _node() -> str:
    try:
        return subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip().removeprefix("v")  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return "none"
