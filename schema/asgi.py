"""GraphQL at one address: queries and mutations over HTTP, everything over graphql-transport-ws."""

import asyncio
from collections.abc import Set
from datetime import timedelta
from typing import Any, Protocol

import msgspec
from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.errors import ErrorCode, FleetbeatError, NotFoundError, RetryLaterError, bad_field
from schema.compiled.operations import Call, CompiledOperations
from schema.engine import FleetbeatSchema
from schema.errors import ErrorPresenter
from schema.http_answer import Answer
from schema.http_request import (
    GRAPHQL_RESPONSE,
    JSON,
    Head,
    HttpRefusalError,
    OperationRequest,
    head_of,
    negotiate,
    operation_of_get,
    operation_of_post,
    read_body,
)
from schema.json_body import encode
from schema.persisted import text_of
from schema.shared_stream import SharedStreams
from schema.transport import Seams, Transport, TransportOptions
from schema.transport_ws import TransportWSHandler
from schema.websocket import StrictWebSocket
from schema.ws_connection import Connection

_STATUS = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.BAD_USER_INPUT: 400,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.TOO_COMPLEX: 400,
    ErrorCode.INTERNAL: 500,
}
_OVER_POST = {OperationType.QUERY, OperationType.MUTATION}
_OVER_GET = {OperationType.QUERY}
_DRAIN_SEC = 5.0


class Caller(Protocol):
    """The other end of a connection."""

    disconnected: bool


class WholeCall(msgspec.Struct, frozen=True, gc=False):
    """A POST that came whole: its head and body, the plan's call where there is a plan, in which form the answer is wanted, and who
    asks, where that is known without asking."""

    head: Head
    body: bytes
    call: Call | None
    media_type: str
    principal: Any


