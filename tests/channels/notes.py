"""Messages for the tests of channels."""

from typing import Any

import msgspec

from app.channels.sample import sample_message
from app.domain.message import Message, Note
from tests.cast import NOW

DASHBOARD = "https://dash.example.com"


def message(event: str = "device.offline", bundle: int = 0, **fields: Any) -> Message:
    return msgspec.structs.replace(sample_message(event, NOW, DASHBOARD, bundle), **fields)


def note_of(one: Message) -> Note:
    assert one.note is not None
    return one.note


def about(one: Message, **fields: Any) -> Message:
    """The message with another alert in it."""
    note = note_of(one)
    return msgspec.structs.replace(
        one, notes=(msgspec.structs.replace(note, alert=msgspec.structs.replace(note.alert, **fields)),)
    )
