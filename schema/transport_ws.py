"""Where Strawberry hands a client of graphql-transport-ws to us: from here on it is a `Connection`."""

from typing import Any, cast

from starlette.websockets import WebSocket
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from schema.http_request import authorization_of
from schema.transport import Served, address_of
from schema.websocket import StrictWebSocket
from schema.ws_admission import Handshake
from schema.ws_connection import Connection


class TransportWSHandler(BaseGraphQLTransportWSHandler[object, None]):
    """Of one handshake. It ends at once, and all that it takes to shake hands over ASGI with it."""

    def __init__(self, view: Served, websocket: StrictWebSocket, context: WebSocket, **strawberry: Any) -> None:
        super().__init__(view=cast(Any, view), websocket=websocket, context=context, **strawberry)
        self._view = view
        self._protocol = websocket.protocol
        headers = context.headers
        authorization = authorization_of(headers.get("authorization"), headers.get("x-api-key"))
        self._handshake = Handshake(authorization, address_of(context))

    async def handle(self) -> None:
        socket = self._protocol.hand_over()
        connection = Connection(self._view, socket, self._handshake)
        socket.open(connection)
        connection.begin()
        self._protocol.early(connection)
