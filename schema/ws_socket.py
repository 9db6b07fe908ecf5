"""An open WebSocket after its handshake: text in, frames out, no task and no timer of its own, and no waiting for who does not read."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Final, Protocol, cast

from uvicorn.server import ServerState

from schema.ws_frames import PING, text_frame
from schema.ws_pulse import Pulse
from schema.ws_reader import Reader, Said

SLOW: Final = (1013, "The client does not read")
RESTART: Final = (1012, "Service restart")
_GRACE_SEC = 5.0
"""For a client to read on, and so to learn why it is sent away."""

_ECHO_SEC = 10.0
"""For a client that reads to answer a close with its own."""


class SocketGoneError(Exception):
    """Nothing can be sent any more."""


class Owner(Protocol):
    """Who speaks through a socket. Neither call may block."""

    def hear(self, text: str | None) -> None:
        """A message came; None is one that is no text."""
        ...

    def lose(self) -> None:
        """The socket is over. Said once, and not from within a call to the socket."""
        ...


class OpenSocket(asyncio.Protocol):
    """What is left of a connection once it is a WebSocket."""

    __slots__ = (
        "_closing",
        "_drained",
        "_lost",
        "_owner",
        "_pulse",
        "_reader",
        "_server",
        "_timer",
        "_transport",
        "_unanswered",
        "_writable",
        "turn",
    )

    def __init__(self, transport: asyncio.Transport, server: ServerState, pulse: Pulse | None, max_size: int) -> None:
        self._transport = transport
        self._server = server
        self._pulse = pulse
        self._reader = Reader(max_size)
        self._owner: Owner | None = None
        self._writable = True
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._closing = False
        self._lost = False
        self.turn = 0

    def open(self, owner: Owner) -> None:
        """Takes the transport over from whoever shook hands."""
        self._owner = owner
        self._server.connections.add(cast(Any, self))
        self._transport.set_protocol(self)
        if self._pulse is not None:
            self._pulse.join(self)

    # What an owner does

    @property
    def reads(self) -> bool:
        """Whether the client takes what is sent to it."""
        return self._writable

    @property
    def gone(self) -> bool:
        return self._closing

    def write(self, frames: bytes) -> bool:
        """Writes whole frames that were made elsewhere; False where the client does not read, or is gone."""
        if self._closing or not self._writable or self._transport.is_closing():
            return False
        self._transport.write(frames)
        return True

    async def send(self, text: bytes, patience: float) -> None:
        """Sends a message. A client that does not read for `patience` seconds is sent away. Raises SocketGoneError."""
        if not self._writable and not self._closing:
            try:
                async with asyncio.timeout(patience):
                    await self._drain()
            except TimeoutError:
                self.close(*SLOW)
        if not self.write(text_frame(text)):
            raise SocketGoneError

    def close(self, code: int, reason: str) -> None:
        """Says why, and ends. Who reads may answer first; who does not is not waited for."""
        if self._closing:
            return
        self._reader.close(code, reason)
        self._flush()
        self._end(_ECHO_SEC if self._writable else 0)

    def shutdown(self) -> None:
        """Of the server: it waits for nobody's answer."""
        if self._closing:
            self._part()
        else:
            self._reader.close(*RESTART)
            self._flush()
            self._end(0)

    def hold(self) -> None:
        """Reads no more until `go_on`: what came is not done with."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def spawn(self, work: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        """A task that a server which stops waits for."""
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)
        return task

    # What a transport says

    def data_received(self, data: bytes) -> None:
        for said in self._reader.read(data):
            self._take(said)
        answers = self._reader.answers()
        # Who asks and asks without reading is owed no pongs: they would pile up here.
        if answers and (self._writable or self._reader.broken) and not self._transport.is_closing():
            self._transport.write(answers)
        if self._reader.broken and not self._closing:
            self._end(0)

    def eof_received(self) -> None:
        """The transport closes itself."""

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._server.connections.discard(cast(Any, self))
        self._reader.end()
        self._over()

    def beat(self, patience: int) -> None:
        if self._closing:
            return
        if self._unanswered >= patience:
            self._reader.fail(1011, "keepalive ping timeout")
            self._flush()
            self._over()
            # A buffer that nobody reads would keep it open for ever.
            self._transport.abort()
            return
        if not self._unanswered:
            self.write(PING)
        self._unanswered += 1

    def _take(self, said: str | Said) -> None:
        if said is Said.PONG:
            self._unanswered = 0
        elif said is Said.CLOSE:
            self._flush()
            self._part() if self._closing else self._end(0)
        elif self._closing:
            return
        elif said is Said.GARBLED:
            self.close(1007, "")
        else:
            assert self._owner is not None
            self._owner.hear(None if said is Said.BINARY else said)

    def _flush(self) -> None:
        data = self._reader.answers()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    # Ends

    async def _drain(self) -> None:
        while not self._writable and not self._closing:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            # Others wait for the same.
            await asyncio.shield(self._drained)

    def _wake(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.set_result(None)

    def _end(self, wait: float) -> None:
        """A close was said. Parts with the client after `wait` seconds at the latest."""
        self._over()
        if wait:
            self._timer = asyncio.get_running_loop().call_later(wait, self._part)
        else:
            self._part()

    def _part(self) -> None:
        """Closes when the buffer is empty, and for good after the grace."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()
        self._timer = asyncio.get_running_loop().call_later(_GRACE_SEC, self._transport.abort)

    def _over(self) -> None:
        self._closing = True
        if self._lost:
            return
        self._lost = True
        if self._pulse is not None:
            self._pulse.leave(self)
        self._wake()
        owner, self._owner = self._owner, None
        if owner is not None:
            asyncio.get_running_loop().call_soon(owner.lose)
