"""Every error that Fleetbeat means to show, in one tree. Anything else is masked as INTERNAL."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class ErrorCode(Enum):
    """The codes of `extensions.code`, as the wire contract names them."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    TOO_COMPLEX = "TOO_COMPLEX"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: where it is in the input, and what would be right."""

    path: str
    message: str


class FleetbeatError(Exception):
    """An error that the caller may read: a code, a sentence, and what `extensions` carries beside the code."""

    code = ErrorCode.INTERNAL

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def extensions(self) -> dict[str, Any]:
        return {}


class UnauthenticatedError(FleetbeatError):
    """Nobody, or somebody whose credentials do not hold."""

    code = ErrorCode.UNAUTHENTICATED


class ForbiddenError(FleetbeatError):
    """Somebody, but not for this."""

    code = ErrorCode.FORBIDDEN


class NotFoundError(FleetbeatError):
    """Not there, or not the caller's to know of."""

    code = ErrorCode.NOT_FOUND


class ConflictError(FleetbeatError):
    """The state has moved on; `current` says what is there now."""

    code = ErrorCode.CONFLICT

    def __init__(self, message: str, current: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.current = current

    def extensions(self) -> dict[str, Any]:
        return {} if self.current is None else {"current": self.current}


class BadInputError(FleetbeatError):
    """Input that cannot be taken, with every bad field at once."""

    code = ErrorCode.BAD_USER_INPUT

    def __init__(self, fields: Sequence[FieldError], message: str | None = None) -> None:
        super().__init__(
            message or "; ".join(f"{field.path}: {field.message}" if field.path else field.message for field in fields)
        )
        self.fields = tuple(fields)

    def extensions(self) -> dict[str, Any]:
        return {"fields": [{"path": field.path, "message": field.message} for field in self.fields]}


class RetryLaterError(FleetbeatError):
    """Not now; `retry_after_sec` says when it is worth trying again."""

    def __init__(self, message: str, retry_after_sec: float) -> None:
        super().__init__(message)
        self.retry_after_sec = retry_after_sec

    def extensions(self) -> dict[str, Any]:
        return {"retryAfterSec": self.retry_after_sec}


class RateLimitedError(RetryLaterError):
    """The caller sends more than its share."""

    code = ErrorCode.RATE_LIMITED


class UnavailableError(RetryLaterError):
    """Fleetbeat cannot do this at the moment, and has not done it."""

    code = ErrorCode.UNAVAILABLE


class TooComplexError(FleetbeatError):
    """A document that would cost more than is allowed."""

    code = ErrorCode.TOO_COMPLEX


def bad_field(path: str, message: str) -> BadInputError:
    """A `BadInputError` for a single field."""
    return BadInputError([FieldError(path, message)])
