"""GraphQL at one address: queries and mutations over HTTP, everything over graphql-transport-ws."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import strawberry
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from app.errors import ErrorCode, FleetbeatError, RetryLaterError, bad_field
from schema.errors import ErrorPresenter
from schema.http_request import GRAPHQL_RESPONSE, JSON, HttpRefusalError, OperationRequest, negotiate, read_operation
from schema.json_body import encode
from schema.shared_stream import SharedStreams
from schema.transport import Seams, Transport, TransportOptions, address_of, authorization_of
from schema.transport_ws import TransportWSHandler
from schema.websocket import StrictWebSocket

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


class FleetbeatGraphQL(GraphQL[object, None]):
    """Strawberry's ASGI application with our HTTP and our socket handler.

    GET is for queries alone: it is part of GraphQL over HTTP, and credentials travel in a header that no foreign page can set.
    """

    graphql_transport_ws_handler_class = TransportWSHandler
    websocket_adapter_class = StrictWebSocket  # type: ignore[assignment]

    def __init__(self, schema: strawberry.Schema, transport: Transport) -> None:
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
        self.sockets: dict[asyncio.Task[Any], TransportWSHandler] = {}
        self.streams = SharedStreams()
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

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

    async def _respond(self, request: Request) -> Response:
        media_type = JSON
        try:
            media_type = negotiate(request.headers.get("accept")) if not self._wants_ide(request) else JSON
            if request.method not in ("GET", "POST"):
                raise HttpRefusalError(
                    405, bad_field("", "GraphQL is asked by POST, or by GET for queries"), {"allow": "GET, POST"}
                )
            if self._wants_ide(request):
                return HTMLResponse(self.graphql_ide_html)
            return await self._execute(request, media_type)
        except HttpRefusalError as refusal:
            return self._refuse(refusal, media_type)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001
            presenter = self.transport.presenter
            return self._refuse(_refusal_of(presenter.known(error) or presenter.masked(error)), media_type)

    def _wants_ide(self, request: Request) -> bool:
        wants_page = "text/html" in request.headers.get("accept", "") and "query" not in request.query_params
        return self.graphql_ide is not None and request.method == "GET" and wants_page

    async def _execute(self, request: Request, media_type: str) -> Response:
        seams = self.transport.seams
        principal = await seams.authenticate(authorization_of(request), address_of(request))
        operation = await read_operation(request, self.transport.options.max_body_bytes)
        try:
            result = await self.schema.execute(
                operation.query,
                variable_values=operation.variables,
                context_value=seams.make_context(cast(HTTPConnection, request), principal),
                operation_name=operation.operation_name,
                allowed_operation_types=_OVER_GET if request.method == "GET" else _OVER_POST,
                operation_extensions=operation.extensions,
            )
        except (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError) as error:
            raise _undetermined(error, operation) from None
        return self._result(result, media_type)

    def _result(self, result: ExecutionResult, media_type: str) -> Response:
        content: dict[str, Any] = {}
        status = 200
        if result.errors:
            content["errors"] = self.transport.presenter.present_all(result.errors)
        if result.data is None and result.errors and all(error.path is None for error in result.errors):
            # Nothing was executed. `application/json` keeps 200 for it, since proxies answer with that type as well.
            status = 400 if media_type == GRAPHQL_RESPONSE else 200
        else:
            content["data"] = result.data
        return Response(encode(content), status, media_type=_with_charset(media_type))

    def _refuse(self, refusal: HttpRefusalError, media_type: str) -> Response:
        content = {"errors": [self.transport.presenter.present_exception(refusal.error)]}
        return Response(encode(content), refusal.status, refusal.headers, media_type=_with_charset(media_type))


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"


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


def graphql_app(schema: strawberry.Schema, seams: Seams, options: TransportOptions | None = None) -> FleetbeatGraphQL:
    """The ASGI application for `/graphql`. Its `drain()` belongs into the shutdown."""
    transport = Transport(seams, options or TransportOptions(), ErrorPresenter(seams.classify))
    return FleetbeatGraphQL(schema, transport)
