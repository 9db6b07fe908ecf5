"""Redis by its Sentinels: when the master is killed, the bell and the queue go on at the one that takes its place."""

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.child import Child, spawn
from app.context import Context
from app.embedded import HOST, find_redis_server, free_port
from app.realtime.bus import ALERTS, open_bus
from tests.evaluation.fleet import Fleet
from tests.jobs.queue import Queues, goes_on_through, until

_START_SEC = 15.0


@dataclass
class Watched:
    """A master, its replica, and a Sentinel that takes the master for dead after half a second."""

    master: Child
    children: list[Child]
    url: str


def until_said(port: int, question: str, wanted: bytes, child: Child) -> None:
    deadline = time.monotonic() + _START_SEC
    while wanted not in answer(port, question):
        assert time.monotonic() < deadline, child.last_lines()


def answer(port: int, question: str) -> bytes:
    """As far as it comes at once; empty where nobody listens."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(question.encode() + b"\r\n")
            return connection.recv(16_384)
    except OSError:
        return b""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    program, ports = str(find_redis_server()), [free_port() for _ in range(3)]
    children: list[Child] = []

    def start(name: str, *arguments: str) -> Child:
        (tmp_path / name).mkdir()
        command = [program, *arguments, "--bind", HOST, "--dir", str(tmp_path / name)]
        children.append(spawn(name, command, tmp_path / f"{name}.log"))
        return children[-1]

    kept = ("--save", "", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
    try:
        master = start("master", "--port", str(ports[0]), *kept)
        until_said(ports[0], "PING", b"PONG", master)
        replica = start("replica", "--port", str(ports[1]), "--replicaof", HOST, str(ports[0]), *kept)
        until_said(ports[0], "INFO replication", b"state=online", replica)
        config = tmp_path / "sentinel.conf"
        settings = {"monitor": f"{HOST} {ports[0]} 1", "down-after-milliseconds": "500", "failover-timeout": "3000"}
        lines = [f"sentinel {name} main {value}" for name, value in settings.items()]
        config.write_text("\n".join([f"port {ports[2]}", *lines]) + "\n")
        sentinel = start("sentinel", str(config), "--sentinel")
        until_said(ports[2], "SENTINEL replicas main", str(ports[1]).encode(), sentinel)
        yield Watched(master, children, f"redis+sentinel://{HOST}:{ports[2]}/main")
    finally:
        for child in children:
            child.stop(5)


@pytest.fixture
def redis_url(watched: Watched) -> str:
    """What the fleet of this module runs on."""
    return watched.url


async def test_the_bell_rings_again_at_the_new_master(watched: Watched) -> None:
    bus, heard, gaps = open_bus(watched.url), list[bytes](), list[int]()

    async def hear(channel: str, payload: bytes) -> None:
        if channel == ALERTS:
            heard.append(payload)

    async def gap() -> None:
        gaps.append(len(heard))

    async def rung(count: int) -> bool:
        if await bus.ping():
            await bus.ring_alerts(3, 7)
        return len(heard) >= count

    async def listens_again(connections: int) -> bool:
        return len(gaps) > connections

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(bus.listen(hear, gap))
        await until(lambda: rung(1))
        connections = len(gaps)
        watched.master.kill()
        # That something may have been missed is said, too.
        await until(lambda: listens_again(connections))
        before = len(heard)
        await until(lambda: rung(before + 1))
        listening.cancel()
    await bus.close()


async def test_a_worker_goes_on_at_the_new_master(fleet: Fleet, context: Context, queues: Queues, watched: Watched) -> None:
    async def outage() -> None:
        watched.master.kill()

    await goes_on_through(fleet, context, queues.at(watched.url), outage)
