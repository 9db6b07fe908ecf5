"""An open socket, frame by frame: what it costs, what it refuses, and how it ends."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from schema.transport import TransportOptions
from tests.api.serving import Serve, Served
from tests.api.transport.conftest import Dial
from tests.api.transport.toy import World, toy_app

INIT = b'{"type":"connection_init"}'
TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Wire:
    """A client that writes frames of its own and reads whatever comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, kind: int, payload: bytes = b"", *, fin: bool = True) -> None:
        length = len(payload)
        size = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2)
        self.writer.write(bytes(((0x80 if fin else 0) | kind,)) + size + b"\0\0\0\0" + payload)

    async def hear(self) -> tuple[int, bytes]:
        kind, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2))
        return kind & 15, await self.reader.readexactly(length)

    async def closed(self) -> int:
        """The code of the close, and then nothing more."""
        kind, payload = await self.hear()
        assert kind == CLOSE
        return int.from_bytes(payload[:2])

    async def is_over(self) -> bool:
        return await self.reader.read() == b""


Wired = Callable[[Served], Awaitable[Wire]]


@pytest.fixture
async def wired() -> AsyncIterator[Wired]:
    wires: list[Wire] = []

    async def shake_hands(served: Served) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", served.port))
        wires.append(wire)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET / HTTP/1.1",
            "Host: fleetbeat.test",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
            "\r\n",
        ]
        wire.writer.write("\r\n".join(lines).encode())
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        return wire

    yield shake_hands
    for wire in wires:
        wire.writer.close()


async def test_a_client_that_says_nothing_has_no_task(dial: Dial) -> None:
    first = await dial()
    await first.init()
    before = asyncio.all_tasks()
    peer = await dial()
    await peer.init()
    await asyncio.sleep(0)
    coroutines = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
    # The client of this test has one of its own.
    assert [name for name in coroutines if "keepalive" not in name] == []


async def test_nothing_is_compressed_whatever_a_client_offers(toy: Served) -> None:
    async with connect(toy.ws, subprotocols=[Subprotocol("graphql-transport-ws")], compression="deflate") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


async def test_a_message_in_parts_is_one_message(toy: Served, wired: Wired) -> None:
    wire = await wired(toy)
    wire.say(TEXT, INIT[:5], fin=False)
    wire.say(PING, b"still there?")
    wire.say(CONT, INIT[5:9], fin=False)
    wire.say(CONT, INIT[9:])
    assert await wire.hear() == (PONG, b"still there?")
    assert await wire.hear() == (TEXT, b'{"type":"connection_ack"}')


async def test_parts_without_content_add_nothing_to_a_message(toy: Served, wired: Wired) -> None:
    wire = await wired(toy)
    wire.say(TEXT, fin=False)
    for byte in INIT:
        wire.say(CONT, fin=False)
        wire.say(CONT, bytes((byte,)), fin=False)
    wire.say(CONT)
    assert await wire.hear() == (TEXT, b'{"type":"connection_ack"}')


async def test_frames_are_read_whatever_pieces_they_come_in(toy: Served, wired: Wired) -> None:
    wire = await wired(toy)
    frame = bytes((0x81, 0x80 | len(INIT))) + b"\0\0\0\0" + INIT
    for byte in frame:
        wire.writer.write(bytes((byte,)))
        await wire.writer.drain()
        await asyncio.sleep(0)
    assert await wire.hear() == (TEXT, b'{"type":"connection_ack"}')


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(TEXT, b"\xff\xfe")], 1007),
        ([(CONT, b"x")], 1002),
        ([(3, b"x")], 1002),
        ([(TEXT, b"x" * 5_000)], 1009),
        ([(BINARY, b"{}")], 4400),
    ],
)
async def test_what_breaks_websocket_is_closed_with_its_code(
    serve: Serve, world: World, wired: Wired, frames: list[tuple[int, bytes]], code: int
) -> None:
    wire = await wired(await serve(toy_app(world), ws_max_size=4_096))
    for kind, payload in frames:
        wire.say(kind, payload)
    assert await wire.closed() == code


async def test_a_close_is_answered_and_the_connection_ends(toy: Served, wired: Wired) -> None:
    wire = await wired(toy)
    wire.say(CLOSE, (1000).to_bytes(2) + b"bye")
    assert await wire.hear() == (CLOSE, (1000).to_bytes(2) + b"bye")
    assert await wire.is_over()


async def test_who_answers_a_close_is_parted_with_at_once(toy: Served, wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.ws_socket._ECHO_SEC", 3_600)
    wire = await wired(toy)
    wire.say(TEXT, b"{")
    assert await wire.closed() == 4400
    wire.say(CLOSE, (4400).to_bytes(2))
    assert await wire.is_over()


async def test_who_does_not_answer_a_close_is_parted_with_after_a_while(
    toy: Served, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schema.ws_socket._ECHO_SEC", 0.05)
    wire = await wired(toy)
    wire.say(TEXT, b"{")
    assert await wire.closed() == 4400
    assert await wire.is_over()


async def test_every_client_is_pinged_and_who_answers_stays(serve: Serve, world: World, wired: Wired) -> None:
    wire = await wired(await serve(toy_app(world), ws_ping_interval=0.05, ws_ping_timeout=1))
    for _ in range(4):
        assert await wire.hear() == (PING, b"")
        wire.say(PONG)
    assert await wire.hear() == (PING, b"")
    assert await wire.closed() == 1011
    assert await wire.is_over()


async def test_a_server_that_sends_no_pings_keeps_who_says_nothing(serve: Serve, world: World, wired: Wired) -> None:
    wire = await wired(await serve(toy_app(world), ws_ping_interval=None))
    wire.say(TEXT, INIT)
    assert await wire.hear() == (TEXT, b'{"type":"connection_ack"}')


class TestImpatient:
    @pytest.fixture
    def options(self) -> TransportOptions:
        return TransportOptions(send_timeout_sec=0.3, max_body_bytes=65_536)

    async def test_who_asks_and_asks_without_reading_is_read_no_further_and_cut_off(
        self, toy: Served, wired: Wired, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("schema.ws_socket._GRACE_SEC", 0.1)
        wire = await wired(toy)
        said = await flood(wire)
        assert said < 64 * 1024 * 1024


async def test_what_answers_the_pings_of_a_client_that_does_not_read_does_not_pile_up(toy: Served, wired: Wired) -> None:
    wire, pings = await wired(toy), 150_000
    # Or the kernel might make room for all of them.
    wire.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    for number in range(pings):
        wire.say(PING, b"x" * 125)
        if number % 1_000 == 0:
            await wire.writer.drain()
    wire.say(TEXT, b"{")
    pongs = 0
    while (heard := await wire.hear())[0] == PONG:
        pongs += 1
    assert heard[0] == CLOSE
    assert pongs < pings


async def flood(wire: Wire) -> int:
    """Asks for long answers until the connection is cut; how many bytes went out."""
    said, ping = 0, b'{"type":"ping","payload":{"x":"%b"}}' % (b"x" * 60_000)
    try:
        while True:
            wire.say(TEXT, ping)
            await wire.writer.drain()
            said += len(ping)
    except ConnectionError:
        return said
