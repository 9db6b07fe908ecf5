"""The same bytes to a server with the short way and to one without it: the same bytes come back, and the same is done."""

import asyncio
import gc
import json
import socket
import weakref
from dataclasses import dataclass, replace
from typing import Any

import pytest

from schema.documents import digest_of
from schema.http_protocol import MOST_HEADS
from tests.api.serving import Serve, Served
from tests.compiled.on_the_wire import CountingProtocol, Kept, exchange, request, served
from tests.compiled.twins import Twin
from tests.flows.documents import BEAT, BEATS

OLGA = ("Authorization: olga", "X-Request-Id: r-1")
CLOSE = "Connection: close"


def body(deviceId: str = "till-1", query: str = BEAT, **members: Any) -> bytes:  # noqa: N803 - as on the wire
    return json.dumps({"query": query, "variables": {"input": {"deviceId": deviceId}}, **members}).encode()


BEAT_BODY = body()
LAST = request(b'{"query": "{ __typename }"}', *OLGA, CLOSE)
HOT = request(BEAT_BODY, *OLGA)
BY_HASH = json.dumps(
    {
        "variables": {"input": {"deviceId": "till-1"}},
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest_of(BEAT)}},
    }
).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BEAT_BODY), BEAT_BODY)


@dataclass
class Pair:
    """A twin with the short way, and its other without plans and without the short way."""

    short: Twin
    ordinary: Twin
    servers: tuple[Served, Served]

    async def same(self, *chunks: bytes) -> int:
        """Sends it to both and compares; how many calls went the short way."""
        before = CountingProtocol.short
        heard = [await exchange(server.port, *chunks) for server in self.servers]
        assert heard[0] == heard[1], chunks
        assert b"INTERNAL" not in heard[0]
        assert self.short.taken == self.ordinary.taken
        return CountingProtocol.short - before


@pytest.fixture
async def pair(compiling: Twin, general: Twin, serve: Serve) -> Pair:
    for twin in (compiling, general):
        options = replace(twin.graphql.transport.options, max_body_bytes=4_096)
        twin.graphql.transport = replace(twin.graphql.transport, options=options)
        for query in (BEAT, BEATS):
            await twin.post(json.dumps({"query": query, "variables": {"input": {"deviceId": ""}, "inputs": []}}).encode())
    return Pair(compiling, general, (await served(compiling, serve, short=True), await served(general, serve, short=False)))


def asking(query: str, **more: object) -> bytes:
    return json.dumps({"query": query, **more}).encode()


