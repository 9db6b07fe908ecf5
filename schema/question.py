"""What a subscriber asks, told apart from where it begins: subscribers of one question can be given one answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    parse,
    visit,
)
from graphql.language.visitor import Visitor

from app.principal import Principal

SHARED = "alertEvents"
_OF_ONES_OWN = frozenset(("deliveries", "channel", "channels"))
"""Fields that show one person what they hide from another: personal channels."""

Question = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """`after` is the variable that says where the stream begins; `of_ones_own` that people are shown different things."""

    after: str | None
    of_ones_own: bool


def question_of(
    query: str, operation_name: str | None, variables: Mapping[str, Any] | None, principal: Principal
) -> Question | None:
    """Equal for two subscribers whose answers are the same; None where the stream cannot be shared."""
    form = _form_of(query, operation_name)
    if form is None:
        return None
    asked = {name: value for name, value in (variables or {}).items() if name != form.after}
    written = msgspec.json.encode(asked, order="deterministic")
    who = principal.id if form.of_ones_own else None
    return (query, operation_name, written, principal.kind, principal.role, principal.tenant_ids, principal.device_keys, who)


def without_beginning(query: str, operation_name: str | None, variables: Mapping[str, Any] | None) -> dict[str, Any]:
    form = _form_of(query, operation_name)
    return {name: value for name, value in (variables or {}).items() if form is None or name != form.after}


@lru_cache(maxsize=512)
def _form_of(query: str, operation_name: str | None) -> _Form | None:
    if len(query) > 16_384:
        return None
    try:
        document = parse(query, max_tokens=4_000)
    except (GraphQLError, RecursionError):
        return None  # the general way says what is wrong
    operation = _operation(document, operation_name)
    if operation is None or operation.operation is not OperationType.SUBSCRIPTION or operation.directives:
        return None
    fields = operation.selection_set.selections
    [root, *more] = fields
    if more or not isinstance(root, FieldNode) or root.name.value != SHARED or root.directives:
        return None
    begins = next((argument.value for argument in root.arguments or () if argument.name.value == "after"), None)
    if begins is not None and not isinstance(begins, VariableNode):
        return None
    names = _Names()
    visit(document, names)
    after = None if begins is None else begins.name.value
    if after is not None and names.variables.count(after) > 2:
        return None  # it says more than where to begin: once is its definition, once the argument
    return _Form(after, not _OF_ONES_OWN.isdisjoint(names.fields))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
    return chosen[0] if len(chosen) == 1 else None


class _Names(Visitor):
    """The names of all fields and variables of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self.variables: list[str] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.fields.add(node.name.value)

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variables.append(node.name.value)
