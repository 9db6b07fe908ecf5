"""JSON as nobody should write it: values in all spellings, keys twice, and what is no JSON at all."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Token:
    """Stands as it is in the text."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """An object by its members, of which some may have the same name."""

    members: tuple[tuple[str, Any], ...]


def spelled(value: Any, *, ascii_only: bool = False, blank: str = "") -> str:
    """The text of a value. `blank` stands wherever JSON lets it."""

    def text(value: Any) -> str:
        if isinstance(value, Token):
            return value.text
        if isinstance(value, dict):
            value = Pairs(tuple(value.items()))
        if isinstance(value, Pairs):
            inner = f"{blank},{blank}".join(f"{text(key)}{blank}:{blank}{text(one)}" for key, one in value.members)
            return f"{{{blank}{inner}{blank}}}"
        if isinstance(value, list):
            return f"[{blank}{f'{blank},{blank}'.join(map(text, value))}{blank}]"
        return json.dumps(value, ensure_ascii=ascii_only)

    return text(value)


def literal(value: Any) -> str:
    """A value as a constant of GraphQL. Enums are Tokens."""
    if isinstance(value, Token):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(map(literal, value)) + "]"
    return json.dumps(value)
