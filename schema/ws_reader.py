"""Messages out of what a client writes: the library takes frames apart, their parts are put together here."""

import logging
from collections.abc import Iterator
from enum import Enum

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol as Framing, Side

_log = logging.getLogger("uvicorn.error")
_LONGEST_REASON = 120


class Said(Enum):
    """What is no message of text."""

    BINARY = "binary"
    GARBLED = "garbled"
    """A text that is no UTF-8."""

    PONG = "pong"
    CLOSE = "close"


class Reader:
    """Of one client. What has to be answered by the rules of the frames alone is in `answers`."""

    __slots__ = ("_framing", "_is_text", "_parts")

    def __init__(self, max_size: int) -> None:
        self._framing = Framing(Side.SERVER, max_size=max_size, logger=_log)
        self._parts: bytearray | None = None
        self._is_text = False

    @property
    def broken(self) -> bool:
        """Whether the client broke the rules: nothing that it writes is read any more."""
        return self._framing.parser_exc is not None

    def read(self, data: bytes) -> Iterator[str | Said]:
        self._framing.receive_data(data)
        for frame in self._framing.events_received():
            assert isinstance(frame, Frame)
            if (said := self._said(frame)) is not None:
                yield said

    def answers(self) -> bytes:
        """What is to be written now, among it what `close` and `fail` say."""
        return b"".join(self._framing.data_to_send())

    def close(self, code: int, reason: str) -> None:
        if self._framing.state is OPEN:
            # A frame holds 123 bytes of reason; more is an error in the library.
            self._framing.send_close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))

    def fail(self, code: int, reason: str) -> None:
        """As `close`, but nothing more is read."""
        self._framing.fail(code, reason)

    def end(self) -> None:
        """Nothing comes any more. What waits for the next byte is let go of, or only the collector of cycles would find it."""
        self._framing.parser.close()

    def _said(self, frame: Frame) -> str | Said | None:
        match frame.opcode:
            case Opcode.PONG:
                return Said.PONG
            case Opcode.CLOSE:
                return Said.CLOSE
            case Opcode.PING:
                return None
            case Opcode.TEXT | Opcode.BINARY:
                self._is_text = frame.opcode is Opcode.TEXT
                if frame.fin:
                    return self._message(frame.data)
                self._parts = bytearray(frame.data)
                return None
        assert self._parts is not None
        # One buffer: parts without content are not counted by `max_size`, and must not add up.
        self._parts += frame.data
        if not frame.fin:
            return None
        parts, self._parts = self._parts, None
        return self._message(parts)

    def _message(self, data: bytes | bytearray | memoryview) -> str | Said:
        if not self._is_text:
            return Said.BINARY
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError:
            return Said.GARBLED
