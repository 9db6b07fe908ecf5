"""`fleetbeat up`, as a whole: what it says, what it starts, what it leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from app.child import is_alive, wait_until_dead
from app.embedded import MONGO_PORT, REDIS_PORT

# A whole installation starts and stops in each of these tests.
pytestmark = pytest.mark.timeout(120)

Starter = Callable[..., "Up"]


class Up:
    """A `fleetbeat up` that runs beside the test."""

    def __init__(self, data: Path, *arguments: str, **environment: str) -> None:
        self.data = data
        self.output = data.with_suffix(".out")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "up", "--data", str(data), *arguments],
                env={"PATH": os.environ["PATH"], **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def run(self) -> dict[str, Any]:
        """What run.json holds, once it is there."""
        self.wait_for((self.data / "run.json").exists)
        described: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        return described

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Starter]:
    with ExitStack() as stack:

        def start(*arguments: str, **environment: str) -> Up:
            started = Up(tmp_path / "data", *arguments, **environment)

            def end() -> None:
                if started.process.poll() is None:
                    started.process.kill()
                    started.process.wait()

            stack.callback(end)
            return started

        yield start


def ask(run: dict[str, Any], query: str) -> dict[str, Any]:
    request = urllib.request.Request(
        run["http"],
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {run['token']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: dict[str, Any] = json.loads(answer.read())
    return body


def pids(run: dict[str, Any]) -> list[int]:
    own = run["pids"]
    return [*own["api"], *own["worker"], own["mongod"], own["redis"]]


def test_it_runs_where_its_ports_are_taken_and_stops_without_a_trace(up: Starter) -> None:
    with ExitStack() as holders:
        taken = holders.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        for port in (MONGO_PORT, REDIS_PORT):
            # Somebody else may hold it already; that is as good.
            try:
                holders.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        started = up("--port", str(taken), "--no-demo", "--api", "2")
        run = started.run()
    assert set(run) == {"http", "ws", "token", "mongo", "redis", "pids", "version"}
    assert f":{taken}/" not in run["http"]
    assert run["ws"] == run["http"].replace("http://", "ws://")
    assert run["http"].endswith("/graphql")
    assert ask(run, "{ viewer { role } }") == {"data": {"viewer": {"role": "SUPER_ADMIN"}}}
    assert (len(run["pids"]["api"]), len(run["pids"]["worker"])) == (2, 1)
    assert all(is_alive(pid) for pid in pids(run))
    with MongoClient[dict[str, Any]](run["mongo"]) as client:
        assert client.get_default_database()["alert_rules"].count_documents({"enabled": True}) > 0
    assert run["token"] in started.said()
    assert started.stop() == 0
    assert not (started.data / "run.json").exists()
    assert not any(is_alive(pid) for pid in pids(run))


def test_data_tokens_and_ports_survive_a_restart(up: Starter) -> None:
    first = up("--port", "0", "--no-demo")
    old = first.run()
    ask(old, 'mutation { createTenant(id: "acme", input: {name: "Acme"}) { tenantId } }')
    assert first.stop() == 0
    second = up("--port", "0", "--no-demo")
    run = second.run()
    found = ask({**run, "token": old["token"]}, "{ tenants { tenantId } }")
    assert run["mongo"] == old["mongo"]
    assert "acme" in [tenant["tenantId"] for tenant in found["data"]["tenants"]]
    assert second.stop() == 0


def test_a_part_that_is_killed_comes_back_and_run_json_knows_it(up: Starter) -> None:
    started = up("--port", "0", "--no-demo")
    run = started.run()
    for part in ("api", "worker"):
        killed = run["pids"][part][0]
        os.kill(killed, signal.SIGKILL)
        started.wait_for(lambda part=part, killed=killed: started.run()["pids"][part] not in ([killed], []))  # type: ignore[misc]
        assert f"{part} ended by itself (signal 9)" in started.said()
    started.wait_for(lambda: "worker runs again" in started.said())
    assert started.stop() == 0


def test_nothing_outlives_a_supervisor_that_was_killed(up: Starter) -> None:
    started = up("--port", "0", "--no-demo")
    run = started.run()
    started.process.kill()
    started.process.wait()
    assert all(wait_until_dead(pid, 30) for pid in pids(run))
    # What it left behind hinders nobody: a new start takes the lock and replaces run.json.
    again = up("--port", "0", "--no-demo")
    again.wait_for(lambda: again.run()["pids"] != run["pids"])
    assert again.stop() == 0


def test_a_second_start_on_the_same_data_is_refused(up: Starter) -> None:
    started = up("--port", "0", "--no-demo")
    started.run()
    second = Up(started.data, "--no-demo")
    assert second.process.wait(20) == 2
    assert "already runs" in second.said()
    assert started.stop() == 0


def test_servers_that_run_elsewhere_are_used_instead(up: Starter, mongo_uri: str, redis_url: str, database: str) -> None:
    started = up("--port", "0", "--no-demo", MONGO_URI=mongo_uri, REDIS_URL=redis_url, MONGO_DATABASE=database)
    run = started.run()
    assert (run["mongo"], run["redis"]) == (mongo_uri, redis_url)
    assert (run["pids"]["mongod"], run["pids"]["redis"]) == (None, None)
    assert ask(run, "{ viewer { role } }")["data"]["viewer"]["role"] == "SUPER_ADMIN"
    assert started.stop() == 0


def test_the_demo_fleet_beats(up: Starter) -> None:
    started = up("--port", "0")
    run = started.run()
    query = '{ devices(tenantId: "demo", first: 1, filter: {status: [ONLINE]}) { totalCount } }'
    started.wait_for(lambda: ((ask(run, query).get("data") or {}).get("devices") or {}).get("totalCount", 0) >= 10)
    assert started.stop() == 0
