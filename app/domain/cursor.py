"""A cursor of a stream: an epoch, a time of issue, and a place in every lane that its holder follows. Opaque to clients."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.domain.ids import LANES
from app.errors import bad_field

_VERSION = 1


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """`positions`: lane -> the sequence number of the last event that its holder has had."""

    epoch: str
    issued_ms: int
    positions: Mapping[int, int]


def write_cursor(cursor: StreamCursor) -> str:
    flat = [number for lane in sorted(cursor.positions) for number in (lane, cursor.positions[lane])]
    packed = msgspec.msgpack.encode([_VERSION, cursor.epoch, cursor.issued_ms, flat])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_cursor(text: str) -> StreamCursor:
    """Raises BadInputError for what is no cursor of a stream."""
    refusal = bad_field("after", "is not a cursor of a stream; take one from streamCursor or from an event")
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, epoch, issued_ms, flat = msgspec.msgpack.decode(packed, type=tuple[int, str, int, list[int]])
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise refusal from error
    positions = dict(zip(flat[::2], flat[1::2], strict=False))
    sane = len(flat) % 2 == 0 and all(0 <= lane < LANES for lane in positions) and all(seq >= 0 for seq in positions.values())
    if version != _VERSION or not sane:
        raise refusal
    return StreamCursor(epoch, issued_ms, positions)
