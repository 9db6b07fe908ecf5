"""What processes took of the machine, from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

_TICKS_A_SEC = os.sysconf("SC_CLK_TCK")


class Memory(msgspec.Struct, frozen=True):
    """Resident memory in MB; `pss_mb` counts shared pages by their share, and is 0 where the system does not tell."""

    rss_mb: float
    pss_mb: float


def cpu_sec(pid: int) -> float:
    """User and system time that a process took so far, with its children that ended; 0 where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS_A_SEC


def running_sec(pid: int) -> float:
    """What `cpu_sec` says of a process without its children, to the nanosecond instead of the tick of 10 ms, where the system tells."""
    try:
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    except OSError:
        threads = []
    return sum(int(said.split()[0]) for said in threads) / 1e9 if threads else cpu_sec(pid)


def tree(pid: int) -> list[int]:
    """A process and those that it started: a server may answer by children."""
    found = [pid]
    for one in found:
        try:
            found += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except OSError:
            continue
    return found


def memory(pids: Iterable[int]) -> Memory:
    kept = {"Rss:": 0, "Pss:": 0}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, *rest = line.split()
            if name in kept:
                kept[name] += int(rest[0])
    return Memory(round(kept["Rss:"] / 1024, 1), round(kept["Pss:"] / 1024, 1))
