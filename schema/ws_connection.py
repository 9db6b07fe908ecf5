"""graphql-transport-ws, rule by rule: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextvars import Context, copy_context
from typing import Any

import structlog

from app.errors import BadInputError, FieldError, FleetbeatError, RateLimitedError
from schema.compiled.operations import Call
from schema.json_body import UnsafeJsonError, decode, encode
from schema.transport import Served
from schema.ws_admission import Admission, Handshake, break_off
from schema.ws_messages import BadMessageError, check, subscribing
from schema.ws_operation import Operation
from schema.ws_socket import RESTART, OpenSocket, SocketGoneError

_CLEAN_UP_SEC = 10.0
_MOST_WAITING = 32
"""Messages of one client that wait for those before them; it is read no further then."""

_LONG = 65_536
"""A message that waits alone."""

log = structlog.get_logger(__name__)


class Connection:
    """One client: who it is, what it runs, and the end of all that with it.

    Messages are read by a task that ends with the last of them, so that a client that says nothing costs none.
    """

    __slots__ = ("_context", "_inbox", "_reading", "_tasks", "admission", "gone", "operations", "socket", "view")

    def __init__(self, view: Served, socket: OpenSocket, handshake: Handshake) -> None:
        self.view = view
        self.socket = socket
        self.admission = Admission(socket, view.transport, handshake)
        self.operations: dict[str, Operation] = {}
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is left of the connection: every generator's `finally` has run."""
        # The ids of the request go with everything that is done for it.
        self._context = copy_context()
        self._inbox: list[str | None] = []
        self._reading = False
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        self.view.sockets[self.gone] = self
        if self.view.draining:
            self.socket.close(*RESTART)
        else:
            self.admission.await_initialisation()

    async def leave(self, code: int, reason: str) -> None:
        self.socket.close(code, reason)

    async def send(self, message: Mapping[str, object]) -> None:
        """Raises SocketGoneError."""
        await self.send_text(encode(message))

    async def send_text(self, text: bytes) -> None:
        await self.socket.send(text, self.view.transport.options.send_timeout_sec)

    # What the socket says

    def hear(self, text: str | None) -> None:
        self._inbox.append(text)
        if not self._reading:
            self._reading = True
            # It is who the client is that the reading finds out, and all that follows has it in its context.
            self._start(self._read_all(), self._context)
        if len(self._inbox) >= _MOST_WAITING or (text is not None and len(text) > _LONG):
            self.socket.hold()

    def lose(self) -> None:
        self.admission.end()
        for operation in list(self.operations.values()):
            self.end(operation)
        if self._tasks:
            self.socket.spawn(self._clean_up(), self._context)
        else:
            self._be_gone()

    async def _clean_up(self) -> None:
        # They may have ended before this had its turn.
        if running := list(self._tasks):
            _, hanging = await asyncio.wait(running, timeout=_CLEAN_UP_SEC)
            if hanging:
                log.error("operations do not end", count=len(hanging))
        self._be_gone()

    def _be_gone(self) -> None:
        del self.view.sockets[self.gone]
        self.gone.set_result(None)

    # Messages

    async def _read_all(self) -> None:
        try:
            while self._inbox and not self.socket.gone:
                texts, self._inbox = self._inbox, []
                for text in texts:
                    await self._receive(text)
                self.socket.go_on()
        except SocketGoneError:
            pass
        except Exception as error:  # noqa: BLE001
            break_off(self.socket, self.view.transport, error)
        finally:
            self._reading = False

    async def _receive(self, text: str | None) -> None:
        if self.socket.gone:
            return
        try:
            if text is None:
                self.socket.close(4400, "Message must be text")
            else:
                await self._read(text)
        except BadInputError as error:
            self.socket.close(4400, f"Message must be JSON: {error.message}")
        except BadMessageError as error:
            self.socket.close(4400, str(error))

    async def _read(self, text: str) -> None:
        try:
            if (found := self._compiled_call(text)) is not None:
                await self._subscribe(Operation(self, found[0], ""), found[1])
            else:
                await self._dispatch(check(decode(text)))
        except UnsafeJsonError as error:
            await self._refuse_unsafe(error)

    async def _dispatch(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self.admission.initialise(message)
            case "ping":
                payload = message.get("payload")
                await self.send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
            case "subscribe":
                await self._subscribe(Operation.asked(self, message))
            case "complete" if (operation := self.operations.get(message["id"])) is not None:
                self.end(operation)

    def _compiled_call(self, text: str) -> tuple[str, Call] | None:
        """The id and the call of a frame that subscribes to an operation that is compiled."""
        compiled = self.view.compiled
        frame = None if compiled is None else subscribing(text)
        if compiled is None or frame is None or (call := compiled.call(frame.payload)) is None:
            return None
        return frame.id, call

    async def _refuse_unsafe(self, error: UnsafeJsonError) -> None:
        """NaN in the variables of one operation is no reason to end the others."""
        message = check(error.lenient)
        if message["type"] != "subscribe":
            self.socket.close(4400, f"Message must be JSON: {error.message}")
        elif self._may_subscribe(message["id"]):
            fields = [FieldError(field.path.removeprefix("payload."), field.message) for field in error.fields]
            await self._send_error(message["id"], BadInputError(fields))

    # Operations

    async def _subscribe(self, operation: Operation, call: Call | None = None) -> None:
        if not self._may_subscribe(operation.id):
            return
        most = self.view.transport.options.max_operations
        if len(self.operations) >= most:
            error = RateLimitedError(f"A connection runs at most {most} operations at once", 1)
            await self._send_error(operation.id, error)
            return
        self.operations[operation.id] = operation
        self.run(operation, operation.run() if call is None else operation.run_compiled(call))
        # It has begun before the next message is read: a client that hears an answer to that misses nothing of this.
        await asyncio.sleep(0)

    def run(self, operation: Operation, work: Coroutine[Any, Any, None]) -> None:
        operation.task = self._start(work, self._context.copy())

    def end(self, operation: Operation) -> None:
        """It says nothing more, and its id may be used again."""
        self.forget(operation)
        operation.end()

    def forget(self, operation: Operation) -> None:
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]

    def _may_subscribe(self, operation_id: str) -> bool:
        if not self.admission.acknowledged:
            self.socket.close(4401, "Unauthorized")
        elif operation_id in self.operations:
            self.socket.close(4409, f"Subscriber for {operation_id} already exists")
        else:
            return True
        return False

    async def _send_error(self, operation_id: str, error: FleetbeatError) -> None:
        await self.send(
            {"id": operation_id, "type": "error", "payload": [self.view.transport.presenter.present_exception(error)]}
        )

    def _start(self, work: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        task = self.socket.spawn(work, context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
