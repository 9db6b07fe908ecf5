"""JSON as the RFC has it: no NaN, no infinity, no lone surrogate, no key twice, and each of them named by its path."""

import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from app.errors import BadInputError, FieldError

_MOST_FAULTS = 50
_encoder = msgspec.json.Encoder()


class MalformedJsonError(BadInputError):
    """Text that is no JSON at all."""

    def __init__(self, why: str) -> None:
        super().__init__([FieldError("", why)], f"The request is no valid JSON: {why}")


class UnsafeJsonError(BadInputError):
    """JSON in shape, with values that JSON does not have; `lenient` is the rest of it, with null in their place."""

    def __init__(self, fields: Sequence[FieldError], lenient: Any) -> None:
        super().__init__(fields)
        self.lenient = lenient


class _Fault:
    """Stands in a leniently read tree where a value cannot be taken."""

    def __init__(self, message: str) -> None:
        self.message = message


class _RepeatedKeyError(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _RepeatedKeyError


# msgspec judges everything but repeated keys, of which it silently takes the last.
_repeated_keys = json.JSONDecoder(object_pairs_hook=_once)


def decode(text: bytes | str) -> Any:
    """Raises `MalformedJsonError` or `UnsafeJsonError`."""
    try:
        value = msgspec.json.decode(text)
        if not _has_every_colon(text, value):
            _repeated_keys.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise _refusal(text, error) from None
    return value


def _has_every_colon(text: bytes | str, value: Any) -> bool:
    """Whether certainly no key was dropped: each has a colon, and so no text with as many as what was read of it repeats one."""
    kept = _encoder.encode(value).count(b":")
    if isinstance(text, str):
        return text.count(":") == kept and "\\u" not in text
    # An escape could hide a colon of its own.
    return text.count(b":") == kept and b"\\u" not in text


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def encode_text(value: Any) -> str:
    """For WebSocket frames: bytes would become binary frames, which no client reads."""
    return _encoder.encode(value).decode()


def _constant(name: str) -> _Fault:
    return _Fault(f"{name.removeprefix('-')} is no JSON number; leave the field out or send null")


def _float(digits: str) -> float | _Fault:
    value = float(digits)
    return value if math.isfinite(value) else _Fault(f"{digits[:40]} is beyond the range of a number")


def _int(digits: str) -> int | _Fault:
    try:
        return int(digits)
    except ValueError:
        return _Fault(f"{digits[:40]}… is beyond the range of a number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Fault("the key stands more than once") if key in found else value
    return found


_lenient = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float, parse_int=_int)


def _refusal(text: bytes | str, error: Exception) -> BadInputError:
    """Reads the text again, slowly, to say all that is wrong with it and where."""
    faults: list[FieldError] = []
    try:
        tree = _lenient.decode(text if isinstance(text, str) else text.decode())
        clean = _without_faults(tree, "", faults)
    except RecursionError:
        return MalformedJsonError("nested too deeply")
    except UnicodeDecodeError:
        return MalformedJsonError("not UTF-8")
    except ValueError as problem:
        return MalformedJsonError(str(problem))
    if not faults:
        return MalformedJsonError(str(error))
    return UnsafeJsonError(faults[:_MOST_FAULTS], clean)


def _without_faults(value: Any, path: str, faults: list[FieldError]) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_faults(child, f"{path}.{_printable(key)}" if path else _printable(key), faults)
            for key, child in value.items()
            if _checked_text(key, path, faults) is not None
        }
    if isinstance(value, list):
        return [_without_faults(child, f"{path}[{index}]", faults) for index, child in enumerate(value)]
    if isinstance(value, _Fault):
        faults.append(FieldError(path, value.message))
        return None
    return _checked_text(value, path, faults) if isinstance(value, str) else value


def _checked_text(text: str, path: str, faults: list[FieldError]) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        faults.append(FieldError(path, "a lone surrogate is no character"))
        return None
    return text


def _printable(key: str) -> str:
    return key.encode(errors="replace").decode()
