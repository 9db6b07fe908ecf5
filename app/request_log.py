"""Request and trace ids for every log line of a request, its time for Prometheus, and a line where it went wrong or slow."""

import random
import re
import time
from collections.abc import Mapping
from functools import lru_cache

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import telemetry
from app.http_headers import headers_of

SLOW_SEC = 1.0
_PATHS = frozenset(("/graphql", "/healthz", "/readyz", "/metrics"))
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger(__name__)
# Ids are there to be found, not to be guessed right: the system's own source would cost as much as all else here.
_bits = random.Random().getrandbits  # noqa: S311


class RequestLog:
    """ASGI middleware. The ids come from `X-Request-Id` and `traceparent` where the caller sent good ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id, trace_id = ids_of(headers_of(scope))
        bound = structlog.contextvars.bind_contextvars(request_id=request_id, trace_id=trace_id)
        try:
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._http(scope, receive, send, request_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            note(scope["method"], scope["path"], status, time.perf_counter() - started)


def ids_of(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The ids of a request and of its trace."""
    request_id = _given(headers.get(b"x-request-id"), _REQUEST_ID) or f"{_bits(128):032x}"
    parent = headers.get(b"traceparent")
    trace = None if parent is None else _TRACEPARENT.fullmatch(parent)
    return request_id, trace.group(1).decode() if trace else f"{_bits(128):032x}"


def note(method: str, path: str, status: int, seconds: float) -> None:
    """That a request was answered, for Prometheus, and for the log where it went wrong or slow."""
    _seconds(path if path in _PATHS else "other", status).observe(seconds)
    if status >= 500 or seconds >= SLOW_SEC:
        _log.warning("request.slow_or_failed", method=method, path=path, status=status, ms=round(seconds * 1000))


@lru_cache(maxsize=256)
def _seconds(path: str, status: int) -> Histogram:
    return telemetry.REQUEST_SECONDS.labels(path, str(status))


def _given(value: bytes | None, form: re.Pattern[bytes]) -> str | None:
    return value.decode() if value is not None and form.fullmatch(value) else None
