"""Answers from a template: everything but the values is written once, when the operation is compiled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    SelectionSetNode,
)

from schema.compiled.variables import DEFINITION, UnfitError
from schema.json_body import encode

Write = Callable[[Any], bytes]
"""From what a use case gives back to the JSON of the answer."""

Fragments = Mapping[str, FragmentDefinitionNode]
_NULL = b"null"


def fields_of(selections: Sequence[SelectionSetNode], fragments: Fragments) -> dict[str, list[FieldNode]]:
    """The fields of selections by the names that they have in the answer, in its order, with every node of each.

    Fragments need no look at their types: of an object they can only be about its own, or the document would not be valid.
    """
    found: dict[str, list[FieldNode]] = {}
    for selection_set in selections:
        for node in _spread(selection_set, fragments, set()):
            found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
    return found


def _spread(selection_set: SelectionSetNode, fragments: Fragments, seen: set[str]) -> Iterator[FieldNode]:
    for node in selection_set.selections:
        if node.directives:
            raise UnfitError("directives depend on variables")
        if isinstance(node, FieldNode):
            yield node
            continue
        fragment: Any = node
        if isinstance(node, FragmentSpreadNode):
            if node.name.value in seen:
                continue
            seen.add(node.name.value)
            fragment = fragments[node.name.value]
            if fragment.directives:
                raise UnfitError("directives depend on variables")
        yield from _spread(fragment.selection_set, fragments, seen)


def writer(kind: GraphQLOutputType, nodes: Sequence[FieldNode], fragments: Fragments) -> Write:
    """For the values of a field of that type, as those nodes select it. Raises UnfitError for what has no place here."""
    if isinstance(kind, GraphQLNonNull):
        return writer(kind.of_type, nodes, fragments)
    if isinstance(kind, GraphQLList):
        return partial(_list, _nullable(kind.of_type, nodes, fragments))
    if isinstance(kind, GraphQLObjectType):
        selections = [node.selection_set for node in nodes if node.selection_set is not None]
        return _object(kind, fields_of(selections, fragments), fragments)
    if isinstance(kind, GraphQLEnumType):
        # By identity: enums hash in Python.
        texts = {id(member): encode(kind.coerce_output_value(member)) for member in kind.extensions[DEFINITION].wrapped_cls}
        return lambda value: texts[id(value)]
    if isinstance(kind, GraphQLScalarType):
        return _scalar(kind)
    raise UnfitError(f"{kind} is not known here")


def _scalar(kind: GraphQLScalarType) -> Write:
    if kind.name == "Boolean":
        return {True: b"true", False: b"false"}.__getitem__
    if kind.name in ("String", "ID"):
        return encode
    serialize = kind.coerce_output_value
    if kind.name == "Int":
        return lambda value: b"%d" % value if type(value) is int and -(2**31) <= value < 2**31 else encode(serialize(value))
    return lambda value: encode(serialize(value))


def _nullable(kind: GraphQLOutputType, nodes: Sequence[FieldNode], fragments: Fragments) -> Write:
    write = writer(kind, nodes, fragments)
    return write if isinstance(kind, GraphQLNonNull) else lambda value: _NULL if value is None else write(value)


def _list(write: Write, values: Sequence[Any]) -> bytes:
    return b"[" + b",".join([write(value) for value in values]) + b"]"


def _object(kind: GraphQLObjectType, fields: Mapping[str, Sequence[FieldNode]], fragments: Fragments) -> Write:
    parts: list[str] = []
    names: list[str] = []
    writes: list[Write] = []
    for key, nodes in fields.items():
        name = nodes[0].name.value
        if name == "__typename":
            parts.append(f'"{key}":"{kind.name}"')
            continue
        field = kind.fields[name]
        definition = field.extensions[DEFINITION]
        if definition.base_resolver is not None or any(node.arguments for node in nodes):
            raise UnfitError(f"{kind}.{name} is computed")
        parts.append(f'"{key}":%b')
        names.append(definition.python_name)
        writes.append(_nullable(field.type, nodes, fragments))
    template = f"{{{','.join(parts)}}}".encode()
    if not names:
        return lambda _: template
    values = attrgetter(*names)
    if len(names) == 1:
        only = writes[0]
        return lambda value: template % only(values(value))
    if len(names) == 3:
        # As devices ask for it.
        first, second, third = writes

        def three(value: Any) -> bytes:
            one, two, last = values(value)
            return template % (first(one), second(two), third(last))

        return three
    return lambda value: template % tuple([write(one) for write, one in zip(writes, values(value), strict=True)])
