"""Domain values to documents and back: the same field names, `id` as `_id`, enums by value, times as they are."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import structlog

_log = structlog.get_logger(__name__)
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


def readable(documents: Iterable[Document], kind: type[Value]) -> list[Value]:
    """Those that can be read. One that a later version wrote, with a word that this one does not know, is said and left out:
    where many are looked after together, it must not be everybody's."""
    found: list[Value] = []
    for document in documents:
        try:
            found.append(from_document(document, kind))
        except msgspec.ValidationError as error:
            _log.error("document.unreadable", kind=kind.__name__, id=str(document.get("_id")), error=str(error))
    return found
