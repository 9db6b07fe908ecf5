"""What operations over a socket say when they fail, and what is left of them when they end."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from schema.transport import TransportOptions
from tests.api.serving import Serve
from tests.api.transport.conftest import Dial, Peer, connected
from tests.api.transport.toy import World, toy_app

FOREVER = "subscription { forever }"


async def refusal(peer: Peer, query: str, **payload: Any) -> dict[str, Any]:
    """The first error of an operation that must not get further than this; the connection goes on."""
    await peer.subscribe(query, **payload)
    message = await peer.hear()
    assert (message["type"], message["id"]) == ("error", "1")
    await peer.say({"type": "ping"})
    assert await peer.hear() == {"type": "pong"}
    error: dict[str, Any] = message["payload"][0]
    return error


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("", "BAD_USER_INPUT"),
        ("{ nothing }", "BAD_USER_INPUT"),
        ("subscription { count(to: 1) forever }", "BAD_USER_INPUT"),
        ("query A { echo } query B { echo }", "BAD_USER_INPUT"),
        ("fragment A on Query { echo }", "BAD_USER_INPUT"),
        ("{ " + "echo " * 30 + "}", "TOO_COMPLEX"),
        ("subscription { turnedAway }", "NOT_FOUND"),
    ],
)
async def test_what_cannot_start_is_an_error_message_with_its_code(dial: Dial, query: str, code: str) -> None:
    peer = await dial()
    await peer.init()
    for _ in range(2):
        assert (await refusal(peer, query))["extensions"]["code"] == code


async def test_an_unknown_operation_name_is_an_error_message(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    assert (await refusal(peer, "query A { echo }", operationName="B"))["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_variable_that_does_not_fit_is_an_error_message_with_its_path(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    for query in ("query ($n: Int!) { whole(value: $n) }", "subscription ($n: Int!) { count(to: $n) }"):
        error = await refusal(peer, query, variables={"n": "x"})
        assert error["extensions"]["fields"][0]["path"] == "n"


async def test_a_field_that_fails_is_next_with_errors_and_the_stream_goes_on(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    with capture_logs() as logs:
        await peer.subscribe("subscription { nodes { name broken } }")
        said = [await peer.hear() for _ in range(3)]
    assert [message["type"] for message in said] == ["next", "next", "complete"]
    assert [message["payload"]["errors"][0]["message"] for message in said[:2]] == ["Internal error"] * 2
    assert [message["payload"]["errors"][0]["extensions"]["id"] for message in said[:2]] == [entry["error_id"] for entry in logs]


async def test_a_stream_that_breaks_ends_in_a_masked_error(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    with capture_logs() as logs:
        await peer.subscribe("subscription { breaks }")
        assert (await peer.hear())["payload"] == {"data": {"breaks": 0}}
        error = await peer.hear()
    assert (error["type"], error["payload"][0]["message"]) == ("error", "Internal error")
    assert error["payload"][0]["extensions"] == {"code": "INTERNAL", "id": logs[0]["error_id"]}


async def test_a_query_that_fails_is_next_with_errors(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe("{ missing }")
    said = await peer.hear()
    assert (said["type"], said["payload"]["data"]) == ("next", {"missing": None})
    assert said["payload"]["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_each_operation_has_a_context_of_its_own_with_the_connections_principal(dial: Dial, world: World) -> None:
    peer = await dial()
    await peer.init("Bearer ann")
    for operation_id in ("1", "2"):
        await peer.subscribe("{ caller }", operation_id)
        assert (await peer.hear())["payload"] == {"data": {"caller": "ann"}}
        assert (await peer.hear())["type"] == "complete"
    first, second = world.contexts
    assert first is not second
    assert first.caller is second.caller
    assert len(world.asked) == 1


async def test_a_client_that_completes_ends_the_stream(dial: Dial, world: World) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe(FOREVER)
    await peer.hear()
    await peer.say({"type": "complete", "id": "1"})
    await world.finished.wait()


@pytest.mark.parametrize("politely", [True, False])
async def test_nothing_is_left_of_a_client_that_goes(serve: Serve, dial: Dial, world: World, politely: bool) -> None:
    before = asyncio.all_tasks()
    peer = await dial()
    await peer.init()
    for operation_id in ("1", "2", "3"):
        await peer.subscribe(FOREVER, operation_id)
        await peer.hear()
    assert world.running == 3
    if politely:
        await peer.connection.close()
    else:
        peer.connection.transport.abort()
        await peer.connection.wait_closed()
    await world.finished.wait()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left)
    assert world.running == 0


async def test_a_draining_application_sends_sockets_away_and_lets_none_in(serve: Serve, world: World) -> None:
    app = toy_app(world)
    served = await serve(app)
    peers = [await connected(served.ws) for _ in range(3)]
    for peer in peers:
        await peer.init()
        await peer.subscribe(FOREVER)
        await peer.hear()
    await app.drain()
    assert (world.running, app.sockets) == (0, {})
    late = await connected(served.ws)
    assert [await peer.closed() for peer in [*peers, late]] == [(1012, "Service restart")] * 4


async def test_a_server_that_stops_closes_its_sockets_with_1012(serve: Serve, world: World) -> None:
    served = await serve(toy_app(world))
    peer = await connected(served.ws)
    await peer.init()
    await peer.subscribe(FOREVER)
    await peer.hear()
    stopping = asyncio.create_task(served.stop())
    assert await peer.closed() == (1012, "Service restart")
    await stopping
    assert world.running == 0


class TestImpatient:
    @pytest.fixture
    def options(self) -> TransportOptions:
        return TransportOptions(send_timeout_sec=0.3)

    async def test_a_client_that_does_not_read_is_let_go_and_reads_why_when_it_wakes(self, dial: Dial, world: World) -> None:
        peer = await dial(max_queue=1, compression=None)
        await peer.init()
        peer.connection.transport.pause_reading()
        await peer.subscribe("subscription { flood }")
        await world.started.wait()
        await world.finished.wait()
        peer.connection.transport.resume_reading()
        assert await peer.closed() == (1013, "The client does not read")


async def test_a_client_that_answers_no_ping_is_cut_off(serve: Serve, world: World) -> None:
    served = await serve(toy_app(world), ws_ping_interval=0.1, ws_ping_timeout=1)
    peer = await connected(served.ws, max_queue=1, compression=None)
    await peer.init()
    peer.connection.transport.pause_reading()
    await peer.subscribe("subscription { flood }")
    await world.started.wait()
    await world.finished.wait()
    # uvicorn's own protocol would keep the connection until all of its buffer is read.
    await served.stop()
    peer.connection.transport.abort()


async def test_a_server_stops_though_a_client_does_not_read(serve: Serve, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.ws_socket._GRACE_SEC", 0.2)
    served = await serve(toy_app(world))
    peer = await connected(served.ws, max_queue=1, compression=None)
    await peer.init()
    peer.connection.transport.pause_reading()
    await peer.subscribe("subscription { flood }")
    await world.started.wait()
    await served.stop()
    assert world.running == 0
    peer.connection.transport.abort()
