"""What Strawberry speaks to while it looks at a handshake. It closes what asks for another subprotocol; all else is handed over."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import cast

from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.http.async_base_view import AsyncWebSocketAdapter

from schema.json_body import decode, encode_text
from schema.transport import Served
from schema.websocket_protocol import EXTENSION, AbortingWebSocketProtocol


class StrictWebSocket(AsyncWebSocketAdapter):
    def __init__(self, view: Served, request: WebSocket, _response: WebSocket) -> None:
        super().__init__(view)  # type: ignore[arg-type]  # it wants all of Strawberry's view
        self.socket = request

    @property
    def protocol(self) -> AbortingWebSocketProtocol:
        """Raises RuntimeError on a server that was not given our protocol."""
        extension = self.socket.scope.get("extensions", {}).get(EXTENSION)
        if extension is None:
            raise RuntimeError('sockets are served by uvicorn with ws="schema.websocket_protocol:AbortingWebSocketProtocol"')
        return cast(AbortingWebSocketProtocol, extension["protocol"])

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        with suppress(WebSocketDisconnect):
            while True:
                yield decode(await self.socket.receive_text())

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.socket.send_text(encode_text(message))

    async def close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.close(code, reason)
