"""Values of the domain as they are written outside: `forSec` for `for_sec`, `HIGH` for `Severity.HIGH`, `ratio: {…}` for a condition.

Reading adds everything that is wrong under its path, and goes on.
"""

import types
from collections.abc import Collection, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin

import msgspec

from app.domain.faults import Faults
from app.domain.rule import Condition

UNREADABLE = object()
"""What reading hands back for a value that it has found fault with."""

_OURS_ALONE = frozenset(("severity_step",))
_LONGEST_ECHO = 64
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def wire_name(name: str) -> str:
    """`for_sec` is `forSec` on the wire."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def field_types(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """By name, what is written of a struct."""
    return {field.name: field.type for field in _fields(kind) if field.name not in _OURS_ALONE}


def write(value: object, *, whole: bool = False) -> Any:
    """As lists, mappings, text and numbers; what a struct has by itself is left out, unless the `whole` is asked for."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple | list):
        return [write(one, whole=whole) for one in value]
    if not isinstance(value, msgspec.Struct):
        return value
    written = {
        wire_name(field.name): write(getattr(value, field.name), whole=whole)
        for field in _fields(type(value))
        if field.name not in _OURS_ALONE and (whole or field.required or getattr(value, field.name) != field.default)
    }
    family = value.__struct_config__.tag
    return written if family is None else {wire_name(str(family)): written}


def read_struct(value: object, kind: type[msgspec.Struct], path: str, faults: Faults) -> Any:
    required = {field.name for field in _fields(kind) if field.required}
    read = read_fields(value, field_types(kind), required, path, faults)
    return UNREADABLE if required - set(read) or UNREADABLE in read.values() else kind(**read)


def read_fields(value: object, kinds: Mapping[str, Any], required: Collection[str], path: str, faults: Faults) -> dict[str, Any]:
    """What was given, by the names of the domain; a value that could not be read is UNREADABLE."""
    if not isinstance(value, dict):
        faults.add(path, f"should be fields with their values, not {_said(value)}")
        return dict.fromkeys(required, UNREADABLE)
    names = {wire_name(name): name for name in kinds}
    for name in value:
        known = ", ".join(names)
        faults.require(name in names, below(path, name), f"is not known; there are {known}")
    for wire, name in names.items():
        faults.require(wire in value or name not in required, below(path, wire), "is missing")
    return {name: read(value[wire], kinds[name], below(path, wire), faults) for wire, name in names.items() if wire in value}


def read(value: object, kind: Any, path: str, faults: Faults) -> Any:
    """The value as `kind`, which is a type as a struct declares it."""
    if kind == Condition:
        return _read_condition(value, path, faults)
    arguments = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        [inner] = (one for one in arguments if one is not type(None))
        return None if value is None else read(value, inner, path, faults)
    if get_origin(kind) is tuple:
        return _read_list(value, arguments[0], path, faults)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read_word(value, kind, path, faults)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return read_struct(value, kind, path, faults)
    return _read_scalar(value, kind, path, faults)


def below(path: str, name: object) -> str:
    text = str(name)
    short = text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"
    return f"{path}.{short}" if path else short


def _read_condition(value: object, path: str, faults: Faults) -> Any:
    families = _families()
    if not isinstance(value, dict) or len(value) != 1:
        faults.add(path, f"should have exactly one family: {', '.join(families)}")
        return UNREADABLE
    [(family, inner)] = value.items()
    if family not in families:
        faults.add(below(path, family), f"is not known; there are {', '.join(families)}")
        return UNREADABLE
    return read_struct(inner, families[family], below(path, family), faults)


def _read_list(value: object, kind: Any, path: str, faults: Faults) -> Any:
    if not isinstance(value, list):
        faults.add(path, f"should be a list, not {_said(value)}")
        return UNREADABLE
    found = tuple(read(one, kind, f"{path}[{index}]", faults) for index, one in enumerate(value))
    return UNREADABLE if UNREADABLE in found else found


def _read_word(value: object, kind: type[Enum], path: str, faults: Faults) -> Any:
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    faults.add(path, f"should be {', '.join(kind.__members__)}, not {_said(value)}")
    return UNREADABLE


def _read_scalar(value: object, kind: Any, path: str, faults: Faults) -> Any:
    if kind is float and type(value) is int:
        # Beyond what a float holds it is as good as infinite, which the checks of values refuse.
        return float(value) if abs(value) < 10**300 else float("inf")
    if type(value) is kind:
        return value
    faults.add(path, f"should be {_WORDS[kind]}, not {_said(value)}")
    return UNREADABLE


def _said(value: object) -> str:
    match value:
        case None:
            return "null"
        case dict():
            return "fields"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return repr(value[:_LONGEST_ECHO])
        case int() | float():
            return "a number" if abs(value) > 1e15 else str(value)
        case _:
            return f"a {type(value).__name__}"


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


@cache
def _families() -> dict[str, type[msgspec.Struct]]:
    return {wire_name(str(kind.__struct_config__.tag)): kind for kind in get_args(Condition)}
