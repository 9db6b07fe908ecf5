"""How much a document may ask for. Sized so that introspection and any sane dashboard pass."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationRule,
    VisitorAction,
)

from app.errors import TooComplexError, bad_field

MAX_DEPTH = 12
MAX_ALIASES = 30
MAX_ROOT_FIELDS = 20
MAX_FIELDS = 2_000
MAX_DIRECTIVES = 50
MAX_TOKENS = 2_000
MAX_SOURCE_LENGTH = 100_000

PARSE_LIMITS = {"max_lexical_tokens": MAX_TOKENS, "max_source_length": MAX_SOURCE_LENGTH, "max_comments": 1_000}
_PARSER_STOPPED = "Parsing aborted."


@dataclass(frozen=True, slots=True)
class Cost:
    """What a selection asks for once its fragments are spread out."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    roots: int = 0

    @classmethod
    def together(cls, costs: Iterable["Cost"]) -> "Cost":
        depth = aliases = fields = roots = 0
        for cost in costs:
            depth = max(depth, cost.depth)
            aliases += cost.aliases
            fields += cost.fields
            roots += cost.roots
        return cls(depth, aliases, fields, roots)


class _Measuring:
    """Measures each fragment once: fragments that spread each other twice over would take exponential time otherwise."""

    def __init__(self, document: DocumentNode) -> None:
        self.directives = 0
        self._fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        self._measured: dict[str, Cost] = {}

    def fragment(self, name: str) -> Cost:
        if name not in self._measured:
            # An unknown fragment, or one that spreads itself, costs nothing here: validation refuses it.
            self._measured[name] = Cost()
            if (node := self._fragments.get(name)) is not None:
                self._count(node.directives)
                self._measured[name] = self.selections(node.selection_set)
        return self._measured[name]

    def operation(self, node: OperationDefinitionNode) -> Cost:
        self._count(node.directives)
        for variable in node.variable_definitions or ():
            self._count(variable.directives)
        return self.selections(node.selection_set)

    def selections(self, node: SelectionSetNode) -> Cost:
        return Cost.together([self._selection(selection) for selection in node.selections])

    def _count(self, directives: Sequence[object] | None) -> None:
        self.directives += len(directives or ())

    def all_fragments(self) -> None:
        for name in self._fragments:
            self.fragment(name)

    def _selection(self, node: SelectionNode) -> Cost:
        self._count(node.directives)
        if isinstance(node, FieldNode):
            return self._field(node)
        if isinstance(node, InlineFragmentNode):
            return self.selections(node.selection_set)
        return self.fragment(node.name.value) if isinstance(node, FragmentSpreadNode) else Cost()

    def _field(self, node: FieldNode) -> Cost:
        inner = self.selections(node.selection_set) if node.selection_set is not None else Cost()
        # Introspection is as deep as types nest; graphql-core has a rule of its own for it.
        depth = 0 if node.name.value.startswith("__") else 1 + inner.depth
        return Cost(depth, inner.aliases + (node.alias is not None), inner.fields + 1, 1)


def breaches(document: DocumentNode) -> list[GraphQLError]:
    """One error for each limit that the document goes over."""
    measuring = _Measuring(document)
    try:
        costs = [measuring.operation(node) for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        measuring.all_fragments()
    except RecursionError:
        return [_breach("The document's fragments are nested too deeply")]
    asked = (
        ("levels of fields", max((cost.depth for cost in costs), default=0), MAX_DEPTH),
        ("aliases", sum(cost.aliases for cost in costs), MAX_ALIASES),
        ("fields at the root", max((cost.roots for cost in costs), default=0), MAX_ROOT_FIELDS),
        ("fields", sum(cost.fields for cost in costs), MAX_FIELDS),
        ("directives", measuring.directives, MAX_DIRECTIVES),
    )
    return [
        _breach(f"The document has too many {what}: {count:.10g} of at most {most}")
        for what, count, most in asked
        if count > most
    ]


def parser_breach(error: GraphQLError) -> TooComplexError | None:
    """The parser reports its limits as syntax errors; this tells them apart."""
    return TooComplexError(error.message.removeprefix("Syntax Error: ")) if error.message.endswith(_PARSER_STOPPED) else None


def _breach(message: str) -> GraphQLError:
    return GraphQLError(message, original_error=TooComplexError(message))


class FiniteNumbersRule(ValidationRule):
    """graphql-core reads the literal 1e999 as infinity and hands it on."""

    def enter_float_value(self, node: FloatValueNode, *_args: object) -> VisitorAction:
        return self._check(node)

    def enter_int_value(self, node: IntValueNode, *_args: object) -> VisitorAction:
        return self._check(node)

    def _check(self, node: FloatValueNode | IntValueNode) -> VisitorAction:
        if not math.isfinite(float(node.value)):
            refused = bad_field("query", f"{node.value[:40]} is beyond the range of a number")
            self.report_error(GraphQLError(refused.message, node, original_error=refused))
        return None
