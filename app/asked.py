"""What every log line of a request says: its id, its trace's, and who asks. Kept together, and written out only where there is a line."""

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from itertools import count

from structlog.typing import EventDict, WrappedLogger

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Ids are there to be found, and need not be hard to guess: those of a process are counted.
_bits = random.SystemRandom().getrandbits
_PROCESS = b"%016x" % _bits(64)
_number = count(_bits(48)).__next__


class Asked:
    """A request, by what finds it again. The ids come from `X-Request-Id` and `traceparent` where the caller sent good ones."""

    __slots__ = ("_parent", "_trace_id", "principal", "request_id")

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        given = headers.get(b"x-request-id")
        self.request_id: bytes = given if given and _REQUEST_ID.fullmatch(given) else b"%b%016x" % (_PROCESS, _number())
        self.principal: str | None = None
        self._parent = headers.get(b"traceparent")
        self._trace_id: str | None = None

    @property
    def trace_id(self) -> str:
        if self._trace_id is None:
            trace = None if self._parent is None else _TRACEPARENT.fullmatch(self._parent)
            self._trace_id = trace.group(1).decode() if trace else f"{_bits(128):032x}"
        return self._trace_id


ASKED: ContextVar[Asked | None] = ContextVar("fleetbeat_asked", default=None)
"""The request that the code which runs now belongs to."""


def note_principal(principal_id: str) -> None:
    if (asked := ASKED.get()) is not None:
        asked.principal = principal_id


def say_asked(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Puts the ids into a line, where it does not have its own."""
    if (asked := ASKED.get()) is not None:
        event.setdefault("request_id", asked.request_id.decode())
        event.setdefault("trace_id", asked.trace_id)
        if asked.principal is not None:
            event.setdefault("principal", asked.principal)
    return event
