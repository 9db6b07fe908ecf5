"""The supervisor behind `fleetbeat up`: a whole installation on one machine, from one command."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from app import __version__
from app.child import Child, spawn
from app.data_folder import DataFolder
from app.domain.tenant import Role
from app.embedded import MONGO_PORT, REDIS_PORT, Server, mongo_uri, redis_url, start_mongod, start_redis
from app.keeper import Keeper
from app.log_watch import LogWatch
from app.settings import Settings, to_environment
from app.tokens import issue_jwt

API_PATIENCE_SEC = 15.0
WORKER_PATIENCE_SEC = 25.0
"""Deliveries that are under way and then jobs are finished first."""

_READY_WITHIN_SEC = 60.0
_SEED_WITHIN_SEC = 60.0
_LOOK_EVERY_SEC = 0.2
_TOKEN_LIFE = timedelta(days=30)
_STOP_ORDER = ("demo", "api", "worker", "redis", "mongod")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for. `uses_mongo` and `uses_redis`: servers that run elsewhere already."""

    data: Path
    api: int
    workers: int
    demo: bool
    uses_mongo: bool
    uses_redis: bool


class StartFailedError(Exception):
    """A part did not come up; the message holds the end of its log."""


class StopRequestedError(Exception):
    """Somebody wants it to stop while it is still starting."""


