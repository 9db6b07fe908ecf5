"""Over a socket a plan sends the frames that the general way sends."""

import json
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.api.serving import Serve
from tests.api.transport.conftest import connected
from tests.compiled.twins import Twin

QUERY = "mutation S($input: HeartbeatInput!) { heartbeat(input: $input) { accepted status } }"
GOOD: dict[str, Any] = {"query": QUERY, "variables": {"input": {"deviceId": "till-1"}}}


def frame(payload: Any = GOOD, operation_id: str = "1", **members: Any) -> str:
    return json.dumps({"id": operation_id, "type": "subscribe", "payload": payload, **members})


def with_input(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "variables": {"input": fields}}


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        (frame(), True),
        (frame(operation_id='":"\\é\n'), True),
        (frame({**GOOD, "operationName": "S", "extensions": None}), True),
        (frame(with_input(deviceId="", cpuUsage=-1)), True),
        (frame(with_input(deviceId="till-1", more=1)), False),
        (frame(with_input(sequence=2**40)), False),
        (frame({**GOOD, "operationName": "Other"}), False),
        (frame(more=1), False),
        (frame().replace('"type"', '"type": "subscribe", "type"'), False),
        (frame().replace('"till-1"', "NaN"), False),
        (frame(operation_id=""), False),
        (frame().replace('"1"', "1"), False),
        (frame({**GOOD, "variables": 1}), False),
    ],
)
async def test_the_frames_are_the_same(compiling: Twin, general: Twin, serve: Serve, said: str, plan: bool) -> None:
    heard: list[list[Any]] = []
    async with AsyncExitStack() as stack:
        for twin in (compiling, general):
            peer = await connected((await serve(twin.graphql)).ws)
            stack.push_async_callback(peer.connection.close)
            await peer.init("olga")
            await peer.say_raw(frame(operation_id="first"))
            for _ in range(2):
                await peer.hear()
            served = twin.served
            frames: list[Any] = []
            await peer.say_raw(said)
            with suppress(ConnectionClosed):
                while not frames or json.loads(frames[-1])["type"] == "next":
                    frames.append(await peer.connection.recv())
            heard.append([*frames, peer.connection.close_code, peer.connection.close_reason])
            assert (twin.served > served) is (plan and twin is compiling)
    assert heard[0] == heard[1]
    assert compiling.taken == general.taken


async def test_a_socket_that_was_not_acknowledged_runs_nothing(compiling: Twin, serve: Serve) -> None:
    peer = await connected((await serve(compiling.graphql)).ws)
    await peer.say_raw(frame())
    assert await peer.closed() == (4401, "Unauthorized")
    assert compiling.taken == []
