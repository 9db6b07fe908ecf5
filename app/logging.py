"""Logs: JSON lines on stderr (or colours for a terminal), with request, tenant and trace ids, and without secrets.

Bind what a line should carry with `structlog.contextvars.bind_contextvars(request_id=…, tenant=…, trace_id=…)`.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.asked import say_asked

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(r"authorization|token|secret|password|passwd|api[_-]?key|cookie", re.IGNORECASE)
# A device's token, an API key, a JWT, the password in a URL, and whatever follows an authorization scheme.
_SECRET_VALUE = re.compile(
    r"fb[dk]_[\w.-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=://)[^/@\s]*:[^/@\s]*(?=@)|(?<=\b(?:Bearer|Device) )[\w.~+/=-]{8,}"
)
_DEEPEST = 6


def configure_logging(level: str, form: Literal["json", "console"], stream: TextIO | None = None) -> None:
    """Sends structlog and the standard library's loggers the same way. The last call wins."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        say_asked,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    # Tracebacks become text before `redact`, or their messages would pass it by.
    text: Processor = structlog.processors.JSONRenderer(default=str)
    if form == "console":
        text = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    rendering: list[Processor] = [structlog.processors.format_exc_info, redact, text]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _said_once],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line for each command of the driver, each task of the loop and each access is noise beside our own.
    for chatty in ("pymongo", "motor", "asyncio", "arq", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _said_once(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """uvicorn says its messages a second time, in the colours of a terminal."""
    event.pop("color_message", None)
    return event


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Hides the values of keys that name a secret, and what looks like one in any other value."""
    return {key: REDACTED if _names_secret(key) and value else _clean(value, 0) for key, value in event.items()}


def redact_text(text: str) -> str:
    return _SECRET_VALUE.sub(REDACTED, text)


def _names_secret(key: object) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode(errors="replace"))
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        return redact_text(repr(value))
    if isinstance(value, Mapping):
        return {key: REDACTED if _names_secret(key) and item else _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in value]
    return redact_text(str(value))
