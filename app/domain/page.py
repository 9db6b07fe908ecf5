"""A page of a list, and the place of each entry in its order."""

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from app.errors import bad_field

Item = TypeVar("Item")

MOST = 200
"""Entries in one page."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """`cursors`: one for each item, in order."""

    items: list[Item]
    has_next: bool
    cursors: list[str]


def encode_keyset(*values: str | int) -> str:
    """A cursor out of what a list is sorted by."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def decode_keyset(text: str) -> list[str | int]:
    """Raises BadInputError for what is no cursor."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(packed, type=list[str | int])
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise bad_field("after", "is not a cursor of this list") from error


def require_first(first: int, most: int = MOST) -> None:
    if not 1 <= first <= most:
        raise bad_field("first", f"is {first}; must be 1 to {most}")
