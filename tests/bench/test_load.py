"""The generators count rightly: a figure of theirs is worth what they notice."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.load.http import COUNTER, Call, Calls, Report, run
from bench.load.sockets import WARM, SocketReport, Sockets
from bench.load.subscribers import subscribed

Answer = Callable[[int], bytes]
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


class Far:
    """A server that answers what it is told to, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[bytes] = []
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"content-length: (\d+)", head)
                assert found is not None
                self.bodies.append(await reader.readexactly(int(found.group(1))))
                writer.write(self._answer(len(self.bodies)))
        except asyncio.IncompleteReadError:
            writer.close()


async def called(answer: Answer, together: int = 1) -> tuple[Far, Report]:
    far = Far(answer)
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        calls = [Call(f'{{"sequence":{COUNTER},"again":{COUNTER}}}'), Call("{}")]
        report = await run(
            Calls(port=port, calls=calls, wanted="ok", connections=4, warm_sec=0.05, seconds=0.1, together=together)
        )
    return far, report


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED], ids=["of a length", "chunked"])
async def test_every_call_is_answered_and_counted(answer: bytes) -> None:
    far, report = await called(lambda _: answer)
    assert report.bad == 0
    assert report.answered == len(far.bodies)
    assert 0 < report.calls <= report.answered
    assert 0 < report.p50_ms <= report.p99_ms <= report.worst_ms


async def test_every_call_with_a_counter_has_a_number_of_its_own() -> None:
    far, report = await called(lambda _: PLAIN)
    numbered = [json.loads(one) for one in far.bodies if one != b"{}"]
    sequences = {one["sequence"] for one in numbered}
    assert len(sequences) == len(numbered)
    assert all(one["sequence"] == one["again"] for one in numbered)
    assert max(sequences) < report.next


async def test_what_belongs_together_is_all_asked() -> None:
    _, report = await called(lambda _: PLAIN, together=7)
    assert report.answered % 7 == 0


async def test_an_answer_that_is_not_what_was_wanted_is_bad() -> None:
    wrong = PLAIN.replace(b"ok", b"no")
    far, report = await called(lambda number: wrong if number == 1 else PLAIN)
    assert (report.answered, report.bad) == (len(far.bodies), 1)
    assert report.first_bad.endswith("no")


Told = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def streaming(told: Told) -> AsyncIterator[int]:
    """A server of graphql-transport-ws that proves itself and then tells each socket what `told` does."""

    async def answer(socket: ServerConnection) -> None:
        assert json.loads(await socket.recv())["type"] == "connection_init"
        await socket.send('{"type":"connection_ack"}')
        assert json.loads(await socket.recv())["type"] == "subscribe"
        await socket.send(event(WARM))
        await told(socket)
        await socket.wait_closed()

    async with serve(answer, "127.0.0.1", 0, subprotocols=["graphql-transport-ws"], compression=None) as server:  # type: ignore[list-item]
        yield next(iter(server.sockets)).getsockname()[1]


def event(number: int, filling: str = "") -> str:
    return json.dumps({"id": "1", "type": "next", "payload": {"data": {"id": f"bench-event-{number:06}", "filling": filling}}})


async def heard(told: Told, folder: Path, *, complete: bool) -> SocketReport:
    async with streaming(told) as port:
        wanted = Sockets(port=port, count=3, query="subscription", events=2, times=True, report=str(folder / "report.json"))
        async with subscribed(wanted) as subscribers:
            await subscribers.until_live(_nothing)
            assert await subscribers.until_complete(20 if complete else 0.2) is complete
            return await subscribers.report()


async def _nothing() -> None:
    """The server proves itself unasked."""


async def test_every_delivery_is_counted_with_its_time(tmp_path: Path) -> None:
    async def told(socket: ServerConnection) -> None:
        await socket.send(event(0))
        await socket.ping()
        await socket.send(event(1, "x" * 70_000))

    report = await heard(told, tmp_path, complete=True)
    assert (report.deliveries, report.lost, report.repeated, report.closed) == (6, 0, 0, 0)
    assert sorted(report.numbers) == [0, 0, 0, 1, 1, 1]
    assert report.began <= min(report.times) <= max(report.times) <= report.ended


async def test_what_did_not_come_is_lost_and_what_came_twice_is_repeated(tmp_path: Path) -> None:
    async def told(socket: ServerConnection) -> None:
        await socket.send(event(0))
        await socket.send(event(0))

    report = await heard(told, tmp_path, complete=False)
    assert (report.deliveries, report.lost, report.repeated) == (3, 3, 3)
