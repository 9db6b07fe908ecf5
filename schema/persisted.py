"""Persisted operations: a document that was sent once is asked for by its SHA-256 alone.

The form is the one of Apollo and urql: `extensions: {persistedQuery: {version: 1, sha256Hash: "…"}}`. A client whose hash is not known
here (it is the first one, or comes to another process) is told `PersistedQueryNotFound` and sends text and hash together.
"""

from collections.abc import Mapping
from typing import Any

from app.errors import NotFoundError, bad_field
from schema.documents import KnownDocuments, digest_of

MEMBER = "persistedQuery"
NOT_FOUND = "PersistedQueryNotFound"
_PATH = f"extensions.{MEMBER}"


def is_persisted(extensions: object) -> bool:
    return isinstance(extensions, dict) and extensions.get(MEMBER) is not None


def text_of(query: str, extensions: Mapping[str, Any] | None, known: KnownDocuments) -> str:
    """The document that is meant. Raises NotFoundError for a hash that is not known, BadInputError for one that is none."""
    persisted = (extensions or {}).get(MEMBER)
    if persisted is None:
        return query
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or persisted.get("version", 1) != 1:
        raise bad_field(_PATH, 'must be {"version": 1, "sha256Hash": "…"}')
    if not query:
        text = known.text_of(digest.lower())
        if text is None:
            raise NotFoundError(NOT_FOUND)
        return text
    if digest.lower() != digest_of(query):
        raise bad_field(f"{_PATH}.sha256Hash", "is not the SHA-256 of the query")
    return query
