"""HTTP calls over kept-alive connections, each waiting for its answer: `python -m bench.load.http`, a `Calls` on stdin.

It reads no more of an answer than where it ends and whether what was wanted is in it; the whole of it costs this process about
15 µs a call. A call may hold a counter (`COUNTER`), so that no two are the same.
"""

import asyncio
import itertools
import os
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from bench.usage import cpu_sec

COUNTER = "987654321"
"""Stands in a body where each call has a number of its own, of as many digits."""

FIRST = 100_000_000
_END_OF_HEAD = b"\r\n\r\n"
_END_OF_CHUNKS = b"0\r\n\r\n"
_GIVE_UP_SEC = 30.0


class Call(msgspec.Struct, frozen=True):
    """One request: its body, whose it is (`authorization` may be empty), and its path where it has one of its own."""

    body: str
    authorization: str = ""
    path: str = ""


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """Where, what, and for how long. Connection n sends every n-th of `calls` in turn. `watched` are the server's processes by
    name, whose CPU is read where the measured time begins and ends. An answer is good where `wanted` is in it.
    A connection ends after a multiple of `together` calls."""

    port: int
    calls: list[Call]
    wanted: str
    connections: int
    warm_sec: float
    seconds: float
    path: str = "/graphql"
    method: str = "POST"
    first: int = FIRST
    together: int = 1
    watched: dict[str, list[int]] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` and `latencies_ms` (50, 99 and 100 of a hundred) are of the measured time, `answered` and `bad` of all of it.
    CPU is in seconds of the measured time, `client_cpu_sec` is the generator's own."""

    calls: int
    seconds: float
    answered: int
    bad: int
    next: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_sec: dict[str, float]
    client_cpu_sec: float
    first_bad: str = ""


class _Run:
    """What all connections share: the counter, the clock, and what came back."""

    def __init__(self, calls: Calls) -> None:
        self.counter = itertools.count(calls.first)
        self.wanted = calls.wanted.encode()
        self.together = calls.together
        self.latencies = array("d")
        self.answered = self.bad = 0
        self.first_bad = ""
        self.ending = False
        self.open = 0
        self.done = asyncio.get_running_loop().create_future()

    def note(self, answer: bytes, started: float) -> None:
        self.latencies.append(time.perf_counter() - started)
        self.answered += 1
        if self.wanted not in answer:
            self.bad += 1
            self.first_bad = self.first_bad or answer[-400:].decode(errors="replace")

    def left(self) -> None:
        self.open -= 1
        if not self.open and not self.done.done():
            self.done.set_result(None)


class _Connection(asyncio.Protocol):
    """Sends one call, waits for its answer, sends the next."""

    def __init__(self, run: _Run, requests: list[list[bytes]]) -> None:
        self._run = run
        self._requests = itertools.cycle(requests)
        self._buffer = b""
        self._started = 0.0
        self._sent = 0
        self._waits = False
        run.open += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._run.bad += 1
            self._run.first_bad = self._run.first_bad or f"the connection was closed: {exc}"
        self._run.left()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not _is_whole(data):
            self._buffer = data
            return
        self._buffer = b""
        self._waits = False
        self._run.note(data, self._started)
        if self._run.ending and self._sent % self._run.together == 0:
            self._transport.close()
        else:
            self._send()

    def _send(self) -> None:
        pieces = next(self._requests)
        request = pieces[0] if len(pieces) == 1 else (b"%d" % next(self._run.counter)).join(pieces)
        self._waits = True
        self._sent += 1
        self._started = time.perf_counter()
        self._transport.write(request)


def _is_whole(data: bytes) -> bool:
    end = data.find(_END_OF_HEAD)
    if end < 0:
        return False
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return data.endswith(_END_OF_CHUNKS)
    length = int(head[at + 15 :].split(b"\r\n", 1)[0])
    return len(data) >= end + 4 + length


def _request(calls: Calls, call: Call) -> list[bytes]:
    """The pieces between which the counter goes; one where there is none."""
    head = f"{calls.method} {call.path or calls.path} HTTP/1.1\r\nhost: 127.0.0.1:{calls.port}\r\n"
    head += "content-type: application/json\r\naccept: application/json\r\n"
    head += f"authorization: {call.authorization}\r\n" if call.authorization else ""
    head += f"content-length: {len(call.body.encode())}\r\n\r\n"
    return [piece.encode() for piece in (head + call.body).split(COUNTER)]


async def run(calls: Calls) -> Report:
    shared = _Run(calls)
    loop = asyncio.get_running_loop()
    requests = [_request(calls, call) for call in calls.calls]
    await asyncio.gather(
        *(
            loop.create_connection(
                lambda number=number: _Connection(shared, requests[number % len(requests) :: calls.connections]),  # type: ignore[misc]
                "127.0.0.1",
                calls.port,
            )
            for number in range(calls.connections)
        )
    )
    await asyncio.sleep(calls.warm_sec)
    began, first, cpu = time.perf_counter(), len(shared.latencies), _cpu(calls)
    await asyncio.sleep(calls.seconds)
    seconds, last = time.perf_counter() - began, len(shared.latencies)
    took = {name: after - cpu[name] for name, after in _cpu(calls).items()}
    shared.ending = True
    await asyncio.wait_for(shared.done, _GIVE_UP_SEC)
    latencies = sorted(shared.latencies[first:last]) or [0.0]
    return Report(
        calls=last - first,
        seconds=seconds,
        answered=shared.answered,
        bad=shared.bad,
        next=next(shared.counter),
        p50_ms=_percentile(latencies, 0.50),
        p99_ms=_percentile(latencies, 0.99),
        worst_ms=latencies[-1] * 1000,
        client_cpu_sec=took.pop(""),
        cpu_sec=took,
        first_bad=shared.first_bad,
    )


def _percentile(latencies: list[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))] * 1000


def _cpu(calls: Calls) -> dict[str, float]:
    """By name; the generator's own is the one without."""
    return {"": cpu_sec(os.getpid()), **{name: sum(map(cpu_sec, pids)) for name, pids in calls.watched.items()}}


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Calls)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(wanted))))
