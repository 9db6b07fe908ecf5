"""The scalars of the contract: DateTime, JSON and Cursor."""

import re
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

Cursor = NewType("Cursor", str)

_RFC_3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:)(\d{2})(?:\.(\d+))?(Z|z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_LONGEST_CURSOR = 4_096


def parse_datetime(value: object) -> datetime:
    """RFC 3339 with an offset, as UTC in whole milliseconds."""
    match = _RFC_3339.fullmatch(value) if isinstance(value, str) and len(value) <= 64 else None
    if match is None:
        raise GraphQLError("a time is RFC 3339 with an offset, for example 2026-11-21T06:26:00.123Z")
    day, hours_and_minutes, second, fraction, offset = match.groups()
    # RFC 3339 has leap seconds, datetime has not: as POSIX does, the 60th second is the last one again.
    second = "59" if second == "60" else second
    milliseconds = (fraction or "")[:3].ljust(3, "0")
    try:
        at = datetime.fromisoformat(f"{day}T{hours_and_minutes}{second}.{milliseconds}{offset.upper()}")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError("the time is not in the calendar, or outside the years 1 to 9999 in UTC") from None


def print_datetime(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a time without an offset has no place on the wire")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _as_it_is(value: Any) -> Any:
    return value


def _parse_cursor(value: object) -> Cursor:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_CURSOR:
        raise GraphQLError("a cursor is a text that this server gave out")
    return Cursor(value)


SCALAR_MAP: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="RFC 3339, always with an offset, written in UTC with milliseconds",
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=print_datetime,
        parse_value=parse_datetime,
    ),
    JSON: strawberry.scalar(name="JSON", description="any JSON value", serialize=_as_it_is, parse_value=_as_it_is),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="opaque; survives restarts; sortable by the server alone",
        serialize=str,
        parse_value=_parse_cursor,
    ),
}

__all__ = ["JSON", "SCALAR_MAP", "Cursor", "parse_datetime", "print_datetime"]
