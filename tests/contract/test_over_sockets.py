"""What PROTOCOL.md says of sockets, asked of the application as it is."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.contract.conftest import Place
from tests.contract.protocol import PROTOCOL
from tests.flows.documents import BEAT, EVENTS

CLOSE_CODES = re.findall(r"^\| (\d{4})", PROTOCOL, re.MULTILINE)


@asynccontextmanager
async def dialled(
    place: Place, payload: Any = None, subprotocol: str = "graphql-transport-ws"
) -> AsyncIterator[ClientConnection]:
    """A socket that has said `connection_init`, unless the payload is False."""
    async with asyncio.timeout(20), connect(place.socket, subprotocols=[Subprotocol(subprotocol)]) as socket:
        if payload is not False:
            said = {"authorization": place.person().authorization} if payload is None else payload
            await socket.send(json.dumps({"type": "connection_init", "payload": said}))
        yield socket


async def say(socket: ClientConnection, operation: str, query: str, **variables: Any) -> None:
    payload = {"query": query, "variables": variables}
    await socket.send(json.dumps({"id": operation, "type": "subscribe", "payload": payload}))


async def hear(socket: ClientConnection) -> Any:
    return json.loads(await socket.recv())


async def closed(socket: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    return socket.close_code


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
async def test_credentials_are_taken_in_both_spellings(place: Place, name: str) -> None:
    async with dialled(place, {name: place.person().authorization}) as socket:
        assert await hear(socket) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "BAD_USER_INPUT"),
        ("{ nothing }", {}, "BAD_USER_INPUT"),
        (BEAT, {"input": {"deviceId": "till-1", "cpuUsage": float("nan")}}, "BAD_USER_INPUT"),
        (BEAT, {"input": {"deviceId": "till-1", "cpuUsage": "much"}}, "BAD_USER_INPUT"),
        ("{ viewer { " + "id " * 2_000 + "} }", {}, "TOO_COMPLEX"),
        (EVENTS, {"after": "no cursor"}, "BAD_USER_INPUT"),
    ],
)
async def test_what_is_refused_is_an_error_message_and_the_socket_goes_on(
    place: Place, query: str, variables: dict[str, Any], code: str
) -> None:
    async with dialled(place) as socket:
        assert await hear(socket) == {"type": "connection_ack"}
        await say(socket, "1", query, **variables)
        refused = await hear(socket)
        assert (refused["id"], refused["type"]) == ("1", "error")
        assert refused["payload"][0]["extensions"]["code"] == code
        await socket.send('{"type":"ping"}')
        assert await hear(socket) == {"type": "pong"}


async def test_a_socket_runs_a_hundred_operations_and_no_more(place: Place) -> None:
    assert "at most 100 operations at once" in PROTOCOL
    async with dialled(place) as socket:
        assert await hear(socket) == {"type": "connection_ack"}
        for number in range(101):
            await say(socket, str(number), EVENTS)
        refused = await hear(socket)
        assert (refused["id"], refused["type"]) == ("100", "error")
        assert refused["payload"][0]["extensions"] == {"code": "RATE_LIMITED", "retryAfterSec": 1}
        await socket.send('{"id":"0","type":"complete"}')
        await say(socket, "0", "{ viewer { id } }")
        assert (await hear(socket))["payload"] == {"data": {"viewer": {"id": "root"}}}


@pytest.mark.parametrize(
    ("payload", "frames", "code"),
    [
        ({"authorization": "Bearer eyJ"}, [], 4403),
        (False, ['{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }"}}'], 4401),
        (None, ['{"type":"connection_init"}'], 4429),
        (None, ["[]"], 4400),
        (None, ["{"], 4400),
        (None, ["x" * (17 << 20)], 1009),
        (None, ['{"id":"1","type":"subscribe","payload":{"query":"subscription { healthUpdates { at } }"}}'] * 2, 4409),
    ],
)
async def test_a_socket_is_closed_with_the_code_that_the_protocol_names(
    place: Place, payload: Any, frames: list[str], code: int
) -> None:
    async with dialled(place, payload) as socket:
        # What is too long is refused while it is still on its way.
        with contextlib.suppress(ConnectionClosed):
            for frame in frames:
                await socket.send(frame)
        assert await closed(socket) == code
    assert str(code) in CLOSE_CODES


async def test_another_subprotocol_is_closed_with_4406(place: Place) -> None:
    async with dialled(place, False, "graphql-ws") as socket:
        assert await closed(socket) == 4406
    assert "4406" in CLOSE_CODES
