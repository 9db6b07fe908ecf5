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
from schema.first_step import begun
from schema.http_answer import Answer, RawHeaders
from schema.http_request import Head
from schema.plain_head import END_OF_HEAD, LONGEST, PATH, plain_request

STATE = "fleetbeat.graphql"
"""Under which name the state of the lifespan holds the GraphQL application whose calls may go the short way."""


MOST_HEADS = 8
LONGEST_HEAD = 1_024
MOST_HEADERS = 24
"""Heads that a connection remembers, and how large they are at most: whoever connects must not make us keep much."""

_OF_ONE_REQUEST = (b"x-request-id", b"traceparent")
"""A head with these does not come again."""


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
        self._whole: WholeCycle | None = None
        self._always: RawHeaders = []
        self._always_text = b""
        self._unread: asyncio.TimerHandle | None = None

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
        self.cycle = self._whole = cycle = WholeCycle()  # type: ignore[assignment]
        running = self._run(cycle, self.graphql, head, call)
        if call.principal is None or call.call is None:
            cycle.task = self.loop.create_task(running)
        else:
            # Most that devices say is ready to be stored at once. Signing in, and the general way, have limits of time.
            cycle.task = begun(running, self.loop)
        if cycle.task is not None:
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
        if end <= LONGEST_HEAD and len(request.headers) <= MOST_HEADERS and request.headers.keys().isdisjoint(_OF_ONE_REQUEST):
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[text] = head, len(request.body)
        return head

    async def _run(self, cycle: "WholeCycle", graphql: FleetbeatGraphQL, head: Head, call: WholeCall) -> None:
        started, status = time.perf_counter(), 500
        asked = Asked(head.headers)
        # The task has a context of its own, which ends with it.
        ASKED.set(asked)
        try:
            answer = await graphql.answer(call, cycle)
            if self.flow.write_paused and not cycle.disconnected:
                await self.flow.drain()
            if not cycle.disconnected:
                self._send(cycle, answer, asked.request_id)
            status = answer.status
        except BaseException as error:
            self.logger.error("Exception in ASGI application\n", exc_info=error)
            if not cycle.response_complete and not cycle.disconnected:
                self._write(
                    cycle, _rendered(cycle, 500, [*self.server_state.default_headers, *_FAILED], b"Internal Server Error")
                )
        finally:
            if cycle.task is not None:
                self.tasks.discard(cycle.task)
            note("POST", PATH, status, time.perf_counter() - started)

    def _send(self, cycle: "WholeCycle", answer: Answer, request_id: bytes) -> None:
        always = self.server_state.default_headers
        if answer.more is None and cycle.keep_alive:
            if always is not self._always:  # once a second: the date is in it
                self._always, self._always_text = always, _lines(always)
            start, end = STATUS_LINE[answer.status], _ending(answer.media_type)
            content = answer.content
            text = b"%b%bcontent-length: %d%b%b\r\n\r\n%b" % (start, self._always_text, len(content), end, request_id, content)
        else:
            headers = [*always, *answer.headers, (b"x-request-id", request_id)]
            text = _rendered(cycle, answer.status, headers, answer.content)
        self._write(cycle, text)

    def _write(self, cycle: "WholeCycle", text: bytes) -> None:
        self.transport.write(text)
        cycle.response_complete = True
        self._whole = None
        if not cycle.keep_alive:
            self.transport.close()
        self.on_answered()

    # Ends

    def connection_lost(self, exc: Exception | None) -> None:
        # Who sends another request before the answer has only that one's cycle told by uvicorn.
        if self._whole is not None:
            self._whole.disconnected = True
            self._whole = None
        self._heads.clear()
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """What comes next has time of its own; what is left of a connection that is closed has still to be read."""
        super().resume_writing()
        self._stop_watching()
        if self.transport.is_closing() and (unread := self.transport.get_write_buffer_size()):
            self._watch(unread)

    def _watch(self, unread: int) -> None:
        patience = self.config.timeout_keep_alive if self.graphql is None else self.graphql.transport.options.send_timeout_sec
        self._unread = self.loop.call_later(patience, self._look, unread)

    def _look(self, unread: int) -> None:
        """Parts with a client that has read nothing of its answer all the while, as with one at a socket: a transport that is closed
        waits for it for ever."""
        self._unread = None
        left = self.transport.get_write_buffer_size()
        if self.transport.get_protocol() is not self or not left:
            return
        if left >= unread:
            self.transport.abort()
        else:
            self._watch(left)

    def _stop_watching(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

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
            if self._unread is None and (unread := self.transport.get_write_buffer_size()):
                self._watch(unread)
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
    """How a call that came whole stands: the attributes of uvicorn's `RequestResponseCycle` that its connection looks at. It knows
    nothing of the connection, so that nothing is left for the collector of cycles."""

    __slots__ = ("disconnected", "keep_alive", "response_complete", "task")
    message_event = _Nobody()
    task: asyncio.Task[None] | None

    def __init__(self) -> None:
        self.task = None
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False


def _rendered(cycle: WholeCycle, status: int, headers: RawHeaders, content: bytes) -> bytes:
    """The way of uvicorn: it adds `connection: close` where the connection will be closed and no header says so."""
    if (b"connection", b"close") in headers:
        cycle.keep_alive = False
    elif not cycle.keep_alive:
        headers.append((b"connection", b"close"))
    return b"%b%b\r\n%b" % (STATUS_LINE[status], _lines(headers), content)


@lru_cache(maxsize=8)
def _ending(media_type: str | None) -> bytes:
    """What stands in the head of an answer between its length and the id of the request."""
    kind = [header for header in Answer(200, b"", media_type).headers if header[0] != b"content-length"]
    return b"\r\n" + _lines(kind) + b"x-request-id: "


def _lines(headers: RawHeaders) -> bytes:
    return b"".join([part for name, value in headers for part in (name, b": ", value, b"\r\n")])


_FAILED = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21"), (b"connection", b"close")]
"""How uvicorn says that an application failed."""
