"""The application as it runs, in the hands of graphql-http and graphql-ws."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest

from tests.api.node.conftest import ROOT
from tests.api.node.running import SCRIPTS, lines, next_line
from tests.flows.documents import BEATS, EVENTS
from tests.flows.installation import Installation, installed

FLEET = [f"till-{number}" for number in range(10)]


@pytest.fixture
async def installation(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database) as here:
        yield here


async def test_all_61_audits_of_graphql_over_http_are_ok_for_it(installation: Installation) -> None:
    [results] = await lines("audits.cjs", installation.url, AUTHORIZATION=installation.authorization())
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


async def test_graphql_ws_queries_mutates_subscribes_and_resumes_over_a_lost_line(installation: Installation) -> None:
    root = installation.person()
    script = [str(SCRIPTS / "follow.cjs"), installation.url.replace("http", "ws", 1), "4", "20"]
    environment = {"AUTHORIZATION": installation.authorization(), "PATH": installation.environment["PATH"]}
    client = await asyncio.create_subprocess_exec("node", *script, cwd=ROOT, stdin=PIPE, stdout=PIPE, env=environment)
    said = [await next_line(client) for _ in range(3)]
    assert said == [{"query": "SUPER_ADMIN"}, {"mutation": "acme"}, {"connected": True}]
    beats = [{"tenantId": "acme", "deviceId": name} for name in FLEET]
    async with root.subscribe(EVENTS) as witness:
        await root.ask(BEATS, inputs=beats)
        first = [(await next_line(client))["event"] for _ in range(4)]
        assert await next_line(client) == {"cut": True}
        # Its line is cut now: it hears nothing of what follows until it comes back.
        await witness.take(10)
        await root.ask(BEATS, inputs=beats)
        await witness.take(10)
    assert client.stdin is not None
    client.stdin.write(b"go on\n")
    assert await next_line(client) == {"connected": True}
    rest = [(await next_line(client))["event"] for _ in range(16)]
    assert await client.wait() == 0
    assert sorted([*first, *rest]) == sorted([name, kind] for name in FLEET for kind in ("OPENED", "RESOLVED"))
