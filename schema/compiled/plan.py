"""A plan: all that an operation says, worked out once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    located_error,
    print_ast,
)
from graphql.execution.values import get_argument_values
from strawberry.types.arguments import convert_arguments

from app.context import Context
from app.principal import Principal
from schema.compiled.answer import Write, fields_of, writer
from schema.compiled.hot_fields import HOT_FIELDS, STRUCTS, HotField
from schema.compiled.variables import DEFINITION, Reader, UnfitError

_NO_VARIABLES = frozenset((b"", b"null", b"{}"))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one operation: `argument` reads what the use case is given from the text of the variables."""

    operation_name: str | None
    field: HotField
    argument: Callable[[bytes], Any]
    write: Write
    key: str
    nodes: list[FieldNode]

    async def run(self, context: Context, principal: Principal, argument: Any) -> bytes:
        """The JSON of `data`. Raises GraphQLError, as the executor would collect it."""
        try:
            return self.write(await self.field.use_case(context, principal, argument))
        except Exception as error:  # noqa: BLE001 - the presenter tells them apart
            raise located_error(error, self.nodes, [self.key]) from None


def compiled(schema: strawberry.Schema, document: DocumentNode) -> Plan | None:
    """The plan of a document that was validated; None for what only the general way can run."""
    try:
        return _compiled(schema, document)
    except (UnfitError, GraphQLError):
        return None


def _compiled(schema: strawberry.Schema, document: DocumentNode) -> Plan:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    if len(operations) != 1 or operations[0].operation is not OperationType.MUTATION or operations[0].directives:
        raise UnfitError("not a single mutation")
    [operation] = operations
    roots = fields_of([operation.selection_set], fragments)
    asked = [(key, nodes) for key, nodes in roots.items() if nodes[0].name.value != "__typename"]
    if len(asked) != 1:
        raise UnfitError("not a single field at the root")
    [(key, nodes)] = asked
    hot = HOT_FIELDS.get(nodes[0].name.value)
    root = schema._schema.mutation_type
    field = None if hot is None or root is None else root.fields.get(hot.name)
    if root is None or hot is None or field is None or field.extensions[DEFINITION].origin is not hot.origin:
        raise UnfitError("not a hot field")
    return Plan(
        operation_name=operation.name.value if operation.name else None,
        field=hot,
        argument=_argument(schema, operation, field, hot, nodes[0]),
        write=_data(root.name, roots, key, writer(field.type, nodes, fragments)),
        key=key,
        nodes=nodes,
    )


def _argument(
    schema: strawberry.Schema, operation: OperationDefinitionNode, field: GraphQLField, hot: HotField, node: FieldNode
) -> Callable[[bytes], Any]:
    [argument] = node.arguments or ()
    if not isinstance(argument.value, VariableNode):
        return _constant(schema, operation, field, hot, node)
    [variable] = operation.variable_definitions or ()
    kind = field.args[hot.argument].type
    if variable.default_value is not None or variable.directives or print_ast(variable.type) != str(kind):
        raise UnfitError("a variable that is more than the argument")
    return Reader(variable.variable.name.value, kind, STRUCTS).read


def _constant(
    schema: strawberry.Schema, operation: OperationDefinitionNode, field: GraphQLField, hot: HotField, node: FieldNode
) -> Callable[[bytes], Any]:
    if operation.variable_definitions:
        raise UnfitError("a constant with variables in it")
    definition = field.extensions[DEFINITION]
    values = get_argument_values(field, node)
    registry = schema.schema_converter.scalar_registry
    written = convert_arguments(values, definition.arguments, registry, schema.config)[hot.argument]

    def taken(variables: bytes) -> Any:
        if variables not in _NO_VARIABLES:
            raise UnfitError("variables that nobody asked for")
        return hot.taken(written)

    return taken


def _data(root: str, roots: dict[str, list[FieldNode]], key: str, write: Write) -> Write:
    parts = [f'"{name}":%b' if name == key else f'"{name}":"{root}"' for name in roots]
    template = f"{{{','.join(parts)}}}".encode()
    return lambda value: template % write(value)
