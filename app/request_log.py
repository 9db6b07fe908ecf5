"""Request and trace ids for every log line of a request, its time for Prometheus, and a line where it went wrong or slow."""

import time
from functools import lru_cache

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import telemetry
from app.asked import ASKED, Asked
from app.http_headers import headers_of
from app.latencies import Series

SLOW_SEC = 1.0
_PATHS = frozenset(("/graphql", "/healthz", "/readyz", "/metrics"))
_log = structlog.get_logger(__name__)


class RequestLog:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = Asked(headers_of(scope))
        before = ASKED.set(asked)
        try:
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._http(scope, receive, send, asked.request_id)
        finally:
            ASKED.reset(before)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            note(scope["method"], scope["path"], status, time.perf_counter() - started)


def note(method: str, path: str, status: int, seconds: float) -> None:
    """That a request was answered, for Prometheus, and for the log where it went wrong or slow."""
    _seconds(path if path in _PATHS else "other", status).observe(seconds)
    if status >= 500 or seconds >= SLOW_SEC:
        _log.warning("request.slow_or_failed", method=method, path=path, status=status, ms=round(seconds * 1000))


@lru_cache(maxsize=256)
def _seconds(path: str, status: int) -> Series:
    return telemetry.REQUEST_SECONDS.labels(path, str(status))
