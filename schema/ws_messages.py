"""The frames that a client may send, as PROTOCOL.md of graphql-ws has them."""

from typing import Any, Literal, TypeGuard

import msgspec

_FROM_THE_SERVER = ("connection_ack", "next", "error")


class BadMessageError(Exception):
    """A frame that breaks the protocol: the socket closes with 4400 and this reason."""


def check(message: object) -> dict[str, Any]:
    """The message, with every member of the type that the protocol gives it."""
    if not isinstance(message, dict):
        raise BadMessageError(f"Message is expected to be an object, but got {_kind(message)}")
    kind = message.get("type")
    if kind in ("connection_init", "ping", "pong"):
        _expect(_is_object_or_null(message.get("payload")), kind, "payload", "an object, null or left out")
    elif kind in ("subscribe", "complete"):
        _expect(_is_id(message.get("id")), kind, "id", "a string that is not empty")
        if kind == "subscribe":
            _check_payload(message.get("payload"))
    elif kind in _FROM_THE_SERVER:
        raise BadMessageError(f"Unexpected message of type {kind} received")
    elif not isinstance(kind, str):
        raise BadMessageError("Message is missing the 'type' property" if kind is None else "Message type must be a string")
    else:
        raise BadMessageError(f"Invalid message type {kind[:40]!r}")
    return message


class Subscribing(msgspec.Struct, frozen=True, gc=False):
    """A frame that starts an operation, its payload as it is written."""

    id: str
    payload: bytes


class _SubscribeFrame(msgspec.Struct, gc=False):
    id: msgspec.Raw
    type: Literal["subscribe"]
    payload: msgspec.Raw


_frames = msgspec.json.Decoder(_SubscribeFrame)
_ids = msgspec.json.Decoder(str)


def subscribing(text: str) -> Subscribing | None:
    """For those who need no more of a frame than this; None for every other frame, and for one that is not certainly good."""
    if '"subscribe"' not in text:
        return None
    try:
        frame = _frames.decode(text)
        operation_id, payload = _ids.decode(frame.id), bytes(frame.payload)
    except ValueError:
        return None
    # Three members and no more: a member that is unknown, or there twice, would have a colon of its own.
    if not operation_id or text.count(":") != bytes(frame.id).count(b":") + payload.count(b":") + 3:
        return None
    return Subscribing(operation_id, payload)


def _check_payload(payload: object) -> None:
    _expect(isinstance(payload, dict), "subscribe", "payload", "an object")
    assert isinstance(payload, dict)
    _expect(isinstance(payload.get("query"), str), "subscribe", "query", "a string")
    name = payload.get("operationName")
    _expect(name is None or isinstance(name, str), "subscribe", "operationName", "a string, null or left out")
    for member in ("variables", "extensions"):
        _expect(_is_object_or_null(payload.get(member)), "subscribe", member, "an object, null or left out")


def _expect(holds: bool, kind: str, member: str, what: str) -> None:
    if not holds:
        raise BadMessageError(f"The {member} of {kind!r} must be {what}")


def _is_object_or_null(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names.get(type(value), "something else")
