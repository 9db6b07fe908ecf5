"""One WebSocket: text frames in, text frames out, and no waiting for a client that does not read."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected

from app.errors import BadInputError
from schema.json_body import decode, encode_text
from schema.transport import Served
from schema.websocket_protocol import EXTENSION, AbortingWebSocketProtocol

SLOW = (1013, "The client does not read")
_LONGEST_REASON = 120


class StrictWebSocket(AsyncWebSocketAdapter):
    """What the handler speaks through."""

    def __init__(self, view: Served, request: WebSocket, _response: WebSocket) -> None:
        super().__init__(cast(Any, view))
        self.socket = request
        self._timeout_sec = view.transport.options.send_timeout_sec
        extension = request.scope.get("extensions", {}).get(EXTENSION)
        self._protocol: AbortingWebSocketProtocol | None = extension["protocol"] if extension else None

    async def iter_text(self) -> AsyncGenerator[str, None]:
        while self.is_open:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            yield text

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Strawberry's way in; our handler decodes for itself, to tell one bad operation from a broken client."""
        async for text in self.iter_text():
            try:
                message = decode(text)
            except BadInputError as error:
                if not ignore_parsing_errors:
                    raise NonJsonMessageReceived from error
            else:
                yield message

    @property
    def is_open(self) -> bool:
        return self.socket.application_state is WebSocketState.CONNECTED and self.socket.client_state is WebSocketState.CONNECTED

    @property
    def protocol(self) -> AbortingWebSocketProtocol | None:
        """None on another server than ours."""
        return self._protocol

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.send_text(encode_text(message))

    async def send_text(self, text: str) -> None:
        if not self.is_open:
            raise WebSocketDisconnected
        try:
            if self._protocol is not None and self._protocol.reads:
                await self.socket.send_text(text)
            else:
                async with asyncio.timeout(self._timeout_sec):
                    await self.socket.send_text(text)
        except TimeoutError:
            await self.close(*SLOW)
            raise WebSocketDisconnected from None
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        if not self.is_open:
            return
        # A frame holds 123 bytes of reason; more is an error in the server's own library.
        reason = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        if self._protocol is not None and not self._protocol.reads:
            self._protocol.close_soon(code, reason)
            return
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(self._timeout_sec):
                await self.socket.close(code, reason)
