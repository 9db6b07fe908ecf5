"""One test for each rule of PROTOCOL.md of graphql-ws."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from schema.transport import TransportOptions
from tests.api.serving import Serve
from tests.api.transport.conftest import Dial, connected
from tests.api.transport.toy import World, toy_app

FOREVER = "subscription { forever }"


async def test_an_operation_answers_and_completes(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe("subscription { count(to: 2) }")
    said = [await peer.hear() for _ in range(3)]
    assert said == [
        {"id": "1", "type": "next", "payload": {"data": {"count": 0}}},
        {"id": "1", "type": "next", "payload": {"data": {"count": 1}}},
        {"id": "1", "type": "complete"},
    ]


async def test_queries_and_mutations_go_over_the_socket_as_well(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    for query in ("{ echo }", 'mutation { beat(input: {deviceId: "d"}) }'):
        await peer.subscribe(query)
        assert (await peer.hear())["type"] == "next"
        assert await peer.hear() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "mqtt"])
async def test_another_subprotocol_is_closed_with_4406(dial: Dial, subprotocol: str) -> None:
    peer = await dial(subprotocols=[subprotocol])
    assert await peer.closed() == (4406, "Subprotocol not acceptable")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("[]", "Message is expected to be an object, but got an array"),
        ("1", "Message is expected to be an object, but got a number"),
        ('"x"', "Message is expected to be an object, but got a string"),
        ("null", "Message is expected to be an object, but got null"),
        ("{}", "Message is missing the 'type' property"),
        ('{"type": 1}', "Message type must be a string"),
        ('{"type": []}', "Message type must be a string"),
        ('{"type": "start"}', "Invalid message type 'start'"),
        ('{"type": "next", "id": "1", "payload": {}}', "Unexpected message of type next received"),
        ('{"type": "connection_ack"}', "Unexpected message of type connection_ack received"),
        ('{"type": "connection_init", "payload": "x"}', "The payload of 'connection_init' must be an object, null or left out"),
        ('{"type": "ping", "payload": []}', "The payload of 'ping' must be an object, null or left out"),
        ('{"type": "pong", "payload": 1}', "The payload of 'pong' must be an object, null or left out"),
        ('{"type": "complete"}', "The id of 'complete' must be a string that is not empty"),
        ('{"type": "complete", "id": 1}', "The id of 'complete' must be a string that is not empty"),
        ("{", None),
        ('{"type": "ping", "payload": {"a": NaN}}', None),
    ],
)
async def test_a_frame_that_breaks_the_protocol_is_closed_with_4400(dial: Dial, frame: str, reason: str | None) -> None:
    peer = await dial()
    await peer.init()
    await peer.say_raw(frame)
    code, said = await peer.closed()
    assert code == 4400
    assert said == reason if reason else said.startswith("Message must be JSON")


async def test_a_binary_frame_is_closed_with_4400(dial: Dial) -> None:
    peer = await dial()
    await peer.say_raw(b"{}")
    assert await peer.closed() == (4400, "Message must be text")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": 1}, "The id of 'subscribe' must be a string that is not empty"),
        ({"id": ""}, "The id of 'subscribe' must be a string that is not empty"),
        ({"id": None}, "The id of 'subscribe' must be a string that is not empty"),
        ({"payload": None}, "The payload of 'subscribe' must be an object"),
        ({"payload": "{ echo }"}, "The payload of 'subscribe' must be an object"),
        ({"payload": {}}, "The query of 'subscribe' must be a string"),
        ({"payload": {"query": 1}}, "The query of 'subscribe' must be a string"),
        ({"payload": {"query": "{ echo }", "variables": []}}, "The variables of 'subscribe' must be an object, null or left out"),
        (
            {"payload": {"query": "{ echo }", "extensions": 1}},
            "The extensions of 'subscribe' must be an object, null or left out",
        ),
        (
            {"payload": {"query": "{ echo }", "operationName": 1}},
            "The operationName of 'subscribe' must be a string, null or left out",
        ),
    ],
)
async def test_a_subscribe_out_of_shape_is_closed_with_4400(dial: Dial, change: dict[str, Any], reason: str) -> None:
    peer = await dial()
    await peer.init()
    await peer.say({"type": "subscribe", "id": "1", "payload": {"query": "{ echo }"}} | change)
    assert await peer.closed() == (4400, reason)


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}])
async def test_initialisation_takes_a_payload_of_nothing(dial: Dial, payload: dict[str, Any]) -> None:
    peer = await dial()
    await peer.say({"type": "connection_init", **payload})
    assert await peer.hear() == {"type": "connection_ack"}


async def test_null_is_as_good_as_left_out(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe("{ echo }", variables=None, operationName=None, extensions=None)
    assert (await peer.hear())["payload"] == {"data": {"echo": "hello"}}


async def test_a_second_initialisation_is_closed_with_4429(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.say({"type": "connection_init"})
    assert await peer.closed() == (4429, "Too many initialisation requests")


async def test_a_subscribe_before_initialisation_is_closed_with_4401(dial: Dial) -> None:
    peer = await dial()
    await peer.subscribe("{ echo }")
    assert await peer.closed() == (4401, "Unauthorized")


async def test_an_id_in_use_is_closed_with_4409(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe(FOREVER, "twice")
    await peer.subscribe("{ echo }", "twice")
    assert await peer.closed() == (4409, "Subscriber for twice already exists")


async def test_an_id_may_be_used_again_after_completion_by_either_side(dial: Dial, world: World) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe(FOREVER)
    assert (await peer.hear())["payload"] == {"data": {"forever": 0}}
    await peer.say({"type": "complete", "id": "1"})
    for text in ("a", "b"):
        await peer.subscribe(f'{{ echo(text: "{text}") }}')
        assert await peer.hear() == {"id": "1", "type": "next", "payload": {"data": {"echo": text}}}
        assert await peer.hear() == {"id": "1", "type": "complete"}
    await world.finished.wait()


async def test_a_ping_is_answered_with_its_payload_even_before_initialisation(dial: Dial) -> None:
    peer = await dial()
    await peer.say({"type": "ping"})
    assert await peer.hear() == {"type": "pong"}
    await peer.say({"type": "ping", "payload": {"n": 1}})
    assert await peer.hear() == {"type": "pong", "payload": {"n": 1}}
    await peer.say({"type": "pong", "payload": {"n": 1}})
    await peer.init()


async def test_completing_what_is_not_there_is_nothing(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.say({"type": "complete", "id": "gone"})
    await peer.say({"type": "ping"})
    assert await peer.hear() == {"type": "pong"}


class TestHurried:
    @pytest.fixture
    def options(self) -> TransportOptions:
        return TransportOptions(init_timeout_sec=0.2)

    async def test_no_initialisation_in_time_is_closed_with_4408(self, dial: Dial) -> None:
        peer = await dial()
        assert await peer.closed() == (4408, "Connection initialisation timeout")

    async def test_an_authentication_that_takes_too_long_is_closed_with_4408(self, dial: Dial) -> None:
        peer = await dial()
        await peer.say({"type": "connection_init", "payload": {"authorization": "Bearer slow"}})
        assert await peer.closed() == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        ({"authorization": "Bearer bad"}, 4403, "Forbidden: The token is not signed by us"),
        ({"Authorization": "Bearer bad"}, 4403, "Forbidden: The token is not signed by us"),
        ({"authorization": 1}, 4403, "Forbidden: authorization must be a string"),
        ({"authorization": "Bearer past"}, 4403, "Token expired"),
        ({"authorization": "Bearer soon"}, 4403, "Token expired"),
        ({"authorization": "Bearer down"}, 1013, "Try again later: The database is away"),
        ({"authorization": "Bearer lost"}, 1013, "Try again later: The database is away"),
    ],
)
async def test_who_is_not_let_in_or_not_for_long_reads_why(dial: Dial, payload: Any, code: int, reason: str) -> None:
    peer = await dial()
    await peer.say({"type": "connection_init", "payload": payload})
    assert await peer.closed() == (code, reason)


async def test_an_error_in_authentication_is_closed_with_4500_masked_and_logged(dial: Dial) -> None:
    peer = await dial()
    with capture_logs() as logs:
        await peer.say({"type": "connection_init", "payload": {"authorization": "Bearer broken"}})
        assert await peer.closed() == (4500, f"Internal error {logs[0]['error_id']}")


async def test_the_expiry_of_a_token_ends_what_it_started(dial: Dial, world: World) -> None:
    peer = await dial()
    await peer.init("Bearer soon")
    await peer.subscribe(FOREVER)
    assert (await peer.hear())["type"] == "next"
    assert await peer.closed() == (4403, "Token expired")
    await world.finished.wait()


async def test_who_left_while_it_was_looked_at_is_not_watched_for_its_expiry(serve: Serve, world: World) -> None:
    app = toy_app(world)
    peer = await connected((await serve(app)).ws)
    await peer.say({"type": "connection_init", "payload": {"authorization": "Bearer gated"}})
    await world.started.wait()
    [connection] = app.sockets.values()
    await peer.connection.close()
    world.go_on.set()
    await connection.gone
    assert connection.admission.acknowledged is False
    assert connection.admission._timer is None


async def test_a_token_may_come_with_the_handshake_instead(dial: Dial, world: World) -> None:
    peer = await dial(additional_headers={"Authorization": "Bearer header"})
    await peer.init()
    assert world.asked == [("Bearer header", "127.0.0.1")]


class TestFew:
    @pytest.fixture
    def options(self) -> TransportOptions:
        return TransportOptions(max_operations=2)

    async def test_an_operation_over_the_limit_is_an_error_and_the_others_go_on(self, dial: Dial) -> None:
        peer = await dial()
        await peer.init()
        for number in range(3):
            await peer.subscribe(FOREVER, str(number))
        said = [await peer.hear() for _ in range(3)]
        assert sorted(message["type"] for message in said) == ["error", "next", "next"]
        [error] = [message for message in said if message["type"] == "error"]
        assert (error["id"], error["payload"][0]["extensions"]["code"]) == ("2", "RATE_LIMITED")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_page_from_elsewhere_is_not_let_in(dial: Dial, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await dial(origin=origin)
    assert refused.value.response.status_code == 403


class TestCrossOrigin:
    @pytest.fixture(params=["https://dash.example", "*"])
    def options(self, request: pytest.FixtureRequest) -> TransportOptions:
        return TransportOptions(cors_origins=(request.param,))

    async def test_a_page_that_is_named_is_let_in(self, dial: Dial) -> None:
        await (await dial(origin="https://dash.example")).init()


async def test_a_page_of_the_same_origin_is_let_in(dial: Dial, toy: Any) -> None:
    await (await dial(origin=toy.http)).init()


async def test_a_reason_longer_than_a_frame_holds_is_cut(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    for _ in range(2):
        await peer.subscribe(FOREVER, "ä" * 200)
    code, reason = await peer.closed()
    assert code == 4409
    assert len(reason.encode()) <= 123


async def test_nan_in_one_operation_does_not_hurt_the_others(dial: Dial) -> None:
    peer = await dial()
    await peer.init()
    await peer.subscribe(FOREVER, "alive")
    assert (await peer.hear())["id"] == "alive"
    payload = {"query": "query ($v: Float!) { number(value: $v) }", "variables": {"v": float("nan")}}
    await peer.say_raw(json.dumps({"type": "subscribe", "id": "bad", "payload": payload}))
    error = await peer.hear()
    assert (error["type"], error["id"]) == ("error", "bad")
    assert [field["path"] for field in error["payload"][0]["extensions"]["fields"]] == ["variables.v"]
    await peer.say({"type": "ping"})
    assert await peer.hear() == {"type": "pong"}


async def test_a_frame_before_another_is_answered_in_order(dial: Dial) -> None:
    peer = await dial()
    await peer.say({"type": "connection_init"})
    await asyncio.gather(*(peer.say({"type": "ping", "payload": {"n": n}}) for n in range(5)))
    assert await peer.hear() == {"type": "connection_ack"}
    assert [(await peer.hear())["payload"]["n"] for _ in range(5)] == list(range(5))
