"""One answer for all who ask the same: executed and encoded once, with each subscriber's own id in front of the shared bytes."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from strawberry.types import ExecutionResult
from strawberry.utils.aio import aclosing

from app.realtime.audience import Audience
from app.realtime.hub import Hub
from schema.context import OperationContext
from schema.json_body import encode
from schema.question import Question
from schema.ws_frames import text_frame
from schema.ws_socket import OpenSocket

BREATH_EVERY = 256
"""After so many sockets others have their turn."""

MOST_TOGETHER = 64
MOST_BYTES_TOGETHER = 32_768
"""What is written at once, half of what a socket may hold before it counts as slow; the stream reads no further until it is."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """What it takes to run an operation once for many: `make_context` gives it loaders of its own."""

    schema: Any
    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    make_context: Callable[[], Any]
    present: Callable[..., Any]


class Listener:
    """A subscriber as the shared stream sees it. While it reads by itself, it looks for the moment to sit down."""

    __slots__ = ("_head", "_left", "_news", "_socket", "_stream", "cursor", "risen", "sat", "when_risen")
    subscribers = 1

    def __init__(self, stream: "SharedStream", socket: OpenSocket, operation_id: str) -> None:
        self._stream = stream
        self._socket = socket
        self._head = b'{"id":' + encode(operation_id) + b',"type":"next","payload":'
        self._news: asyncio.Event | None = None
        self._left = False
        self.sat = False
        self.risen = False
        """It has to go on by itself, from `cursor`; without one everything is over."""
        self.cursor: str | None = None
        self.when_risen: Callable[[], None] | None = None
        """Called once, when it rises."""

    @property
    def query(self) -> str:
        return self._stream.query

    def at_head(self, positions: Mapping[int, int], news: asyncio.Event) -> bool:
        """Whoever comes here has a question that is sound, and has had everything."""
        self._news = news
        self._stream.start()
        return not self._left and self._stream.audience.join(self, news)

    def leaving_head(self) -> None:
        """Nobody else hears of it."""

    def telling(self, positions: Mapping[int, int]) -> None:
        """Nobody else hears of it."""

    def sit(self) -> None:
        self.sat, self._news = True, None
        self._stream.count(1)

    def hear(self, payloads: Sequence[bytes], frames: dict[bytes, bytes]) -> bool:
        """False where the client does not read, or is gone. Clients that chose the same id share even the frames."""
        written = frames.get(self._head)
        if written is None:
            written = frames[self._head] = b"".join([text_frame(self._head + payload + b"}") for payload in payloads])
        return self._socket.write(written)

    def rise(self, cursor: str | None) -> None:
        self._stream.count(-1)
        self.cursor, self.risen = cursor, True
        if self.when_risen is not None:
            self.when_risen()

    def leave(self) -> None:
        """Nothing more is sent to it. May be said twice."""
        if not self._left:
            self._left = True
            if self.sat and not self.risen:
                self._stream.count(-1)
            self._stream.leave(self, self._news)


class SharedStream:
    """One question, with those who ask it. It is run when the first of them has caught up, and ends with the last."""

    def __init__(self, opening: Opening, end: Callable[["SharedStream"], None]) -> None:
        self.audience: Audience[Listener] = Audience()
        self._opening = opening
        self._end = end
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._hub: Hub | None = None
        self._payloads: list[bytes] = []
        self._bytes = 0
        self._telling: asyncio.Task[None] | None = None

    @property
    def query(self) -> str:
        return self._opening.query

    def listener(self, socket: OpenSocket, operation_id: str) -> Listener:
        self._listeners += 1
        return Listener(self, socket, operation_id)

    def count(self, seats: int) -> None:
        """Those who sit are subscribers as much as those who read by themselves."""
        assert self._hub is not None
        self._hub.subscribers += seats

    def leave(self, listener: Listener, news: asyncio.Event | None) -> None:
        self.audience.leave(listener, news)
        self._listeners -= 1
        if not self._listeners:
            self._end(self)
            if self._task is not None:
                self._task.cancel()

    def start(self) -> None:
        """In a context of its own: it is nobody's request, and must not be logged as that of who came first."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="shared_stream", context=contextvars.Context())

    async def _run(self) -> None:
        asked = self._opening
        context: OperationContext = asked.make_context()
        context.post, self._hub = self.audience, context.hub
        over = False
        try:
            results = await asked.schema.stream(
                asked.query,
                variable_values=dict(asked.variables),
                context_value=context,
                operation_name=asked.operation_name,
            )
            async with aclosing(results):
                async for result in results:
                    await self._put(_payload(result, asked.present))
            over = context.hub.is_stopping()
        except Exception as error:  # noqa: BLE001 - each goes on by itself, and is told what is wrong
            _log.warning("shared_stream.ended", error=type(error).__name__)
        finally:
            self._end(self)
            if self._telling is not None:
                await asyncio.wait([self._telling])
            for listener in list(self.audience.seats):
                self._dismiss(listener, over=over)

    async def _put(self, payload: bytes) -> None:
        """What is answered without waiting for anything between goes out together, in one write for each socket."""
        self._payloads.append(payload)
        self._bytes += len(payload)
        self.audience.answered()
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="shared_telling")
        if len(self._payloads) >= MOST_TOGETHER or self._bytes >= MOST_BYTES_TOGETHER:
            await self._telling

    async def _tell(self) -> None:
        try:
            while self._payloads:
                payloads, self._payloads, self._bytes = self._payloads, [], 0
                await self._tell_seats(payloads)
        except Exception:  # noqa: BLE001 - some were told and some were not: rather twice than never
            _log.exception("shared_stream.telling_failed")
            for listener in list(self.audience.seats):
                self._dismiss(listener, over=False)
        finally:
            self._telling = None

    async def _tell_seats(self, payloads: Sequence[bytes]) -> None:
        self.audience.begins()
        frames: dict[bytes, bytes] = {}
        for count, listener in enumerate(list(self.audience.seats), start=1):
            # Who left while others had their turn is told nothing more.
            if listener in self.audience.seats and not listener.hear(payloads, frames):
                # Slow, or gone: it goes on by itself from what it had, and is closed there if it does not read.
                self._dismiss(listener, over=False)
            if count % BREATH_EVERY == 0:
                await asyncio.sleep(0)
        self.audience.has_told()

    def _dismiss(self, listener: Listener, *, over: bool) -> None:
        self.audience.leave(listener)
        listener.rise(None if over or self._hub is None else self._hub.cursor_at(self.audience.told))


class SharedStreams:
    """Those of a process, by their question."""

    def __init__(self) -> None:
        self._streams: dict[Question, SharedStream] = {}

    def of(self, question: Question, opening: Opening) -> SharedStream:
        stream = self._streams.get(question)
        if stream is None:
            stream = self._streams[question] = SharedStream(opening, partial(self._forget, question))
        return stream

    def __len__(self) -> int:
        return len(self._streams)

    def _forget(self, question: Question, stream: SharedStream) -> None:
        if self._streams.get(question) is stream:
            del self._streams[question]


def _payload(result: ExecutionResult, present: Callable[..., Any]) -> bytes:
    said: dict[str, Any] = {"data": result.data}
    if result.errors:
        said["errors"] = present(result.errors)
    return encode(said)
