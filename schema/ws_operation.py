"""One operation of a connection: a query, a mutation or a subscription, from its frame to its last word."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from graphql import GraphQLError
from strawberry.types import ExecutionResult
from strawberry.utils.aio import aclosing

from app.realtime.audience import ALONE
from schema.compiled.operations import Call
from schema.context import OperationContext
from schema.json_body import encode
from schema.persisted import text_of
from schema.question import question_of, without_beginning
from schema.shared_stream import Listener, Opening
from schema.ws_socket import SocketGoneError

if TYPE_CHECKING:
    from schema.ws_connection import Connection


class Operation:
    """Answers by itself, or takes a seat where others' work is sent to its socket; then it has no task."""

    __slots__ = ("_completed", "_connection", "_extensions", "_listener", "_name", "_query", "_variables", "id", "task")

    def __init__(self, connection: "Connection", operation_id: str, query: str) -> None:
        self.id = operation_id
        self.task: asyncio.Task[None] | None = None
        self._connection = connection
        self._query = query
        self._variables: dict[str, Any] | None = None
        self._name: str | None = None
        self._extensions: dict[str, Any] | None = None
        self._listener: Listener | None = None
        self._completed = False

    @classmethod
    def asked(cls, connection: "Connection", message: dict[str, Any]) -> "Operation":
        payload = message["payload"]
        operation = cls(connection, message["id"], payload["query"])
        operation._variables = payload.get("variables")
        operation._name = payload.get("operationName")
        operation._extensions = payload.get("extensions")
        return operation

    async def run_compiled(self, call: Call) -> None:
        view = self._connection.view
        assert view.compiled is not None
        try:
            try:
                principal: Any = self._connection.admission.principal
                payload = b'{"data":%b}' % await call.run(view.compiled.context, principal)
            except GraphQLError as error:
                payload = encode({"data": None, "errors": view.transport.presenter.present_all([error])})
            await self._say_next(payload)
            await self._say_last("complete")
        except SocketGoneError:
            pass
        except Exception as error:  # noqa: BLE001
            await self._fail(error)
        finally:
            self._connection.forget(self)

    async def run(self) -> None:
        """Also when it has to leave its seat, to go on from there by itself."""
        seated = False
        try:
            while self._listener is None or self._listener.cursor is not None:
                if not await self._answer(self._stand_up()):
                    return
                if self._listener is None or not self._listener.sat:
                    break
                if not self._listener.risen:
                    seated = True
                    self._sit(self._listener)
                    return
            await self._say_last("complete")
        except SocketGoneError:
            pass
        except Exception as error:  # noqa: BLE001
            await self._fail(error)
        finally:
            if not seated:
                self._stand_up()
                self._connection.forget(self)

    def end(self) -> None:
        # The id may be used again at once; what the old one still sends must not reach the new one.
        self._completed = True
        self._stand_up()
        if self.task is not None:
            self.task.cancel()

    # Among others

    def _listen(self, query: str, context: object, cursor: str | None) -> None:
        """Looks for those who ask the same, where there may be such."""
        if not isinstance(context, OperationContext):
            return
        question = question_of(query, self._name, self._variables, context.principal)
        if question is None:
            return
        view = self._connection.view
        opening = Opening(
            schema=view.schema,
            query=query,
            operation_name=self._name,
            variables=without_beginning(query, self._name, self._variables),
            # Not a method of ours: the stream may live longer than this connection.
            make_context=partial(view.transport.seams.make_context, self._connection.admission.principal),
            present=view.transport.presenter.present_all,
        )
        self._listener = view.streams.of(question, opening).listener(self._connection.socket, self.id)
        context.post, context.resume_from = self._listener, cursor

    def _sit(self, listener: Listener) -> None:
        """From here on others' work is sent to the socket; nothing runs for this one until it has to stand up."""
        self.task = None
        # All who ask the same keep one text, also where it was asked for by its hash.
        self._query, self._extensions = listener.query, None
        listener.when_risen = self._go_on

    def _go_on(self) -> None:
        self._connection.run(self, self.run())

    def _stand_up(self) -> str | None:
        """The place in the stream that it had reached with the others."""
        listener, self._listener = self._listener, None
        if listener is None:
            return None
        listener.leave()
        return listener.cursor

    # Answers

    async def _answer(self, cursor: str | None) -> bool:
        """Sends what the operation answers; False where it came to its end."""
        schema = self._connection.view.schema
        context = self._new_context()
        query = text_of(self._query, self._extensions, schema.known)
        self._listen(query, context, cursor)
        results = await cast(Any, schema).stream(
            query,
            variable_values=self._variables,
            context_value=context,
            operation_name=self._name,
            operation_extensions=self._extensions,
        )
        try:
            async with aclosing(results):
                async for result in results:
                    await self._say(result)
                    if self._completed:
                        return False
            return True
        finally:
            if isinstance(context, OperationContext):
                # What executed it holds itself until the collector of cycles comes; it need not hold the connection.
                context.post = ALONE

    def _new_context(self) -> Any:
        return self._connection.view.transport.seams.make_context(self._connection.admission.principal)

    async def _say(self, result: ExecutionResult) -> None:
        errors = self._connection.view.transport.presenter.present_all(result.errors) if result.errors else []
        if errors and result.data is None and all(error.path is None for error in result.errors or ()):
            # Nothing was executed, or the source of the stream broke: either way there is nothing to come.
            await self._say_last("error", errors)
            return
        await self._say_next(encode({"data": result.data, "errors": errors} if errors else {"data": result.data}))

    async def _say_next(self, payload: bytes) -> None:
        if not self._completed:
            await self._connection.send_text(b'{"id":%b,"type":"next","payload":%b}' % (encode(self.id), payload))

    async def _say_last(self, kind: str, payload: object = None) -> None:
        if self._completed:
            return
        self._completed = True
        # The id is free before the client reads that it is.
        self._connection.forget(self)
        await self._connection.send({"id": self.id, "type": kind} | ({} if payload is None else {"payload": payload}))

    async def _fail(self, error: Exception) -> None:
        try:
            await self._say_last("error", [self._connection.view.transport.presenter.present_exception(error)])
        except SocketGoneError:
            return
