"""A whole installation as operators run it: API and workers as processes of their own, on real servers."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from app.domain.tenant import Role
from app.settings import Settings
from app.tokens import issue_jwt
from tests.flows.client import Api

SECRET = "a secret for the tests, which is long enough"
ROOT = Path(__file__).parents[2]


class Installation:
    """Processes, and callers of them."""

    def __init__(self, url: str, session: aiohttp.ClientSession, environment: Mapping[str, str]) -> None:
        self.url = url
        self.session = session
        self.workers: list[subprocess.Popen[bytes]] = []
        self.api: subprocess.Popen[bytes] | None = None
        self.environment = environment

    def authorization(self) -> str:
        """A super admin's, as the header has it."""
        return self.person().authorization

    def person(self, role: Role = Role.SUPER_ADMIN, *tenants: str, name: str = "root", ttl: float = 3600) -> Api:
        token = issue_jwt(Settings(jwt_secret=SecretStr(SECRET)), name, role, list(tenants), timedelta(seconds=ttl))
        return Api(self.session, self.url, f"Bearer {token}")

    def device(self, token: str) -> Api:
        return Api(self.session, self.url, f"Device {token}")

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", "app.cli", *arguments], env=dict(self.environment), cwd=ROOT)

    async def until_ready(self, workers: int) -> None:
        async with asyncio.timeout(25):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.session.get(self.url.replace("/graphql", "/readyz")) as answer:
                        if answer.status == 200 and (await answer.json())["workers"] >= workers:
                            return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def installed(
    mongo_uri: str, redis_url: str, database: str, *, workers: int = 1, **settings: str
) -> AsyncIterator[Installation]:
    """Seeded, with one API process and so many workers; all of them are stopped in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "MONGO_URI": mongo_uri,
        "MONGO_DATABASE": database,
        "REDIS_URL": redis_url,
        "JWT_SECRET": SECRET,
        "LOG_LEVEL": "warning",
        "HEARTBEAT_OFFLINE_SECONDS": "5",
        **settings,
    }
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        here = Installation(f"http://127.0.0.1:{port}/graphql", session, environment)
        try:
            assert await asyncio.to_thread(here.start("seed").wait, 20) == 0
            here.api = here.start("api", "--port", str(port))
            here.workers = [here.start("worker") for _ in range(workers)]
            await here.until_ready(workers)
            yield here
        finally:
            await _stop([process for process in (here.api, *here.workers) if process is not None])


async def _stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            await asyncio.to_thread(process.wait, 15)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