class FleetbeatGraphQL(GraphQL[object, None]):
    """Strawberry's ASGI application with our HTTP and our socket handler.

    GET is for queries alone: it is part of GraphQL over HTTP, and credentials travel in a header that no foreign page can set.
    """

    graphql_transport_ws_handler_class = TransportWSHandler
    websocket_adapter_class = StrictWebSocket  # type: ignore[assignment]

    schema: FleetbeatSchema

    def __init__(self, schema: FleetbeatSchema, transport: Transport) -> None:
        options = transport.options
        super().__init__(
            schema,
            graphql_ide="graphiql" if options.graphql_ide else None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=options.init_timeout_sec),
            max_subscriptions_per_connection=options.max_operations,
            allowed_origins=options.cors_origins,
        )
        self.transport = transport
        context = transport.seams.context
        self.compiled = None if context is None else CompiledOperations(schema, context)
        self.sockets: dict[asyncio.Future[None], Connection] = {}
        self.streams = SharedStreams()
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        answer = await self._answer(head_of(scope), scope, receive)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def drain(self) -> None:
        """Sends every socket away with 1012, to come back elsewhere; those that come in from now on as well."""
        self.draining = True
        handlers = dict(self.sockets)
        if handlers:
            await asyncio.gather(*(handler.leave(1012, "Service restart") for handler in handlers.values()))
            await asyncio.wait(handlers, timeout=_DRAIN_SEC)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> object:
        """Strawberry asks once for a socket; each operation gets a context of its own from the handler."""
        return request

    async def _answer(self, head: Head, scope: Scope, receive: Receive) -> Answer:
        media_type = JSON
        try:
            wants_page = self._wants_ide(head)
            media_type = JSON if wants_page else negotiate(head.get(b"accept"))
            if head.method not in ("GET", "POST"):
                raise HttpRefusalError(
                    405, bad_field("", "GraphQL is asked by POST, or by GET for queries"), {"allow": "GET, POST"}
                )
            if wants_page:
                return Answer(200, self.graphql_ide_html.encode(), "text/html")
            principal = await self.transport.seams.authenticate(head.authorization, head.address)
            if head.method == "GET":
                return await self._execute(principal, operation_of_get(head), media_type, _OVER_GET)
            body = await read_body(head, receive, self.transport.options.max_body_bytes)
            call = None if self.compiled is None else self.compiled.call(body)
            return await self._post(principal, body, call, media_type)
        except HttpRefusalError as refusal:
            return self._refuse(refusal, media_type)
        except ClientDisconnect:
            return Answer(400, b"", None)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001
            return self._failed(error, media_type)

    def whole_call(self, head: Head, body: bytes) -> WholeCall | None:
        """What a POST asks for; None where it is refused for its head or its length, which `__call__` does. Nothing has happened yet."""
        if len(body) > self.transport.options.max_body_bytes:
            return None
        media_type = head.media_type
        if media_type is None:
            return None
        recall = head.recall
        if recall is None:
            recall = head.recall = self.transport.seams.recalling(head.authorization, head.address)
        return WholeCall(head, body, None if self.compiled is None else self.compiled.call(body), media_type, recall())

    async def answer(self, whole: WholeCall, caller: Caller) -> Answer:
        """The answer that `__call__` would give. Who left before it was known who calls, has done nothing."""
        head, principal = whole.head, whole.principal
        try:
            if principal is None:
                principal = await self.transport.seams.authenticate(head.authorization, head.address)
            if caller.disconnected:
                raise ClientDisconnect
            return await self._post(principal, whole.body, whole.call, whole.media_type)
        except HttpRefusalError as refusal:
            return self._refuse(refusal, whole.media_type)
        except ClientDisconnect:
            return Answer(400, b"", None)
        except Exception as error:  # noqa: BLE001
            return self._failed(error, whole.media_type)

    def _failed(self, error: Exception, media_type: str) -> Answer:
        presenter = self.transport.presenter
        return self._refuse(_refusal_of(presenter.known(error) or presenter.masked(error)), media_type)

    def _wants_ide(self, head: Head) -> bool:
        if self.graphql_ide is None or head.method != "GET":
            return False
        return "text/html" in (head.get(b"accept") or "") and "query" not in head.query_params

    async def _post(self, principal: Any, body: bytes, call: Call | None, media_type: str) -> Answer:
        if call is None or self.compiled is None:
            return await self._execute(principal, operation_of_post(body), media_type, _OVER_POST)
        try:
            data = await call.plan.run(self.compiled.context, principal, call.argument)
        except GraphQLError as error:
            return Answer(200, encode({"errors": self.transport.presenter.present_all([error]), "data": None}), media_type)
        return Answer(200, b'{"data":%b}' % data, media_type)

    async def _execute(self, principal: Any, operation: OperationRequest, media_type: str, allowed: Set[OperationType]) -> Answer:
        try:
            query = text_of(operation.query, operation.extensions, self.schema.known)
        except NotFoundError as error:
            unknown = GraphQLError(error.message, original_error=error)
            return self._result(ExecutionResult(data=None, errors=[unknown]), media_type)
        try:
            result = await self.schema.execute(
                query,
                variable_values=operation.variables,
                context_value=self.transport.seams.make_context(principal),
                operation_name=operation.operation_name,
                allowed_operation_types=allowed,
                operation_extensions=operation.extensions,
            )
        except (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError) as error:
            raise _undetermined(error, operation) from None
        return self._result(result, media_type)

    def _result(self, result: ExecutionResult, media_type: str) -> Answer:
        content: dict[str, Any] = {}
        status = 200
        if result.errors:
            content["errors"] = self.transport.presenter.present_all(result.errors)
        if result.data is None and result.errors and all(error.path is None for error in result.errors):
            # Nothing was executed. `application/json` keeps 200 for it, since proxies answer with that type as well.
            status = 400 if media_type == GRAPHQL_RESPONSE else 200
        else:
            content["data"] = result.data
        return Answer(status, encode(content), media_type)

    def _refuse(self, refusal: HttpRefusalError, media_type: str) -> Answer:
        content = {"errors": [self.transport.presenter.present_exception(refusal.error)]}
        return Answer(refusal.status, encode(content), media_type, refusal.headers)


def _refusal_of(error: FleetbeatError) -> HttpRefusalError:
    headers = {}
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, RetryLaterError):
        headers["retry-after"] = str(max(1, round(error.retry_after_sec)))
    return HttpRefusalError(_STATUS[error.code], error, headers)


def _undetermined(error: Exception, operation: OperationRequest) -> HttpRefusalError:
    if not isinstance(error, InvalidOperationTypeError):
        named = f" named {operation.operation_name[:80]!r}" if operation.operation_name else ""
        return HttpRefusalError(400, bad_field("operationName", f"the document has no operation{named}"))
    if error.operation_type is OperationType.SUBSCRIPTION:
        return HttpRefusalError(
            400, bad_field("query", "subscriptions go over WebSocket (graphql-transport-ws), at this address")
        )
    return HttpRefusalError(405, bad_field("query", "mutations are sent by POST"), {"allow": "POST"})


def graphql_app(schema: FleetbeatSchema, seams: Seams, options: TransportOptions | None = None) -> FleetbeatGraphQL:
    """The ASGI application for `/graphql`. Its `drain()` belongs into the shutdown."""
    transport = Transport(seams, options or TransportOptions(), ErrorPresenter(seams.classify))
    return FleetbeatGraphQL(schema, transport)
