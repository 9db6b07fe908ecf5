"""The processes of a bench: servers of its own, an API and workers as users run them, and the far ends."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import msgspec

from app.child import Child, spawn
from app.context import Context, open_context
from app.domain.tenant import Role
from app.embedded import embedded_servers, free_port, mongo_uri, redis_url
from app.seed import seed_context
from app.settings import Settings, read_settings, to_environment
from app.tokens import issue_jwt
from bench.deliveries.receivers import Receipt
from jobs.queue import Queue

OFFLINE_AFTER_SEC = 5
_STOP_SEC = 20.0
_TICKS_A_SEC = os.sysconf("SC_CLK_TCK")


class Installation:
    """One worker at a time, which may be killed and started anew; what it took in CPU is added up over all of them."""

    def __init__(self, context: Context, folder: Path, session: aiohttp.ClientSession, far_port: int) -> None:
        self.context = context
        self.far = f"http://127.0.0.1:{far_port}"
        self.api_url = f"http://127.0.0.1:{context.settings.port}"
        self._folder = folder
        self._session = session
        self._children: list[Child] = []
        self._worker: Child | None = None
        self._cpu_before = 0.0
        self._receipts: list[Receipt] = []
        self.failed: dict[str, int] = {}

    def start(self, name: str, *arguments: str) -> Child:
        environment = {**os.environ, **to_environment(self.context.settings), "LOG_LEVEL": "warning"}
        child = spawn(name, [sys.executable, "-m", *arguments], self._folder / "log" / f"{name}.log", environment)
        self._children.append(child)
        return child

    def start_worker(self) -> None:
        self._worker = self.start("worker", "app.cli", "worker")

    def kill_worker(self) -> None:
        """By SIGKILL."""
        if self._worker is not None:
            self._cpu_before += _cpu_sec(self._worker)
            self._worker.kill()
            self._worker.wait(_STOP_SEC)
            self._worker = None

    def worker_cpu_sec(self) -> float:
        return self._cpu_before + (0.0 if self._worker is None else _cpu_sec(self._worker))

    def stop(self) -> None:
        """Everything that was started, in a bounded time."""
        for child in self._children:
            child.ask_to_stop()
        for child in self._children:
            child.stop(_STOP_SEC)

    async def until_there(self) -> None:
        """Until the API, the worker and the far ends answer."""
        async with asyncio.timeout(60):
            for url in (f"{self.api_url}/readyz", f"{self.far}/receipts"):
                while not await self._is_there(url):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.1)
            while not await self.context.store.workers.alive(self.context.clock.now()):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)

    async def receipts(self) -> list[Receipt]:
        """All so far, in order."""
        async with self._session.get(f"{self.far}/receipts", params={"from": len(self._receipts)}) as answer:
            said = msgspec.json.decode(await answer.read(), type=_Said)
        self._receipts += said.receipts
        self.failed = said.failed
        return list(self._receipts)

    async def fail(self, percent: int, seed: int) -> None:
        async with self._session.post(f"{self.far}/fail/{percent}/{seed}") as answer:
            answer.raise_for_status()

    async def ask(self, query: str, authorization: str, **variables: object) -> dict[str, object]:
        body, headers = {"query": query, "variables": variables}, {"authorization": authorization}
        async with self._session.post(f"{self.api_url}/graphql", json=body, headers=headers) as answer:
            said = await answer.json()
        if said.get("errors"):
            raise RuntimeError(said["errors"][0]["message"])
        data: dict[str, object] = said["data"]
        return data

    def admin_of(self, tenant_id: str) -> str:
        token = issue_jwt(self.context.settings, "bench", Role.ADMIN, [tenant_id], timedelta(hours=2))
        return f"Bearer {token}"

    async def _is_there(self, url: str) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with self._session.get(url) as answer:
                return answer.status == 200
        return False


class _Said(msgspec.Struct):
    receipts: list[Receipt]
    failed: dict[str, int]


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Installation]:
    """Everything up and answering, with a context of ours to load by; all of it is stopped in the end."""
    far_port, mail_port = free_port(), free_port()
    with embedded_servers(folder) as (mongod, redis):
        settings = _settings(mongo_uri(mongod.port), redis_url(redis.port), mail_port)
        async with open_context(settings) as context, aiohttp.ClientSession() as session:
            await seed_context(context)
            queue, here = Queue(settings.redis_url), Installation(context, folder, session, far_port)
            context.errands.serve_by(queue.put)
            try:
                here.start("receivers", "bench.deliveries.receivers", str(far_port), str(mail_port))
                here.start("api", "app.cli", "api", "--port", str(settings.port))
                here.start_worker()
                await here.until_there()
                yield here
            finally:
                await asyncio.to_thread(here.stop)
                await queue.close()


def _settings(mongo: str, redis: str, mail_port: int) -> Settings:
    return read_settings(
        {},
        mongo_uri=mongo,
        mongo_database="bench",
        redis_url=redis,
        jwt_secret=os.urandom(32).hex(),
        heartbeat_offline_seconds=OFFLINE_AFTER_SEC,
        allow_private_webhooks=True,
        smtp_host="127.0.0.1",
        smtp_port=mail_port,
        smtp_tls="off",
        port=free_port(),
    )


def _cpu_sec(child: Child) -> float:
    """What a process took so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SEC