SHORT = {
    "as clients send it": HOT,
    "no space after colons": HOT.replace(b": application", b":application"),
    "names in capitals": HOT.replace(b"Content-", b"CONTENT-"),
    "kept alive, and said": request(BEAT_BODY, *OLGA, "Connection: keep-alive"),
    "zeros before the length": request(BEAT_BODY, *OLGA, length=f"000{len(BEAT_BODY)}"),
    "by its hash": request(BY_HASH, *OLGA),
    "many beats": request(json.dumps({"query": BEATS, "variables": {"inputs": [{"deviceId": "till-2"}]}}).encode(), *OLGA),
    "the other media type": request(BEAT_BODY, *OLGA, "Accept: application/graphql-response+json"),
    "a type with its charset": HOT.replace(b"application/json", b"application/json; charset=utf-8"),
    "somebody who may not": request(BEAT_BODY, "Authorization: vera"),
    "nobody": request(BEAT_BODY, "Authorization: anonymous"),
    "a bad field": request(body("x" * 200), *OLGA),
    "an id that cannot be one": request(BEAT_BODY, "Authorization: olga", "X-Request-Id: a b"),
    "by way of a proxy": request(BEAT_BODY, *OLGA, "X-Forwarded-For: 192.0.2.1, 192.0.2.2", "X-Forwarded-Proto: https"),
    "a query": request(asking("{ viewer { id role } }"), "Authorization: vera"),
    "a query of nobody": request(asking("{ devices { totalCount } }"), "Authorization: anonymous"),
    "several operations": request(asking("query A { viewer { id } } query B { viewer { role } }", operationName="B"), *OLGA),
    "an operation that is not there": request(asking("query A { viewer { id } }", operationName="B"), *OLGA),
    "a subscription": request(asking("subscription { alertEvents { cursor } }"), *OLGA),
    "no query": request(b"{}", *OLGA),
    "a list": request(b"[]", *OLGA),
    "no body": request(b"", *OLGA),
    "an unknown hash": request(
        json.dumps({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}).encode(), *OLGA
    ),
    "a document that does not pass, in the other media type": request(
        asking("{ nothing }"), *OLGA, "Accept: application/graphql-response+json"
    ),
    "an unknown document": request(body(query="mutation { nothing }"), *OLGA),
    "no JSON": request(BEAT_BODY[:-1], *OLGA),
    "an unknown variable": request(body(variables={"input": {"deviceId": "till-1", "more": 1}}), *OLGA),
    "a trace": request(BEAT_BODY, *OLGA, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
}


async def test_plain_calls_go_the_short_way(pair: Pair) -> None:
    assert {name: await pair.same(asked, LAST) for name, asked in SHORT.items()} == dict.fromkeys(SHORT, 1)


ORDINARY = {
    "two lengths": request(BEAT_BODY, *OLGA, f"Content-Length: {len(BEAT_BODY)}"),
    "two lengths that differ": request(BEAT_BODY, *OLGA, "content-length: 5"),
    "a list of lengths": request(BEAT_BODY, *OLGA, length=f"{len(BEAT_BODY)}, {len(BEAT_BODY)}"),
    "a length with a sign": request(BEAT_BODY, *OLGA, length=f"+{len(BEAT_BODY)}"),
    "a length below nothing": request(BEAT_BODY, *OLGA, length="-1"),
    "a length in hexadecimal": request(BEAT_BODY, *OLGA, length=hex(len(BEAT_BODY))),
    "a length in other digits": request(BEAT_BODY, *OLGA, length="\xb2"),
    "an empty length": request(BEAT_BODY, *OLGA, length=""),
    "a length beyond numbers": request(BEAT_BODY, *OLGA, length="9" * 40),
    "a length and chunks": request(CHUNKED, *OLGA, "Transfer-Encoding: chunked"),
    "chunks that only seem so": request(BEAT_BODY, *OLGA, "Transfer-Encoding: xchunked"),
    "chunks after a blank": request(BEAT_BODY, *OLGA, "Transfer-Encoding : chunked"),
    "chunks in a folded line": request(BEAT_BODY, *OLGA, "X: 1\r\n Transfer-Encoding: chunked"),
    "chunks": request(CHUNKED, *OLGA, "Transfer-Encoding: chunked").replace(b"Content-Length: %d\r\n" % len(CHUNKED), b""),
    "a body longer than said": request(BEAT_BODY + b"GET / HTTP/1.1\r\n\r\n", *OLGA, length=str(len(BEAT_BODY))),
    "a body that is a request": request(HOT, *OLGA, length="0"),
    "a body over the limit": request(BEAT_BODY + b" " * 5_000, *OLGA),
    "a length over the limit": request(BEAT_BODY, *OLGA, length="5000"),
    "lines that end in LF": HOT.replace(b"\r\n", b"\n"),
    "a CR within": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id: r\r1"),
    "a NUL within": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id: r\x001"),
    "a tab within": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id: r\t1"),
    "bytes beyond ASCII": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id: r\xe91"),
    "a blank at the end of a line": HOT.replace(b"r-1\r\n", b"r-1 \r\n"),
    "a line without a colon": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id"),
    "a header without a value": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id:"),
    "a blank before a colon": HOT.replace(b"X-Request-Id: r-1", b"X-Request-Id : r-1"),
    "a name that is none": HOT.replace(b"X-Request-Id: r-1", b"X(Request)Id: r-1"),
    "empty lines before it": b"\r\n\r\n" + HOT,
    "HTTP 1.0": HOT.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP 1.2": HOT.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "a whole address": HOT.replace(b"POST /graphql", b"POST http://here/graphql"),
    "parameters": HOT.replace(b"/graphql ", b"/graphql?a=1 "),
    "a fragment": HOT.replace(b"/graphql ", b"/graphql#a "),
    "an escaped address": HOT.replace(b"/graphql ", b"/%67raphql "),
    "another address": HOT.replace(b"/graphql ", b"/graphql/ "),
    "another method": HOT.replace(b"POST ", b"PUT "),
    "a method in small letters": HOT.replace(b"POST ", b"post "),
    "a page that may": request(BEAT_BODY, *OLGA, "Origin: https://here.example"),
    "a page that may not": request(BEAT_BODY, *OLGA, "Origin: https://there.example"),
    "an upgrade": request(BEAT_BODY, *OLGA, "Connection: Upgrade", "Upgrade: h2c"),
    "compressed": request(BEAT_BODY, *OLGA, "Content-Encoding: gzip"),
    "another type": HOT.replace(b"application/json", b"text/plain"),
    "no form that we have": request(BEAT_BODY, *OLGA, "Accept: text/html"),
    "to be closed": request(BEAT_BODY, *OLGA, CLOSE),
    "to be closed by a proxy": request(BEAT_BODY, *OLGA, "Proxy-Connection: close"),
    "a header twice": request(BEAT_BODY, *OLGA, "X-Request-Id: r-2"),
    "callers twice": request(BEAT_BODY, *OLGA, "Authorization: vera"),
    "a long head": request(BEAT_BODY, *OLGA, f"X-Long: {'x' * 9_000}"),
    "nothing": b"",
}


async def test_what_is_not_plain_goes_the_ordinary_way(pair: Pair) -> None:
    assert {name: await pair.same(asked, LAST) for name, asked in ORDINARY.items()} == dict.fromkeys(ORDINARY, 0)


async def test_what_is_not_plain_and_what_follows_it_at_once_go_the_ordinary_way(pair: Pair) -> None:
    assert {name: await pair.same(asked + LAST) for name, asked in ORDINARY.items()} == dict.fromkeys(ORDINARY, 0)


async def test_a_request_in_pieces_is_one_request(pair: Pair) -> None:
    for at in (1, 10, HOT.index(b"\r\n\r\n") + 2, len(HOT) - len(BEAT_BODY), len(HOT) - 1):
        assert await pair.same(HOT[:at], HOT[at:], LAST) == 0


async def test_who_expects_a_100_gets_it(pair: Pair) -> None:
    asked = request(BEAT_BODY, *OLGA, "Expect: 100-continue")
    cut = len(asked) - len(BEAT_BODY)
    assert await pair.same(asked[:cut], asked[cut:], LAST) == 0


async def test_requests_in_one_piece_are_answered_in_their_order(pair: Pair) -> None:
    numbered = [request(BEAT_BODY, "Authorization: olga", f"X-Request-Id: r-{number}") for number in range(3)]
    assert await pair.same(b"".join(numbered) + LAST) == 0
    await pair.same(*numbered, LAST)
    await pair.same(numbered[0], b"".join(numbered), numbered[1], LAST)
    await pair.same(numbered[0], numbered[1] + numbered[2][:50], numbered[2][50:], numbered[0], LAST)


async def test_every_call_of_a_connection_that_is_kept_goes_the_short_way(pair: Pair) -> None:
    before, answers = CountingProtocol.short, []
    for server in pair.servers:
        connection = await Kept.to(server.port)
        answers.append([await connection.post(BEAT_BODY, authorization="olga") for _ in range(5)])
        await connection.close()
    assert answers[0] == answers[1]
    assert CountingProtocol.short - before == 5


async def test_a_head_that_was_read_before_says_nothing_of_what_comes_behind_it(pair: Pair) -> None:
    assert await pair.same(HOT, HOT[:-3], HOT[-3:], HOT, LAST) > 0
    await pair.same(HOT, HOT + HOT, LAST)
    await pair.same(HOT, HOT + b"GET / HTTP/1.1\r\n\r\n", LAST)


async def test_half_a_body_is_no_beat(pair: Pair) -> None:
    for server in pair.servers:
        connection = await Kept.to(server.port)
        connection.say(HOT[:-1])
        await connection.close()
        await exchange(server.port, LAST)
    assert pair.short.taken == pair.ordinary.taken == []


class Gate:
    """Holds the sign-in of whoever is called `slow`, until it is opened."""

    def __init__(self, twin: Twin) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        seams = twin.graphql.transport.seams

        async def who(authorization: str | None, address: str | None) -> Any:
            if authorization != "slow":
                return await seams.authenticate(authorization, address)
            self.reached.set()
            await self.opened.wait()
            return await seams.authenticate("olga", address)

        twin.graphql.transport = replace(twin.graphql.transport, seams=replace(seams, authenticate=who))


SLOW_HOT = request(BEAT_BODY, "Authorization: slow", "X-Request-Id: slow")
SLOW_QUERY = request(b'{"query": "{ __typename }"}', "Authorization: slow", "X-Request-Id: slow")


@pytest.mark.parametrize("slow", [SLOW_HOT, SLOW_QUERY], ids=["a hot call", "a query"])
async def test_whoever_came_later_is_answered_later(pair: Pair, slow: bytes) -> None:
    heard: list[bytes] = []
    for twin, server in zip((pair.short, pair.ordinary), pair.servers, strict=True):
        gate, connection = Gate(twin), await Kept.to(server.port)
        connection.say(slow)
        await gate.reached.wait()
        connection.say(HOT, LAST)
        await exchange(server.port, LAST)
        assert len(twin.taken) == 0
        gate.opened.set()
        heard.append(await connection.rest())
    assert heard[0] == heard[1]
    assert heard[0].index(b"x-request-id: slow") < heard[0].index(b"x-request-id: r-1")
    assert pair.short.taken == pair.ordinary.taken


async def test_who_leaves_before_signing_in_has_not_beaten(pair: Pair) -> None:
    for twin, server in zip((pair.short, pair.ordinary), pair.servers, strict=True):
        gate, connection = Gate(twin), await Kept.to(server.port)
        connection.say(SLOW_HOT)
        await gate.reached.wait()
        await connection.close()
        await exchange(server.port, LAST)
        gate.opened.set()
        await exchange(server.port, HOT, LAST)
    assert pair.short.taken == pair.ordinary.taken
    assert len(pair.short.taken) == 1


async def test_who_leaves_while_it_is_stored_has_beaten(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    for twin, server in zip((pair.short, pair.ordinary), pair.servers, strict=True):
        reached, opened, take = asyncio.Event(), asyncio.Event(), twin.context.intake.take

        async def held(arrived: Any, take: Any = take, reached: Any = reached, opened: Any = opened) -> Any:
            reached.set()
            await opened.wait()
            return await take(arrived)

        monkeypatch.setattr(twin.context.intake, "take", held)
        connection = await Kept.to(server.port)
        connection.say(HOT)
        await reached.wait()
        await connection.close()
        await exchange(server.port, LAST)
        opened.set()
        await exchange(server.port, HOT, LAST)
    assert pair.short.taken == pair.ordinary.taken
    assert len(pair.short.taken) == 2


async def test_a_server_that_stops_answers_first_and_says_that_it_closes(pair: Pair) -> None:
    heard: list[bytes] = []
    for twin, server in zip((pair.short, pair.ordinary), pair.servers, strict=True):
        gate, connection = Gate(twin), await Kept.to(server.port)
        connection.say(SLOW_HOT)
        await gate.reached.wait()
        stopping = asyncio.create_task(server.stop())
        while not server.closes:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        gate.opened.set()
        heard.append(await connection.rest())
        await stopping
    assert heard[0] == heard[1]
    assert b"connection: close" in heard[0]
    assert pair.short.taken == pair.ordinary.taken


async def test_a_connection_that_is_idle_is_closed_and_one_that_is_not_is_kept(pair: Pair) -> None:
    connection = await Kept.to(pair.servers[0].port)
    await connection.post(BEAT_BODY, authorization="olga")
    await connection.post(BEAT_BODY, authorization="olga")
    [protocol] = pair.servers[0].connections
    assert isinstance(protocol, CountingProtocol)
    # The timer of the first answer ends, less than its time after the second.
    protocol.timeout_keep_alive_handler()
    await connection.post(BEAT_BODY, authorization="olga")
    # And when nothing has come for as long as it takes.
    protocol.timeout_keep_alive = 0
    protocol.timeout_keep_alive_handler()
    assert await connection.rest() == b""


async def test_who_reads_nothing_of_its_answer_is_parted_with(compiling: Twin, serve: Serve) -> None:
    options = replace(compiling.graphql.transport.options, send_timeout_sec=0.05)
    compiling.graphql.transport = replace(compiling.graphql.transport, options=options)
    server = await served(compiling, serve, short=True)
    with socket.create_connection(("127.0.0.1", server.port)) as deaf:
        much = asking("{ " + " ".join(f"a{number}: __typename" for number in range(40)) + " }")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.setblocking(False)
        lost = asyncio.Event()
        await exchange(server.port, LAST)
        [protocol] = server.connections
        ends = protocol.connection_lost

        def loses(error: Exception | None) -> None:
            ends(error)
            lost.set()

        protocol.connection_lost = loses
        loop = asyncio.get_running_loop()
        while not lost.is_set():
            # It asks and asks, until neither side takes any more, and then for as long as the server has patience.
            asks = loop.create_task(loop.sock_sendall(deaf, request(much, *OLGA)))
            losing = loop.create_task(lost.wait())
            await asyncio.wait([asks, losing], return_when=asyncio.FIRST_COMPLETED)
            for task in (asks, losing):
                task.cancel()


async def test_who_has_read_one_answer_has_time_for_the_next(pair: Pair) -> None:
    connection = await Kept.to(pair.servers[0].port)
    await connection.post(BEAT_BODY, authorization="olga")
    [protocol] = pair.servers[0].connections
    protocol.pause_writing()
    first = protocol._unread
    assert first is not None
    protocol.resume_writing()
    assert first.cancelled()
    protocol.pause_writing()
    assert protocol._unread is not None
    assert not protocol._unread.cancelled()
    protocol.resume_writing()
    assert (await connection.post(BEAT_BODY, authorization="olga"))[0] == 200
    await connection.close()


async def test_a_connection_that_was_closed_leaves_nothing_for_the_collector_of_cycles(pair: Pair) -> None:
    gc.collect()
    gc.disable()
    try:
        connection = await Kept.to(pair.servers[0].port)
        await connection.post(BEAT_BODY, authorization="olga")
        [protocol] = pair.servers[0].connections
        left = weakref.ref(protocol)
        del protocol
        await connection.close()
        await exchange(pair.servers[0].port, LAST)
        assert left() is None
    finally:
        gc.enable()


async def test_few_heads_are_remembered_and_none_that_is_long_or_does_not_come_again(pair: Pair) -> None:
    connection = await Kept.to(pair.servers[0].port)
    [protocol] = pair.servers[0].connections
    for headers in (
        {"x_request_id": "r-1"},
        {"traceparent": "00-1"},
        {"x_long": "x" * 1_100},
        {f"x_{n}": "x" for n in range(30)},
    ):
        await connection.post(BEAT_BODY, authorization="olga", **headers)
    assert protocol._heads == {}
    for number in range(20):
        await connection.post(BEAT_BODY, authorization="olga", x_other=str(number))
    assert 0 < len(protocol._heads) <= MOST_HEADS
    await connection.close()
