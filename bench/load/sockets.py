"""Subscribers in one process: `python -m bench.load.sockets`, a `Sockets` on stdin, a report in a file when told to end.

Each socket runs one subscription. An event holds a number behind `MARK`; numbers from `WARM` on only prove that a subscription
is live. The process says `ready` once every socket saw such a one, and counts until stdin ends. It reads no more of a frame than
its length and that number: about 5 µs a delivery, so that it is the server that is measured.
"""

import asyncio
import base64
import os
import sys
import time
from array import array
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.usage import cpu_sec

MARK = b"bench-event-"
DIGITS = 6
WARM = 900_000
CONNECTING = 200
"""Sockets that are opened at once."""

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """`init` is the payload of `connection_init`, `report` the file that the report is left in. With `times` the report holds when each event came to each socket."""

    port: int
    count: int
    query: str
    events: int
    init: dict[str, str] = {}
    times: bool = False
    report: str
    path: str = "/graphql"


class SocketReport(msgspec.Struct, frozen=True, kw_only=True):
    """`began` and `ended` are of the monotonic clock, which all processes of a machine share: the first and the last delivery.
    `times` is (event number, time) of every delivery, as two arrays."""

    deliveries: int
    lost: int
    repeated: int
    began: float
    ended: float
    client_cpu_sec: float
    closed: int
    numbers: list[int] = []
    times: list[float] = []


class _Counted:
    """What came to all sockets."""

    def __init__(self, wanted: Sockets) -> None:
        self.wanted = wanted
        self.deliveries = self.repeated = self.warm = self.closed = 0
        self.began = self.ended = 0.0
        self.numbers, self.times = array("l"), array("d")
        self.ready = asyncio.get_running_loop().create_future()
        self.complete = asyncio.get_running_loop().create_future()

    def warmed(self) -> None:
        self.warm += 1
        if self.warm == self.wanted.count:
            self.ready.set_result(None)

    def event(self, number: int) -> None:
        now = time.monotonic()
        self.began = self.began or now
        self.ended = now
        self.deliveries += 1
        if self.wanted.times:
            self.numbers.append(number)
            self.times.append(now)
        if self.deliveries == self.wanted.count * self.wanted.events and not self.complete.done():
            self.complete.set_result(None)


class _Socket(asyncio.Protocol):
    """The least of a WebSocket client that a server of graphql-transport-ws is content with."""

    def __init__(self, counted: _Counted) -> None:
        self._counted = counted
        self._buffer = b""
        self._open = False
        self._warm = False
        self._seen = bytearray(counted.wanted.events)
        self.live = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        wanted = self._counted.wanted
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {wanted.path} HTTP/1.1\r\nhost: 127.0.0.1:{wanted.port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        head += f"sec-websocket-version: 13\r\nsec-websocket-protocol: graphql-transport-ws\r\nsec-websocket-key: {key}\r\n\r\n"
        self._transport.write(head.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._counted.closed += 1

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not self._open:
            data = self._shaken(data)
        start, end = 0, len(data)
        while end - start >= 2:
            size, at = data[start + 1], start + 2
            if size == 126:
                size, at = int.from_bytes(data[at : at + 2]), at + 2
            elif size == 127:
                size, at = int.from_bytes(data[at : at + 8]), at + 8
            if end < at + size:
                break
            self._frame(data[start] & 15, data, at, at + size)
            start = at + size
        self._buffer = data[start:]

    def _shaken(self, data: bytes) -> bytes:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(head.decode())
        self._open = True
        self._send({"type": "connection_init", "payload": self._counted.wanted.init})
        return rest

    def _frame(self, kind: int, data: bytes, start: int, end: int) -> None:
        at = data.find(MARK, start, end)
        if at >= 0:
            at += len(MARK)
            self._event(int(data[at : at + DIGITS]))
        elif kind == _PING:
            self._write(_PONG, data[start:end])
        elif kind == _TEXT:
            self._answer(data[start:end])

    def _event(self, number: int) -> None:
        if number >= WARM:
            if not self._warm:
                self._warm = True
                self._counted.warmed()
            return
        if self._seen[number]:
            self._counted.repeated += 1
        else:
            self._seen[number] = 1
            self._counted.event(number)

    def _answer(self, frame: bytes) -> None:
        message = msgspec.json.decode(frame)
        if message["type"] == "connection_ack":
            self._send({"type": "subscribe", "id": "1", "payload": {"query": self._counted.wanted.query}})
            self.live.set_result(None)
        elif message["type"] == "ping":
            self._send({"type": "pong"})
        elif message["type"] in ("error", "complete") or "errors" in message.get("payload", {}):
            raise RuntimeError(frame.decode())

    def _send(self, message: dict[str, object]) -> None:
        self._write(_TEXT, msgspec.json.encode(message))

    def _write(self, kind: int, payload: bytes) -> None:
        # A mask of zeros is a mask, and costs nothing.
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2)
        self._transport.write(bytes([0x80 | kind]) + length + b"\0\0\0\0" + payload)


async def run(wanted: Sockets) -> SocketReport:
    counted, loop = _Counted(wanted), asyncio.get_running_loop()
    for start in range(0, wanted.count, CONNECTING):
        some = range(start, min(start + CONNECTING, wanted.count))
        made = await asyncio.gather(*(loop.create_connection(lambda: _Socket(counted), "127.0.0.1", wanted.port) for _ in some))
        await asyncio.gather(*(socket.live for _, socket in made))
    _say("subscribed")
    await counted.ready
    _say("ready")
    cpu = cpu_sec(os.getpid())
    told = loop.run_in_executor(None, sys.stdin.readline)
    await asyncio.wait([counted.complete, told], return_when=asyncio.FIRST_COMPLETED)
    _say("complete")
    cpu = cpu_sec(os.getpid()) - cpu
    await told
    return SocketReport(
        deliveries=counted.deliveries,
        lost=wanted.count * wanted.events - counted.deliveries,
        repeated=counted.repeated,
        began=counted.began,
        ended=counted.ended,
        client_cpu_sec=cpu,
        closed=counted.closed,
        numbers=list(counted.numbers),
        times=list(counted.times),
    )


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.readline(), type=Sockets)
    Path(given.report).write_bytes(msgspec.json.encode(uvloop.run(run(given))))
    _say("reported")