class Supervisor:
    """Starts the parts in order, restarts what dies, stops in the opposite order."""

    def __init__(self, settings: Settings, wishes: Wishes, say: Say, show_ready: Callable[[Mapping[str, object]], None]) -> None:
        self._settings = settings
        self._wishes = wishes
        self._say = say
        self._show_ready = show_ready
        self._folder = DataFolder(wishes.data)
        self._keepers: list[Keeper] = []
        self._watches: list[LogWatch] = []
        self._stops = 0
        self._listener: socket.socket | None = None

    def run(self) -> None:
        """Returns once it was asked to stop and everything has stopped."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with self._folder.locked():
            self._folder.remove_run()
            try:
                self._start()
                self._supervise()
            except StopRequestedError:
                pass
            finally:
                self._stop()
                self._folder.remove_run()

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stops += 1
        if self._stops > 1:
            for keeper in self._keepers:
                keeper.kill()

    # ── starting

    def _start(self) -> None:
        self._settle_secret()
        self._start_databases()
        self._seed()
        self._listen()
        for number in range(self._wishes.api):
            self._keep(f"api {number + 1}" if self._wishes.api > 1 else "api", "api", self._spawn_api, API_PATIENCE_SEC)
        for number in range(self._wishes.workers):
            self._keep(
                f"worker {number + 1}" if self._wishes.workers > 1 else "worker",
                "worker",
                self._spawn_worker,
                WORKER_PATIENCE_SEC,
            )
        self._watches = [LogWatch(name, self._folder.log(name)) for name in ("api", "worker")]
        self._wait_until_ready()
        self._announce()
        if self._wishes.demo:
            self._keep("demo", "demo", self._spawn_demo, 3.0)

    def _settle_secret(self) -> None:
        if self._settings.jwt_secret is None:
            self._change(jwt_secret=SecretStr(self._folder.secret()))

    def _start_databases(self) -> None:
        if not self._wishes.uses_mongo:
            port = self._keep_server("mongod", lambda wished: start_mongod(self._folder.path, wished_port=wished), MONGO_PORT)
            self._change(mongo_uri=mongo_uri(port, self._settings.mongo_database))
        if not self._wishes.uses_redis:
            port = self._keep_server("redis", lambda wished: start_redis(self._folder.path, wished_port=wished), REDIS_PORT)
            self._change(redis_url=redis_url(port))

    def _keep_server(self, name: str, start: Callable[[int], Server], wished: int) -> int:
        self._obey()
        known: list[int] = []

        def start_on_known_port() -> Child:
            server = start(known[0] if known else wished)
            if known and server.port != known[0]:
                server.stop()
                raise StartFailedError(f"port {known[0]} is taken, and the others know no other")
            known[:] = [server.port]
            return server.child

        self._keep(name, name, start_on_known_port, API_PATIENCE_SEC)
        return known[0]

    def _keep(self, name: str, role: str, start: Callable[[], Child], patience: float) -> None:
        self._obey()
        keeper = Keeper(name, role, start, patience)
        self._keepers.append(keeper)
        keeper.start()

    def _seed(self) -> None:
        self._obey()
        seeding = self._spawn("seed", ["seed"])
        deadline = time.monotonic() + _SEED_WITHIN_SEC
        while not seeding.wait(_LOOK_EVERY_SEC):
            if self._stops or time.monotonic() > deadline:
                seeding.stop(1)
                self._obey()
        if seeding.exit_code != 0:
            raise StartFailedError(f"the database could not be prepared; the end of {seeding.log}:\n{seeding.last_lines()}")

    def _listen(self) -> None:
        wished = self._settings.port
        try:
            self._listener = _bound(self._settings.host, wished)
        except OSError as error:
            raise StartFailedError(f"cannot listen on {self._settings.host}: {error.strerror or error}") from error
        port = self._listener.getsockname()[1]
        if wished not in (0, port):
            self._say(f"port {wished} is taken; using {port} instead")
        if "public_url" not in self._settings.model_fields_set:
            self._change(public_url=f"http://{_reached_at(self._settings.host)}:{port}")
        self._change(port=port)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN_SEC
        while not _is_ready(_reached_at(self._settings.host), self._settings.port, self._wishes.workers):
            self._obey()
            for keeper in self._keepers:
                if keeper.child is not None and keeper.child.exit_code is not None:
                    raise StartFailedError(
                        f"{keeper.name} ended at its start; the end of {keeper.child.log}:\n{keeper.child.last_lines()}"
                    )
            if time.monotonic() > deadline:
                raise StartFailedError(f"not ready after {_READY_WITHIN_SEC:g} s; the logs are in {self._folder.path / 'log'}")
            time.sleep(_LOOK_EVERY_SEC)

    def _announce(self) -> None:
        run = self._describe(issue_jwt(self._settings, "admin", Role.SUPER_ADMIN, [], _TOKEN_LIFE))
        self._folder.write_run(run)
        self._show_ready(run)

    # ── running

    def _supervise(self) -> None:
        while not self._stops:
            changes = [change for keeper in self._keepers if (change := keeper.look_after())]
            for change in changes:
                self._say(change)
            for watch in self._watches:
                for problem in watch.problems():
                    self._say(problem)
            if changes:
                run = self._folder.read_run() or {}
                self._folder.write_run({**run, "pids": self._pids()})
            time.sleep(_LOOK_EVERY_SEC)

    # ── stopping

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._say("stopping")
        for role in _STOP_ORDER:
            playing = [keeper for keeper in self._keepers if keeper.role == role]
            for keeper in playing:
                keeper.ask_to_stop()
            for keeper in playing:
                keeper.stop()

    # ── parts

    def _spawn_api(self) -> Child:
        assert self._listener is not None
        descriptor = self._listener.fileno()
        return self._spawn("api", ["api", "--fd", str(descriptor)], descriptor)

    def _spawn_worker(self) -> Child:
        return self._spawn("worker", ["worker"])

    def _spawn_demo(self) -> Child:
        return self._spawn("demo", ["simulate", "--demo", "--data", str(self._folder.path)])

    def _spawn(self, name: str, arguments: list[str], *descriptors: int) -> Child:
        environment = {**os.environ, **to_environment(self._settings), "LOG_FORMAT": "json"}
        command = [sys.executable, "-m", "app.cli", *arguments]
        return spawn(name, command, self._folder.log(name), environment, descriptors)

    def _describe(self, token: str) -> dict[str, object]:
        place = f"{_reached_at(self._settings.host)}:{self._settings.port}"
        return {
            "http": f"http://{place}/graphql",
            "ws": f"ws://{place}/graphql",
            "token": token,
            "mongo": self._settings.mongo_uri,
            "redis": self._settings.redis_url,
            "pids": self._pids(),
            "version": __version__,
        }

    def _pids(self) -> dict[str, object]:
        def playing(role: str) -> list[int]:
            return [keeper.pid for keeper in self._keepers if keeper.role == role and keeper.pid is not None]

        return {
            "api": playing("api"),
            "worker": playing("worker"),
            "mongod": next(iter(playing("mongod")), None),
            "redis": next(iter(playing("redis")), None),
        }

    def _change(self, **values: object) -> None:
        self._settings = self._settings.model_copy(update=values)

    def _obey(self) -> None:
        if self._stops:
            raise StopRequestedError


def _bound(host: str, wished: int) -> socket.socket:
    """A listening socket on the wished port where it is free, else on any."""
    try:
        return socket.create_server((host, wished), backlog=2048)
    except OSError:
        return socket.create_server((host, 0), backlog=2048)


def _reached_at(host: str) -> str:
    """Where this machine reaches what listens on `host`."""
    return "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 - it is compared, not bound


def _is_ready(host: str, port: int, workers: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/readyz", timeout=2) as answer:
            body = json.loads(answer.read() or b"{}")
    except (OSError, ValueError, urllib.error.HTTPError):
        return False
    seen = body.get("workers") if isinstance(body, dict) else None
    return not isinstance(seen, int) or seen >= workers
