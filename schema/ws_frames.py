"""Frames that a server sends, whole and unmasked: https://www.rfc-editor.org/rfc/rfc6455#section-5.2."""

PING = b"\x89\x00"


def text_frame(text: bytes) -> bytes:
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text
