"""Variables straight from the body: types for msgspec, derived from the inputs of the schema.

They refuse whatever GraphQL refuses, and more: what GraphQL would coerce (one value for a list, 1.0 for an Int) is left to it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any, Literal, get_args, get_origin

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
        self._fields = _fields_of(decoded)

    def read(self, text: bytes) -> Any:
        """Raises an error of any kind where the variables are not certainly good."""
        value = self._decoder.decode(text).value
        # A typed decoder takes the last of repeated keys.
        if not self._has_every_colon(text, value):
            decode(text)
        return value if self._finish is None else self._finish(value)

    def _has_every_colon(self, text: bytes, value: Any) -> bool:
        """Whether certainly no key was dropped: each has a colon, so with as many as there are values there is none besides.

        It says no where inputs hold inputs, nulls, or texts with colons that may be written in another way.
        """
        if self._fields is None:
            return False
        kept = [self._fields(given) for given in value] if type(value) is list else [self._fields(value)]
        found = text.count(b":") - 1
        for fields in kept:
            found -= len(fields) - fields.count(None)
        return found == 0 or (
            found == sum([one.count(":") for fields in kept for one in fields if type(one) is str]) and b"\\u" not in text
        )


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


def _fields_of(decoded: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """All values of an input, or of one in a list of them; None where it is no input."""
    [one] = get_args(decoded) if get_origin(decoded) is list else [decoded]
    return msgspec.structs.astuple if isinstance(one, type) and issubclass(one, msgspec.Struct) else None


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
    frozen = made.__struct_config__.frozen
    # Where it may be changed, it is the domain's own from the start.
    bases = () if frozen or {name for name, *_ in fields} != set(made.__struct_fields__) else (made,)
    wire = msgspec.defstruct(
        kind.name, fields, bases=bases, rename=renamed, forbid_unknown_fields=True, kw_only=True, gc=bool(bases)
    )
    return wire, _completing(made, tuple(finishes)) if bases else _becoming(made, tuple(finishes))


def _completing(made: type[msgspec.Struct], finishes: tuple[tuple[str, Finish], ...]) -> Finish:
    """What was decoded is it already, but for what is left to do, and for defaults that are not None."""
    finish_of = dict(finishes)
    defaults = {field.name: field.default for field in msgspec.structs.fields(made) if field.default is not msgspec.NODEFAULT}
    names = [name for name in made.__struct_fields__ if name in finish_of or defaults.get(name) is not None]
    left = [(name, finish_of.get(name), defaults.get(name)) for name in names]
    values = attrgetter(*names)

    def complete(decoded: Any) -> Any:
        for (name, finish, default), value in zip(left, values(decoded), strict=True):
            if value is None:
                if default is not None:
                    setattr(decoded, name, default)
            elif finish is not None:
                setattr(decoded, name, finish(value))
        return decoded

    return complete


def _becoming(made: type[msgspec.Struct], finishes: tuple[tuple[str, Finish], ...]) -> Finish:
    as_dict = msgspec.structs.asdict

    def become(decoded: Any) -> msgspec.Struct:
        given = {name: value for name, value in as_dict(decoded).items() if value is not None}
        for name, finish in finishes:
            if name in given:
                given[name] = finish(given[name])
        return made(**given)

    return become
