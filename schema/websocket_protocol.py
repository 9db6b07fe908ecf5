"""uvicorn's WebSocket protocol for the handshake, over ASGI like any other; whoever lets a client in takes the socket over from it.

Give it to uvicorn as `ws="schema.websocket_protocol:AbortingWebSocketProtocol"`.
"""

from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from schema.ws_pulse import pulse_of
from schema.ws_socket import RESTART, OpenSocket, Owner

EXTENSION: Final = "fleetbeat.socket"


class AbortingWebSocketProtocol(WebSocketsSansIOProtocol):
    """Lives until a client is let in: an open socket needs neither its handshake nor a task that waits for its next message."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Frames are small and many; compressing each costs more than it saves.
        self.conn.available_extensions = ()
        self._server = server_state
        self._http: Any = None

    def connection_made(self, transport: Any) -> None:
        # Until the handshake is read the transport is of the protocol that read the request.
        self._http = transport.get_protocol()
        super().connection_made(transport)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # The application's task is made, but has not run yet.
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[EXTENSION] = {"protocol": self}

    def hand_over(self) -> OpenSocket:
        """What the connection is from now on; the caller opens it. What the application still does here has no effect on it."""
        self.stop_keepalive()
        pulse = pulse_of(self._server, self.ping_interval, self.ping_timeout)
        socket = OpenSocket(self.transport, self._server, pulse, self.config.ws_max_size)
        self.connections.discard(self)
        # The handshake is freed now, not when the collector of cycles comes round.
        if self._http is not None and hasattr(self._http, "parser"):
            self._http.parser, self._http = None, None
        del cast(dict[str, Any], self.scope["extensions"])[EXTENSION]
        self.conn.parser.close()
        self.transport = cast(Any, _ELSEWHERE)
        # Also where the client left in the middle of it: nobody is to answer in our stead.
        self.handshake_complete = self.close_sent = self.disconnected = True
        return socket

    def early(self, owner: Owner) -> None:
        """Hands on what a client said before it was let in."""
        while not self.queue.empty():
            message = cast(dict[str, Any], self.queue.get_nowait())
            if message["type"] == "websocket.receive":
                owner.hear(message.get("text"))

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": RESTART[0], "reason": RESTART[1]})
            self.conn.send_close(*RESTART)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        else:
            super().shutdown()


class _Elsewhere:
    """The transport of a connection that was handed over: nothing reaches it from here."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """Whoever has it now closes it."""


_ELSEWHERE = _Elsewhere()
