"""Request and trace ids for every log line of a request, its time for Prometheus, and a line where it went wrong or slow."""

import re
import time
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import telemetry

SLOW_SEC = 1.0
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger(__name__)


class RequestLog:
    """ASGI middleware. The ids come from `X-Request-Id` and `traceparent` where the caller sent good ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _given(headers.get(b"x-request-id"), _REQUEST_ID) or uuid4().hex
        trace = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        trace_id = trace.group(1).decode() if trace else uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id, trace_id=trace_id):
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._http(scope, receive, send, request_id)

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
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in ("/graphql", "/healthz", "/readyz", "/metrics") else "other"
            telemetry.REQUEST_SECONDS.labels(path, str(status)).observe(seconds)
            if status >= 500 or seconds >= SLOW_SEC:
                _log.warning(
                    "request.slow_or_failed", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000)
                )


def _given(value: bytes | None, form: re.Pattern[bytes]) -> str | None:
    return value.decode() if value is not None and form.fullmatch(value) else None
