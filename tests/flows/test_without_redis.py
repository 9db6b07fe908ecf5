"""Redis goes away and comes back: neither judging nor telling stops, and nobody misses anything or hears it twice."""

import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from app.embedded import redis_url, start_redis
from tests.flows.client import Api, Stream
from tests.flows.documents import ACKNOWLEDGE, BEATS, CREATE_TENANT, EVENTS
from tests.flows.installation import installed

DOWN_SEC = float(os.environ.get("REDIS_DOWN_SEC", "8"))
"""How long it hangs at least; longer by hand."""


@asynccontextmanager
async def hanging(pid: int) -> AsyncIterator[None]:
    """A server that takes connections and answers nothing: worse than one that refuses them."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _round(root: Api, stream: Stream, name: str) -> list[tuple[str, float]]:
    """A device beats, goes silent, is acknowledged, and beats again; what was heard, and how long after it was so."""
    beat = (await root.ask(BEATS, inputs=[{"tenantId": "acme", "deviceId": name}]))["heartbeats"]
    opened = (await stream.next())["alertEvents"]
    heard = [(opened["type"], _age(opened))]
    late = (datetime.fromisoformat(opened["at"]) - datetime.fromisoformat(beat["receivedAt"])).total_seconds() - 5
    assert late < 3, "the verdict itself has to come in time as well"
    assert opened["alert"]["subjectId"] == name
    await root.ask(ACKNOWLEDGE, id=opened["alert"]["id"])
    acknowledged = (await stream.next())["alertEvents"]
    heard.append((acknowledged["type"], _age(acknowledged)))
    await root.ask(BEATS, inputs=[{"tenantId": "acme", "deviceId": name}])
    resolved = (await stream.next())["alertEvents"]
    heard.append((resolved["type"], _age(resolved)))
    return heard


def _age(event: dict[str, str]) -> float:
    return time.time() - datetime.fromisoformat(event["at"]).timestamp()


@pytest.mark.timeout(120)
async def test_everything_goes_on_while_redis_hangs(
    mongo_uri: str, database: str, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    redis = start_redis(tmp_path)
    try:
        async with installed(mongo_uri, redis_url(redis.port), database) as here:
            root = here.person()
            await root.ask(CREATE_TENANT, id="acme", name="Acme")
            async with root.subscribe(EVENTS) as stream:
                heard: list[tuple[str, float]] = []
                async with hanging(redis.child.pid):
                    began, number = time.monotonic(), 0
                    while time.monotonic() - began < DOWN_SEC:
                        number += 1
                        heard += await _round(root, stream, f"till-{number}")
                    down = time.monotonic() - began
                await _round(root, stream, "till-after")
                with pytest.raises(TimeoutError):
                    await stream.next(1.5)  # nothing comes twice
        assert Counter(kind for kind, _ in heard) == dict.fromkeys(("OPENED", "ACKNOWLEDGED", "RESOLVED"), number)
        latest = max(age for _, age in heard)
        figure(f"Redis hung for {down:.0f} s: {len(heard)} events, each once, at most {latest:.2f} s after they were written")
        assert latest < 2
    finally:
        redis.stop()
