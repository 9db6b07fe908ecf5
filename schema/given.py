"""Telling what a client left out from what it set to null."""

from dataclasses import fields
from typing import Any

from strawberry import UNSET


def given(written: Any) -> dict[str, Any]:
    """The fields of an input that the client wrote, by their Python names; null is None."""
    values = {field.name: getattr(written, field.name) for field in fields(written)}
    return {name: value for name, value in values.items() if value is not UNSET}


def given_or(written: int | None, default: int) -> int:
    """An argument whose null says no more than leaving it out."""
    return default if written is None else written


def listed(value: Any) -> Any:
    """Lists as the domain has them."""
    return tuple(value) if isinstance(value, list) else value
