"""Heads of requests as devices send them, read without a parser that knows all of HTTP.

Nothing is taken here but what can be understood in one way: a POST to `/graphql`, each header once, on a line of its own and of
plain characters, a body of a known length. Whatever else HTTP has is for uvicorn and its parser, which then gets the same bytes.
"""

import re
from typing import NamedTuple

LONGEST = 8_192
"""Bytes of a head that is read here."""

PATH = "/graphql"

_START = f"POST {PATH} HTTP/1.1\r\n".encode()
END_OF_HEAD = b"\r\n\r\n"
# A line, or a byte that belongs to none. llhttp takes more (tabs, bytes beyond ASCII, nothing at all); it may.
_LINES = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++): ?+([!-~][ -~]*+)(?<! )\r\n|[\x00-\xff]")
_LEFT_ALONE = frozenset(
    (
        b"content-encoding", b"expect", b"origin", b"proxy-connection", b"trailer", b"transfer-encoding", b"te", b"upgrade",
    )
)  # fmt: skip
"""They change what a request is, or who may ask: the ordinary way sees to them."""


class PlainRequest(NamedTuple):
    """A whole request: its headers by their names in lower case, and its body."""

    headers: dict[bytes, bytes]
    body: bytes


def plain_request(data: bytes) -> PlainRequest | None:
    """None for whatever is not exactly one such request from its first byte to its last."""
    if not data.startswith(_START):
        return None
    end = data.find(END_OF_HEAD, len(_START) - 2, LONGEST)
    if end < len(_START):
        return None
    lines = _LINES.findall(data, len(_START), end + 2)
    headers = {name.lower(): value for name, value in lines}
    length = headers.get(b"content-length", b"")
    if len(headers) != len(lines) or b"" in headers or not length.isdigit() or len(length) > 9:
        return None
    if len(data) - end - len(END_OF_HEAD) != int(length) or not _LEFT_ALONE.isdisjoint(headers):
        return None
    if headers.get(b"connection", b"keep-alive") != b"keep-alive":
        return None
    return PlainRequest(headers, data[end + len(END_OF_HEAD) :])
