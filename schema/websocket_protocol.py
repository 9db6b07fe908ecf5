"""uvicorn's WebSocket protocol, for clients that stopped reading.

Give it to uvicorn as `ws="schema.websocket_protocol:AbortingWebSocketProtocol"`.
"""

from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "fleetbeat.socket"
RESTART = (1012, "Service restart")
_GRACE_SEC = 5.0


class AbortingWebSocketProtocol(WebSocketsSansIOProtocol):
    """Ends connections for good where uvicorn waits for a buffer that will never drain, and lets the application do so."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application's task is made, but has not run yet.
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[EXTENSION] = {"protocol": self}

    @property
    def reads(self) -> bool:
        """Whether the client takes what is sent to it."""
        return self.writable.is_set()

    def send_frame(self, frame: bytes) -> bool:
        """Writes a whole frame that was made elsewhere; False where the client does not read, or is gone."""
        if self.close_sent or self.disconnected or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.close_soon(*RESTART)
        else:
            super().shutdown()

    def close_soon(self, code: int, reason: str) -> None:
        """Closes without waiting for the buffer: a client that reads on within the grace still learns why."""
        if self.close_sent or self.disconnected:
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self.loop.call_later(_GRACE_SEC, self.transport.abort)
