"""GraphQL over HTTP, the answer: its status, its headers and its bytes."""

from collections.abc import Mapping
from functools import lru_cache

RawHeaders = list[tuple[bytes, bytes]]


class Answer:
    """What is sent back. Without a media type it has no content; `more` are headers beside its length and type."""

    __slots__ = ("content", "media_type", "more", "status")

    def __init__(self, status: int, content: bytes, media_type: str | None, more: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.content = content
        self.media_type = media_type
        self.more = more

    @property
    def headers(self) -> RawHeaders:
        headers = _more(self.more) if self.more else []
        headers.append((b"content-length", b"%d" % len(self.content)))
        if self.media_type is not None:
            headers.append((b"content-type", _with_charset(self.media_type)))
        return headers


def _more(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


@lru_cache(maxsize=8)
def _with_charset(media_type: str) -> bytes:
    return f"{media_type}; charset=utf-8".encode()
