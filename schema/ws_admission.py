"""Who is at the other end of a socket: asked for in time, looked at once, and let in until the token expires."""

import asyncio
from dataclasses import dataclass
from typing import Any

from app.errors import RetryLaterError, UnauthenticatedError
from schema.json_body import encode
from schema.transport import Expiring, Transport
from schema.ws_socket import OpenSocket

_DAY_SEC = 86_400.0


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is known of a client from its request: who it said it is, in a header, and where it comes from."""

    authorization: str | None
    address: str | None


class Admission:
    """Of one connection."""

    __slots__ = (
        "_authorization",
        "_deadline",
        "_socket",
        "_timer",
        "_transport",
        "acknowledged",
        "address",
        "initialised",
        "principal",
    )

    def __init__(self, socket: OpenSocket, transport: Transport, handshake: Handshake) -> None:
        self._socket = socket
        self._transport = transport
        self._authorization = handshake.authorization
        self._deadline = asyncio.get_running_loop().time() + transport.options.init_timeout_sec
        self._timer: asyncio.TimerHandle | None = None
        self.address = handshake.address
        self.initialised = False
        self.acknowledged = False
        self.principal: Expiring | None = None

    def await_initialisation(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._deadline, self._too_late)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def initialise(self, message: dict[str, Any]) -> None:
        if self.initialised:
            self._socket.close(4429, "Too many initialisation requests")
            return
        self.initialised = True
        try:
            async with asyncio.timeout_at(self._deadline):
                self.principal = await self._authenticate(message.get("payload") or {})
        except TimeoutError:
            self._too_late()
            return
        except Exception as error:  # noqa: BLE001
            self._turn_away(error)
            return
        if self._socket.gone:
            return  # it left while it was looked at: a timer would keep all of it until the token expires
        self.end()
        self._authorization = None
        self._watch_expiry()
        self.acknowledged = True
        await self._socket.send(encode({"type": "connection_ack"}), self._transport.options.send_timeout_sec)

    async def _authenticate(self, payload: dict[str, Any]) -> Expiring:
        authorization = payload.get("authorization", payload.get("Authorization"))
        if authorization is None:
            authorization = self._authorization
        elif not isinstance(authorization, str):
            raise UnauthenticatedError("authorization must be a string")
        return await self._transport.seams.authenticate(authorization, self.address)

    def _too_late(self) -> None:
        self._socket.close(4408, "Connection initialisation timeout")

    def _turn_away(self, error: Exception) -> None:
        known = self._transport.presenter.known(error)
        if isinstance(known, RetryLaterError):
            self._socket.close(1013, f"Try again later: {known.message}")
        elif known is not None:
            self._socket.close(4403, f"Forbidden: {known.message}")
        else:
            break_off(self._socket, self._transport, error)

    def _watch_expiry(self) -> None:
        expires_at = self.principal.expires_at if self.principal is not None else None
        if expires_at is None:
            return
        left_sec = (expires_at - self._transport.seams.now()).total_seconds()
        if left_sec <= 0:
            self._socket.close(4403, "Token expired")
        else:
            # The clock may be corrected meanwhile, so the timer asks again, and at least once a day.
            self._timer = asyncio.get_running_loop().call_later(min(left_sec, _DAY_SEC), self._watch_expiry)


def break_off(socket: OpenSocket, transport: Transport, error: BaseException) -> None:
    """Our fault: the client is told by which id the log knows it."""
    masked = transport.presenter.masked(error)
    socket.close(4500, f"{masked.message} {masked.id}")
