"""The client that PROTOCOL.md shows goes through a restart and a lost line, and hears everything once."""

import asyncio
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.api.node.conftest import ROOT
from tests.api.node.running import SCRIPTS, next_line
from tests.flows.client import Api
from tests.flows.documents import ALERTS, BEATS, CREATE_TENANT, EVENTS
from tests.flows.installation import Installation, installed

COMMENT = "mutation($id: ID!, $text: String!) { commentAlert(id: $id, text: $text) { id } }"
FOLLOW = "subscription($after: Cursor) { alertEvents(after: $after) { type cursor reason } }"


@pytest.fixture
async def installation(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database, HEARTBEAT_OFFLINE_SECONDS="1") as here:
        yield here


@asynccontextmanager
async def second_api(installation: Installation) -> AsyncIterator[Api]:
    """Another replica, for those who act while the first one restarts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = installation.start("api", "--port", str(port))
    try:
        there = Installation(f"http://127.0.0.1:{port}/graphql", installation.session, installation.environment)
        await there.until_ready(0)
        yield there.person()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 15)


async def _an_alert(installation: Installation) -> tuple[str, str]:
    """Its id, and a cursor behind its opening."""
    root = installation.person()
    await root.ask(CREATE_TENANT, id="acme", name="Acme")
    async with root.subscribe(EVENTS) as stream:
        await root.ask(BEATS, inputs=[{"tenantId": "acme", "deviceId": "till-1"}])
        alert_id = (await stream.next())["alertEvents"]["alert"]["id"]
    return alert_id, (await root.ask(ALERTS, first=1))["alerts"]["streamCursor"]


async def _dashboard(installation: Installation, cursor: str) -> Process:
    token = installation.authorization().removeprefix("Bearer ")
    return await asyncio.create_subprocess_exec(
        "node",
        *(str(SCRIPTS / "dashboard.cjs"), installation.url.replace("http", "ws", 1), cursor),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
        env={"PATH": installation.environment["PATH"], "TOKEN": token, "QUERY": FOLLOW},
    )


async def _restart(installation: Installation) -> None:
    assert installation.api is not None
    installation.api = installation.start("api", "--port", installation.url.rsplit(":", 1)[1].partition("/")[0])
    await installation.until_ready(0)


@pytest.mark.timeout(90)
async def test_the_example_resumes_after_a_restart_and_a_lost_line(installation: Installation) -> None:
    alert_id, cursor = await _an_alert(installation)
    dashboard = await _dashboard(installation, cursor)
    said: list[Any] = []

    async def comment(api: Api, *texts: str) -> None:
        for text in texts:
            await api.ask(COMMENT, id=alert_id, text=text)

    async def hear(text: str) -> None:
        while not said or said[-1].get("reason") != text:
            said.append(await next_line(dashboard))

    async with second_api(installation) as replica:
        await comment(replica, "1", "2")
        await hear("2")
        assert installation.api is not None
        installation.api.terminate()
        await asyncio.to_thread(installation.api.wait, 15)
        await comment(replica, "3", "4")
        await _restart(installation)
        await comment(replica, "5")
        await hear("5")
        assert dashboard.stdin is not None
        dashboard.stdin.write(b"cut\n")
        await comment(replica, "6", "7")
        await hear("7")
    dashboard.stdin.close()
    rest, _ = await dashboard.communicate()
    codes = [line["closed"] for line in said if "closed" in line]
    assert [line for line in said if "closed" not in line] == [{"type": "COMMENTED", "reason": str(n)} for n in range(1, 8)]
    # The server that was away is knocked at in vain in between.
    assert (codes[0], set(codes[1:])) == (1012, {1006})
    assert rest.count(b"reason") == 0
