"""GraphQL over HTTP, the answer: its status, its headers and its bytes."""

from collections.abc import Mapping
from functools import lru_cache

RawHeaders = list[tuple[bytes, bytes]]


class Answer:
    """What is sent back. Without a media type it has no content."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, content: bytes, media_type: str | None, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.content = content
        self.headers: RawHeaders = _more(headers) if headers else []
        self.headers.append((b"content-length", b"%d" % len(content)))
        if media_type is not None:
            self.headers.append((b"content-type", _with_charset(media_type)))


def _more(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


@lru_cache(maxsize=8)
def _with_charset(media_type: str) -> bytes:
    return f"{media_type}; charset=utf-8".encode()
