"""The embedded servers are real ones, keep their data and their ports, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from app.child import wait_until_dead
from app.embedded import (
    MissingServerError,
    Server,
    embedded_servers,
    find_mongod,
    free_port,
    mongo_uri,
    redis_command,
    start_mongod,
    start_redis,
)

Client = MongoClient[dict[str, Any]]


def test_mongod_is_a_replica_set_with_transactions(mongo_client: Client, database: str) -> None:
    things = mongo_client[database]["things"]
    with mongo_client.start_session() as session, session.start_transaction():
        things.insert_one({"_id": 1}, session=session)
    assert things.count_documents({}) == 1


def test_redis_answers_and_keeps_nothing_on_disk(servers: tuple[Server, Server], redis_url: str) -> None:
    assert redis_url == f"redis://127.0.0.1:{servers[1].port}/0"
    assert redis_command(servers[1].port, "LASTSAVE").startswith(b":")
    assert redis_command(servers[1].port, "CONFIG GET appendonly").startswith(b"*2")


def test_data_survives_a_restart_on_the_same_port(tmp_path: Path) -> None:
    ports = []
    for turn in range(2):
        server = start_mongod(tmp_path, wished_port=0)
        ports.append(server.port)
        with Client(mongo_uri(server.port)) as client:
            client.fleetbeat.things.insert_one({"turn": turn})
            assert client.fleetbeat.things.count_documents({}) == turn + 1
        server.stop()
    assert ports[0] == ports[1]


def test_data_survives_a_restart_whose_port_was_taken_meanwhile(tmp_path: Path) -> None:
    first = start_mongod(tmp_path, wished_port=0)
    with Client(mongo_uri(first.port)) as client:
        client.fleetbeat.things.insert_one({})
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = start_mongod(tmp_path)
        try:
            assert second.port != first.port
            with Client(mongo_uri(second.port)) as client:
                assert client.fleetbeat.things.count_documents({}) == 1
        finally:
            second.stop()


def test_a_wished_port_that_is_taken_is_given_up_for_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        server = start_redis(tmp_path, wished_port=taken)
        try:
            assert server.port != taken
            assert redis_command(server.port, "PING") == b"+PONG"
        finally:
            server.stop()


def test_a_free_port_is_the_wished_one_where_it_can_be() -> None:
    wished = free_port()
    assert free_port(wished) == wished


def test_servers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from app.embedded import start_redis\n"
        "print(start_redis(Path(sys.argv[1]), wished_port=0).child.pid, flush=True); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert parent.stdout is not None
    with parent.stdout:
        server = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_until_dead(server, 10)


def test_a_killed_server_can_be_started_again_on_its_data(tmp_path: Path) -> None:
    with embedded_servers(tmp_path) as (mongod, _):
        with Client(mongo_uri(mongod.port)) as client:
            client.fleetbeat.things.insert_one({})
        mongod.child.kill()
        again = start_mongod(tmp_path)
        try:
            with Client(mongo_uri(again.port)) as client:
                assert client.fleetbeat.things.count_documents({}) == 1
        finally:
            again.stop()


def test_a_machine_without_the_servers_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr("sys.path_importer_cache", {})
    with pytest.raises(MissingServerError, match="docker compose"):
        find_mongod()
