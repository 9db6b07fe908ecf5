"""uvicorn's HTTP protocol, with a shorter way for GraphQL.

Give it to uvicorn as `http=ShortWayProtocol`, and put the GraphQL application into the state of the lifespan, under `STATE`. A POST
that comes whole and plain, from a caller without an origin, is answered without scope, cycle and middleware between; the same bytes
go out. Everything else goes uvicorn's way, and that is decided before anything has happened.
"""

import asyncio
import logging
import time
from functools import lru_cache
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.logging import TRACE_LOG_LEVEL
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.asked import ASKED, Asked
from app.request_log import note
from schema.asgi import FleetbeatGraphQL, WholeCall
from schema.http_answer import Answer, RawHeaders
from schema.http_request import Head
from schema.plain_head import END_OF_HEAD, LONGEST, PATH, plain_request

STATE = "fleetbeat.graphql"
"""Under which name the state of the lifespan holds the GraphQL application whose calls may go the short way."""


MOST_HEADS = 16
"""Heads that a connection remembers."""


class ShortWayProtocol(HttpToolsProtocol):
    """One connection. A call that came whole is a `WholeCycle` where any other is a cycle of uvicorn's: whatever uvicorn does with
    those (pipelining, disconnects, shutdown, keep-alive) it does with these."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.graphql: FleetbeatGraphQL | None = app_state.get(STATE) if self._is_plain() else None
        self.amid = False
        self._idle_since = 0.0
        self._heads: dict[bytes, tuple[Head, int]] = {}

    def _is_plain(self) -> bool:
        """Whether uvicorn is set up as `fleetbeat api` does it: what it can do beside that is left to it."""
        config = self.config
        writes_lines = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        more = [writes_lines, self.root_path, config.limit_concurrency, config.reset_contextvars]
        return not any(more) and self.logger.getEffectiveLevel() > TRACE_LOG_LEVEL

    def data_received(self, data: bytes) -> None:
        if self.amid or self.graphql is None or self._is_busy() or not self._take(data):
            super().data_received(data)

    def _is_busy(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def on_message_begin(self) -> None:
        self.amid = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self.amid = False
        super().on_message_complete()

    def _take(self, data: bytes) -> bool:
        """False where the call is for the ordinary way."""
        if self.graphql is None or self.transport.is_closing():
            return False
        end = data.find(END_OF_HEAD, 0, LONGEST) + len(END_OF_HEAD)
        head = self._head(data, end)
        if head is None:
            return False
        call = self.graphql.whole_call(head, data[end:])
        if call is None:
            return False
        self.cycle = cycle = WholeCycle(self, self.graphql, head, call)  # type: ignore[assignment]
        cycle.task = self.loop.create_task(cycle.run())
        self.tasks.add(cycle.task)
        return True

    def _head(self, data: bytes, end: int) -> Head | None:
        """The head of a plain request that is whole. A client sends the same one again and again: it is read once."""
        text = data[:end]
        known = self._heads.get(text)
        if known is not None:
            head, length = known
            return head if len(data) - end == length else None
        request = plain_request(data)
        if request is None:
            return None
        head = Head("POST", request.headers, self._address(request.headers))
        if len(self._heads) >= MOST_HEADS:
            self._heads.clear()
        self._heads[text] = head, len(request.body)
        return head

    def on_answered(self) -> None:
        """As `on_response_complete`, which makes a timer for each answer: here the one that runs is left to run."""
        timer = self.timeout_keep_alive_task
        if timer is None or self.pipeline or self.flow.read_paused or self.transport.is_closing():
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
        self._idle_since = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that was idle for as long as it may be; of one that was not, it looks again when it will have been."""
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._is_busy():
            left = self.timeout_keep_alive
        if left <= 0 or self.transport.is_closing():
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def _address(self, headers: dict[bytes, bytes]) -> str | None:
        """The caller's, as uvicorn tells it where a proxy that it trusts stands between."""
        host = self.client[0] if self.client else None
        forwarded = headers.get(b"x-forwarded-for")
        if forwarded is None or not isinstance(self.app, ProxyHeadersMiddleware) or host not in self.app.trusted_hosts:
            return host
        return self.app.trusted_hosts.get_trusted_client_address(forwarded.decode("latin-1"))[0] or host


class _Nobody:
    """Stands for the event by which a cycle of uvicorn's hears of its body: here the body was there from the start."""

    def set(self) -> None:
        pass


class WholeCycle:
    """A call that came whole, and its answer. Its attributes are those of uvicorn's `RequestResponseCycle` that its connection looks at."""

    message_event = _Nobody()
    task: asyncio.Task[None]

    def __init__(self, connection: ShortWayProtocol, graphql: FleetbeatGraphQL, head: Head, call: WholeCall) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False
        self._connection = connection
        self._graphql = graphql
        self._head = head
        self._call = call

    async def run(self) -> None:
        started, status = time.perf_counter(), 500
        asked = Asked(self._head.headers)
        # The task has a context of its own, which ends with it.
        ASKED.set(asked)
        try:
            answer = await self._graphql.answer(self._call, self)
            status = answer.status
            await self._send(answer, asked.request_id)
        except BaseException as error:
            self._connection.logger.error("Exception in ASGI application\n", exc_info=error)
            if not self.response_complete:
                await self._send(_FAILURE, None)
        finally:
            self._connection.tasks.discard(self.task)
            note("POST", PATH, status, time.perf_counter() - started)

    async def _send(self, answer: Answer, request_id: bytes | None) -> None:
        connection = self._connection
        if connection.flow.write_paused and not self.disconnected:
            await connection.flow.drain()
        if self.disconnected:
            return
        always = connection.server_state.default_headers
        if answer.more is None and self.keep_alive and request_id is not None:
            before, between = _around(answer.status, answer.media_type, always)
            text = b"%b%d%b%b\r\n\r\n%b" % (before, len(answer.content), between, request_id, answer.content)
        else:
            text = self._rendered(answer.status, [*always, *answer.headers, *_id(request_id)], answer.content)
        connection.transport.write(text)
        self.response_complete = True
        if not self.keep_alive:
            connection.transport.close()
        connection.on_answered()

    def _rendered(self, status: int, headers: RawHeaders, content: bytes) -> bytes:
        """The way of uvicorn: it adds `connection: close` where the connection will be closed and no header says so."""
        if (b"connection", b"close") in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        return b"%b%b\r\n%b" % (STATUS_LINE[status], _lines(headers), content)


def _around(status: int, media_type: str | None, always: RawHeaders) -> tuple[bytes, bytes]:
    """The head of an answer, but for its length and the id of the request."""
    return _known_around(status, media_type, tuple(always))


@lru_cache(maxsize=8)
def _known_around(status: int, media_type: str | None, always: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bytes]:
    text = STATUS_LINE[status] + _lines([*always, *Answer(status, b"", media_type).headers, (b"x-request-id", b"")])
    before, between = text.split(b"content-length: 0")
    return before + b"content-length: ", between.removesuffix(b"\r\n")


def _lines(headers: RawHeaders) -> bytes:
    return b"".join([part for name, value in headers for part in (name, b": ", value, b"\r\n")])


def _id(request_id: bytes | None) -> RawHeaders:
    return [] if request_id is None else [(b"x-request-id", request_id)]


class _Failure(Answer):
    """What uvicorn says when an application fails."""

    headers = property(
        lambda _: [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"21"),
            (b"connection", b"close"),
        ]
    )


_FAILURE = _Failure(500, b"Internal Server Error", None, {})
