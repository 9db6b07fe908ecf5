"""Domain values to documents and back: the same field names, `id` as `_id`, enums by value, times as they are."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

Document = dict[str, Any]
Value = TypeVar("Value")


def to_document(value: Any) -> Document:
    document: Document = msgspec.to_builtins(value, builtin_types=(datetime,))
    if "id" in document:
        document["_id"] = document.pop("id")
    return document


def from_document(document: Document, kind: type[Value]) -> Value:
    """Fields that `kind` does not know are passed over, so that a newer version's documents can be read."""
    if "_id" in document:
        document = {**document, "id": document["_id"]}
    return msgspec.convert(document, kind)
