"""graphql-transport-ws, rule by rule: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocket
from strawberry.http.exceptions import NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types import ExecutionResult
from strawberry.utils.aio import aclosing

from app.errors import BadInputError, FieldError, FleetbeatError, RateLimitedError, RetryLaterError, UnauthenticatedError
from schema.compiled.operations import Call
from schema.context import OperationContext
from schema.engine import FleetbeatSchema
from schema.json_body import UnsafeJsonError, decode, encode, encode_text
from schema.persisted import text_of
from schema.question import question_of, without_beginning
from schema.shared_stream import Listener, Opening
from schema.transport import Expiring, Served, Transport, address_of, authorization_of
from schema.websocket import StrictWebSocket
from schema.ws_messages import BadMessageError, check, subscribing

_DAY_SEC = 86_400.0
_CLEAN_UP_SEC = 10.0

log = structlog.get_logger(__name__)


class TransportWSHandler(BaseGraphQLTransportWSHandler[object, None]):
    """One connection: who it is, what it runs, and the end of all that with it."""

    def __init__(self, view: Served, websocket: StrictWebSocket, context: WebSocket, **strawberry: Any) -> None:
        super().__init__(view=cast(Any, view), websocket=websocket, context=context, **strawberry)
        self._view = view
        self._transport: Transport = view.transport
        self._socket = websocket
        self._connection = context
        self._principal: Expiring | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._init_deadline = 0.0
        self._listeners: dict[Operation[object, None], Listener] = {}

    async def handle(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._view.sockets[task] = self
        self._init_deadline = asyncio.get_running_loop().time() + self.connection_init_wait_timeout.total_seconds()
        self.on_request_accepted()
        try:
            if self._view.draining:
                await self.leave(1012, "Service restart")
            async for text in self._socket.iter_text():
                await self._receive(text)
        except NonTextMessageReceived:
            await self.leave(4400, "Message must be text")
        except WebSocketDisconnected:
            pass
        except Exception as error:  # noqa: BLE001
            await self._leave_broken(error)
        finally:
            del self._view.sockets[task]
            await self.shutdown()

    async def leave(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason)

    async def shutdown(self) -> None:
        """Nothing of the connection is left behind: every generator's `finally` has run."""
        if self._expiry is not None:
            self._expiry.cancel()
        if self.connection_init_timeout_task is not None:
            self.connection_init_timeout_task.cancel()
        for operation_id in list(self.operations):
            await self.cleanup_operation(operation_id)
        if self._tasks:
            _, hanging = await asyncio.wait(self._tasks, timeout=_CLEAN_UP_SEC)
            if hanging:
                log.error("operations do not end", count=len(hanging))

    async def _receive(self, text: str) -> None:
        try:
            await self._read(text)
        except BadInputError as error:
            await self.leave(4400, f"Message must be JSON: {error.message}")
        except BadMessageError as error:
            await self.leave(4400, str(error))

    async def _read(self, text: str) -> None:
        try:
            if (found := self._compiled_call(text)) is not None:
                await self._subscribe_compiled(*found)
            else:
                await self._dispatch(check(decode(text)))
        except UnsafeJsonError as error:
            await self._refuse_unsafe(error)

    async def _dispatch(self, message: Any) -> None:
        match message["type"]:
            case "connection_init":
                await self.handle_connection_init(message)
            case "ping":
                await self.handle_ping(message)
            case "subscribe":
                await self.handle_subscribe(message)
            case "complete":
                await self.handle_complete(message)

    def _compiled_call(self, text: str) -> tuple[str, Call] | None:
        """The id and the call of a frame that subscribes to an operation that is compiled."""
        compiled = self._view.compiled
        frame = None if compiled is None else subscribing(text)
        if compiled is None or frame is None or (call := compiled.call(frame.payload)) is None:
            return None
        return frame.id, call

    async def _refuse_unsafe(self, error: UnsafeJsonError) -> None:
        """NaN in the variables of one operation is no reason to end the others."""
        message = check(error.lenient)
        if message["type"] != "subscribe":
            await self.leave(4400, f"Message must be JSON: {error.message}")
        elif await self._may_subscribe(message["id"]):
            fields = [FieldError(field.path.removeprefix("payload."), field.message) for field in error.fields]
            await self._send_error(message["id"], BadInputError(fields))

    # Initialisation

    async def handle_connection_init(self, message: Any) -> None:
        if self.connection_init_received:
            await self.leave(4429, "Too many initialisation requests")
            return
        self.connection_init_received = True
        try:
            async with asyncio.timeout_at(self._init_deadline):
                self._principal = await self._authenticate(message.get("payload") or {})
        except TimeoutError:
            await self.leave(4408, "Connection initialisation timeout")
            return
        except Exception as error:  # noqa: BLE001
            await self._turn_away(error)
            return
        if self.connection_init_timeout_task is not None:
            self.connection_init_timeout_task.cancel()
        self._watch_expiry()
        self.connection_acknowledged = True
        await self.send_message({"type": "connection_ack"})

    async def _authenticate(self, payload: dict[str, Any]) -> Expiring:
        authorization = payload.get("authorization", payload.get("Authorization"))
        if authorization is None:
            authorization = authorization_of(self._connection)
        elif not isinstance(authorization, str):
            raise UnauthenticatedError("authorization must be a string")
        return await self._transport.seams.authenticate(authorization, address_of(self._connection))

    async def _turn_away(self, error: Exception) -> None:
        known = self._transport.presenter.known(error)
        if isinstance(known, RetryLaterError):
            await self.leave(1013, f"Try again later: {known.message}")
        elif known is not None:
            await self.leave(4403, f"Forbidden: {known.message}")
        else:
            await self._leave_broken(error)

    async def _leave_broken(self, error: BaseException) -> None:
        masked = self._transport.presenter.masked(error)
        await self.leave(4500, f"{masked.message} {masked.id}")

    def _watch_expiry(self) -> None:
        expires_at = self._principal.expires_at if self._principal is not None else None
        if expires_at is None:
            return
        left_sec = (expires_at - self._transport.seams.now()).total_seconds()
        if left_sec <= 0:
            self._spawn(self.leave(4403, "Token expired"))
        else:
            # The clock may be corrected meanwhile, so the timer asks again, and at least once a day.
            self._expiry = asyncio.get_running_loop().call_later(min(left_sec, _DAY_SEC), self._watch_expiry)

    # Operations

    async def handle_ping(self, message: Any) -> None:
        payload = message.get("payload")
        await self.send_message({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def handle_subscribe(self, message: Any) -> None:
        operation_id = message["id"]
        if not await self._has_room(operation_id):
            return
        payload = message["payload"]
        operation = Operation(self, operation_id, payload["query"], payload.get("variables"), payload.get("operationName"))
        self.operations[operation_id] = operation
        operation.task = self._spawn(self.run_operation(operation, payload.get("extensions")))

    async def _subscribe_compiled(self, operation_id: str, call: Call) -> None:
        if await self._has_room(operation_id):
            operation = Operation(self, operation_id, "", None, None)
            self.operations[operation_id] = operation
            operation.task = self._spawn(self._run_compiled(operation, call))

    async def _run_compiled(self, operation: Operation[object, None], call: Call) -> None:
        assert self._view.compiled is not None
        try:
            try:
                payload = b'{"data":%b}' % await call.run(self._view.compiled.context, cast(Any, self._principal))
            except GraphQLError as error:
                payload = encode({"data": None, "errors": self._transport.presenter.present_all([error])})
            if not operation.completed:
                await self._socket.send_text(f'{{"id":{encode_text(operation.id)},"type":"next","payload":{payload.decode()}}}')
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            pass
        except Exception as error:  # noqa: BLE001
            await self._send_failure(operation, error)
        finally:
            if self.operations.get(operation.id) is operation:
                del self.operations[operation.id]

    async def _has_room(self, operation_id: str) -> bool:
        if not await self._may_subscribe(operation_id):
            return False
        most = self.max_subscriptions_per_connection
        if most is None or len(self.operations) < most:
            return True
        await self._send_error(operation_id, RateLimitedError(f"A connection runs at most {most} operations at once", 1))
        return False

    async def _may_subscribe(self, operation_id: str) -> bool:
        if not self.connection_acknowledged:
            await self.leave(4401, "Unauthorized")
        elif operation_id in self.operations:
            await self.leave(4409, f"Subscriber for {operation_id} already exists")
        else:
            return True
        return False

    async def run_operation(self, operation: Operation[object, None], extensions: dict[str, Any] | None = None) -> None:
        try:
            cursor: str | None = None
            while True:
                context: object = self._new_context()
                listener = None if extensions else self._listen(operation, context, cursor)
                if not await self._answer(operation, context, extensions):
                    return
                if listener is None or not listener.sat:
                    break
                # From here on others' work is sent to this socket; this task only waits until that ends, and holds nothing else.
                hub, context = cast(OperationContext, context).hub, None
                with hub.subscribed():
                    await listener.rose.wait()
                if (cursor := listener.cursor) is None:
                    break
                listener.leave()
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except WebSocketDisconnected:
            pass
        except Exception as error:  # noqa: BLE001
            await self._send_failure(operation, error)
        finally:
            self._stop_listening(operation)
            if self.operations.get(operation.id) is operation:
                del self.operations[operation.id]

    async def _answer(self, operation: Operation[object, None], context: object, extensions: dict[str, Any] | None) -> bool:
        """Sends what an operation answers; False where it came to its end."""
        schema = cast(FleetbeatSchema, self.schema)
        results = await cast(Any, schema).stream(
            text_of(operation.query, extensions, schema.known),
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.operation_name,
            operation_extensions=extensions,
        )
        async with aclosing(results):
            async for result in results:
                await self._send_result(operation, result)
                if operation.completed:
                    return False
        return True

    def _new_context(self) -> object:
        return self._transport.seams.make_context(self._principal)

    def _listen(self, operation: Operation[object, None], context: object, cursor: str | None) -> Listener | None:
        """The place of this subscriber among those who ask the same; None where it asks alone."""
        protocol = self._socket.protocol
        if protocol is None or not isinstance(context, OperationContext):
            return None
        query, name, variables = operation.query, operation.operation_name, operation.variables
        question = question_of(query, name, variables, context.principal)
        if question is None:
            return None
        opening = Opening(
            schema=self.schema,
            query=query,
            operation_name=name,
            variables=without_beginning(query, name, variables),
            make_context=cast(Callable[[], OperationContext], self._new_context),
            present=self._transport.presenter.present_all,
        )
        listener = self._view.streams.of(question, opening).listener(protocol, operation.id)
        context.post, context.resume_from = listener, cursor
        self._listeners[operation] = listener
        return listener

    def _stop_listening(self, operation: Operation[object, None]) -> None:
        listener = self._listeners.pop(operation, None)
        if listener is not None:
            listener.leave()

    async def _send_result(self, operation: Operation[object, None], result: ExecutionResult) -> None:
        errors = self._transport.presenter.present_all(result.errors) if result.errors else []
        if errors and result.data is None and all(error.path is None for error in cast(list[GraphQLError], result.errors)):
            # Nothing was executed, or the source of the stream broke: either way there is nothing to come.
            await operation.send_operation_message({"id": operation.id, "type": "error", "payload": cast(Any, errors)})
            return
        payload: dict[str, Any] = {"data": result.data}
        if errors:
            payload["errors"] = errors
        await operation.send_operation_message({"id": operation.id, "type": "next", "payload": cast(Any, payload)})

    async def _send_failure(self, operation: Operation[object, None], error: Exception) -> None:
        payload = [self._transport.presenter.present_exception(error)]
        try:
            await operation.send_operation_message({"id": operation.id, "type": "error", "payload": cast(Any, payload)})
        except WebSocketDisconnected:
            return

    async def _send_error(self, operation_id: str, error: FleetbeatError) -> None:
        payload = [self._transport.presenter.present_exception(error)]
        await self.send_message({"id": operation_id, "type": "error", "payload": cast(Any, payload)})

    async def cleanup_operation(self, operation_id: str) -> None:
        operation = self.operations.pop(operation_id, None)
        if operation is not None:
            # The id may be used again at once; what the old one still sends must not reach the new one.
            operation.completed = True
            self._stop_listening(operation)
            assert operation.task is not None
            operation.task.cancel()

    def forget_id(self, id: str) -> None:  # noqa: A002
        self.operations.pop(id, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
