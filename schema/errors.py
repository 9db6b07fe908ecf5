"""The one presenter: what of an error the caller may read, over HTTP and sockets alike."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import structlog
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from app.errors import ErrorCode, FleetbeatError
from schema.limits import parser_breach

Classify = Callable[[BaseException], FleetbeatError | None]
"""Knows what an error of a library below means: a lost database is UNAVAILABLE. None for what nobody expects."""

MASKED = "Internal error"
_LONGEST_MESSAGE = 500
_MOST_ERRORS = 100
_VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid (?:default )?value(?: at (\S+))?: (.*)", re.DOTALL)
_ARGUMENT = re.compile(r"Argument '(\w+)' (?:has invalid value(?: at (\S+))?: )?(.*)", re.DOTALL)
_NAMED = re.compile(r"Expected value of type '[^']+' (?:to include required|not to include unknown) field '(\w+)'")
_OF_THE_REQUEST = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)

log = structlog.get_logger(__name__)


def nothing_known(_error: BaseException) -> None:
    """A `Classify` for an application without libraries below."""


class ErrorPresenter:
    """Turns errors into what `errors` holds on the wire, and logs what it masks."""

    def __init__(self, classify: Classify = nothing_known) -> None:
        self._classify = classify

    def present_all(self, errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
        return [self.present(error) for error in errors[:_MOST_ERRORS]]

    def present(self, error: GraphQLError) -> dict[str, Any]:
        presented = self._content(error)
        if error.locations:
            presented["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
        if error.path is not None:
            presented["path"] = list(error.path)
        return presented

    def present_exception(self, error: BaseException) -> dict[str, Any]:
        """For what is raised outside of any operation."""
        return self._fleetbeat(self.known(error) or self.masked(error))

    def known(self, error: BaseException) -> FleetbeatError | None:
        return error if isinstance(error, FleetbeatError) else self._classify(error)

    def masked(self, error: BaseException, path: Sequence[str | int] | None = None) -> "MaskedError":
        masked = MaskedError()
        log.error("unexpected error", error_id=masked.id, path=path, exc_info=error)
        return masked

    def _content(self, error: GraphQLError) -> dict[str, Any]:
        cause = _root(error)
        if not isinstance(cause, GraphQLError):
            if (known := self.known(cause)) is not None:
                return self._fleetbeat(known)
            if not isinstance(cause, _OF_THE_REQUEST) and not _is_of_the_document(error):
                return self._fleetbeat(self.masked(cause, error.path))
        elif (breach := parser_breach(error)) is not None:
            return self._fleetbeat(breach)
        elif error.path is not None and _ARGUMENT.fullmatch(error.message) is None:
            # graphql-core complains of what a resolver returned; the value is ours to keep.
            return self._fleetbeat(self.masked(error, error.path))
        return _bad_input(error)

    @staticmethod
    def _fleetbeat(error: FleetbeatError) -> dict[str, Any]:
        return {"message": _short(error.message), "extensions": {"code": error.code.value, **error.extensions()}}


class MaskedError(FleetbeatError):
    """Stands for an error that nobody expected; its id finds it in the log."""

    code = ErrorCode.INTERNAL

    def __init__(self) -> None:
        super().__init__(MASKED)
        self.id = uuid4().hex

    def extensions(self) -> dict[str, Any]:
        return {"id": self.id}


def _root(error: GraphQLError) -> BaseException:
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_of_the_document(error: GraphQLError) -> bool:
    """Before execution an error has nodes and no path; scalars then refuse a value with errors of their own."""
    return error.path is None and bool(error.nodes)


def _bad_input(error: GraphQLError) -> dict[str, Any]:
    field = {"path": "query", "message": _short(error.message)}
    found = _VARIABLE.fullmatch(error.message) or (_ARGUMENT.fullmatch(error.message) if error.path is not None else None)
    if found is not None:
        name, inside, why = found.groups()
        field = {"path": name + _dotted(inside or "", why), "message": _short(why)}
    return {"message": _short(error.message), "extensions": {"code": ErrorCode.BAD_USER_INPUT.value, "fields": [field]}}


def _dotted(inside: str, why: str) -> str:
    """The path below the variable; graphql-core names a missing or unknown field in its message alone."""
    named = _NAMED.match(why)
    return inside + (f".{named.group(1)}" if named else "")


def _short(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
