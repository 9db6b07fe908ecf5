"""Variables straight from the body: types for msgspec, derived from the inputs of the schema.

They refuse whatever GraphQL refuses, and more: what GraphQL would coerce (one value for a list, 1.0 for an Int) is left to it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)
from msgspec import Meta

from schema.json_body import decode

DEFINITION = "strawberry-definition"
"""Under which name a type of graphql-core keeps what it was made from."""

Finish = Callable[[Any], Any]
"""From a value as msgspec decodes it to the value that the use case is given."""

# Beyond 2^53 not every whole number is a float: GraphQL has an opinion on each.
_SCALARS: Mapping[str, Any] = {
    "ID": str,
    "String": str,
    "Boolean": bool,
    "Int": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "Float": Annotated[float, Meta(gt=-(2.0**53), lt=2.0**53)],
    "DateTime": str,
    "JSON": object,
}


class UnfitError(Exception):
    """A type that has no counterpart here: operations with it go the general way."""


class Reader:
    """Reads the whole variables of an operation that has one, named `name`, of the type `kind`.

    `structs` says which struct of the domain an input becomes, by its name in the schema.
    """

    def __init__(self, name: str, kind: GraphQLInputType, structs: Mapping[str, type[msgspec.Struct]]) -> None:
        decoded, self._finish = _derived(kind, structs)
        # Unknown variables are fine in GraphQL. They are rare as well, so they may take the longer way.
        variables = msgspec.defstruct("Variables", [("value", decoded)], rename={"value": name}, forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(variables)

    def read(self, text: bytes) -> Any:
        """Raises an error of any kind where the variables are not certainly good."""
        value = self._decoder.decode(text).value
        # A typed decoder takes the last of repeated keys, and does not look at what it leaves out.
        decode(text)
        return value if self._finish is None else self._finish(value)


def _derived(kind: GraphQLInputType, structs: Mapping[str, type[msgspec.Struct]]) -> tuple[Any, Finish | None]:
    """The type that msgspec decodes, and what is left to do with its values."""
    if isinstance(kind, GraphQLNonNull):
        return _derived(kind.of_type, structs)
    if isinstance(kind, GraphQLList):
        if not isinstance(kind.of_type, GraphQLNonNull):
            raise UnfitError(f"{kind} may hold nulls")
        inner, finish = _derived(kind.of_type, structs)
        return list[inner], None if finish is None else _each(finish)  # type: ignore[valid-type]
    if isinstance(kind, GraphQLEnumType):
        names = _members(kind)
        return Literal[tuple(names)], names.__getitem__
    if isinstance(kind, GraphQLInputObjectType):
        return _struct(kind, structs)
    return _scalar(kind)


def _scalar(kind: GraphQLScalarType) -> tuple[Any, Finish | None]:
    if kind.name not in _SCALARS:
        raise UnfitError(f"{kind} is not known here")
    return _SCALARS[kind.name], kind.coerce_input_value if kind.name == "DateTime" else None


def _members(kind: GraphQLEnumType) -> dict[str, Enum]:
    wrapped: type[Enum] = kind.extensions[DEFINITION].wrapped_cls
    return {name: wrapped(value.value) for name, value in kind.values.items()}


def _each(finish: Finish) -> Finish:
    return lambda values: [finish(value) for value in values]


def _struct(kind: GraphQLInputObjectType, structs: Mapping[str, type[msgspec.Struct]]) -> tuple[Any, Finish]:
    """A struct with the names of the wire, and how it becomes the domain's: null and nothing are the same there."""
    made = structs.get(kind.name)
    if made is None or kind.is_one_of:
        raise UnfitError(f"{kind} is not known here")
    fields: list[Any] = []
    renamed: dict[str, str] = {}
    finishes: list[tuple[str, Finish]] = []
    for on_the_wire, field in kind.fields.items():
        name: str = field.extensions[DEFINITION].python_name
        decoded, finish = _derived(field.type, structs)
        renamed[name] = on_the_wire
        fields.append((name, decoded) if isinstance(field.type, GraphQLNonNull) else (name, decoded | None, None))
        if finish is not None:
            finishes.append((name, finish))
    wire = msgspec.defstruct(kind.name, fields, rename=renamed, forbid_unknown_fields=True, kw_only=True, gc=False)
    return wire, _becoming(made, tuple(finishes))


def _becoming(made: type[msgspec.Struct], finishes: tuple[tuple[str, Finish], ...]) -> Finish:
    as_dict = msgspec.structs.asdict

    def become(decoded: Any) -> msgspec.Struct:
        given = {name: value for name, value in as_dict(decoded).items() if value is not None}
        for name, finish in finishes:
            if name in given:
                given[name] = finish(given[name])
        return made(**given)

    return become
