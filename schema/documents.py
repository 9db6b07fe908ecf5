"""Documents that passed once are never parsed or validated again.

The cache is keyed by text: the nodes of graphql-core hash deeply and anew each time, and Strawberry's own two caches keep failures,
which over a socket end in a bare `complete`.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, cast

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from schema.limits import PARSE_LIMITS, FiniteNumbersRule, breaches


class KnownDocuments:
    """The documents seen last, bounded by the length of their texts together, since nodes take memory in proportion to it."""

    def __init__(self, most_characters: int = 262_144, longest: int = 16_384) -> None:
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()
        self._texts: dict[str, str] = {}
        self._characters = 0
        self._most_characters = most_characters
        self._longest = longest

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, text: str) -> DocumentNode | None:
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
        return document

    def text_of(self, digest: str) -> str | None:
        """The text whose SHA-256 this is, in lower case."""
        return self._texts.get(digest)

    def remember(self, text: str, document: DocumentNode) -> None:
        if len(text) > self._longest or text in self._documents:
            return
        self._documents[text] = document
        self._texts[digest_of(text)] = text
        self._characters += len(text)
        while self._characters > self._most_characters:
            oldest, _ = self._documents.popitem(last=False)
            del self._texts[digest_of(oldest)]
            self._characters -= len(oldest)


def operation_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The one operation of a document, where the request names it or none."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        return None
    [operation] = operations
    return operation if name is None or (operation.name is not None and operation.name.value == name) else None


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class KnownDocumentsExtension(SchemaExtension):
    """Takes a document from the cache, or holds it to the limits, has it validated and, when it passes, keeps it."""

    def __init__(self, known: KnownDocuments) -> None:
        self._known = known
        self._hit = False

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        if context.query and (document := self._known.get(context.query)) is not None:
            self._hit = True
            context.graphql_document = document
        else:
            # Strawberry's type knows only one of the parser's limits.
            cast(dict[str, Any], context.parse_options).update(PARSE_LIMITS)
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        document = context.graphql_document
        assert document is not None
        if error := self._undetermined(document):
            context.pre_execution_errors = [error]
        elif self._hit:
            context.validation_rules = ()
        elif errors := breaches(document):
            # Validation is skipped: it would take longest for exactly these.
            context.pre_execution_errors = errors
        else:
            context.validation_rules = (*context.validation_rules, FiniteNumbersRule)
        yield
        if not self._hit and not context.pre_execution_errors and context.query:
            self._known.remember(context.query, document)

    def _undetermined(self, document: DocumentNode) -> GraphQLError | None:
        """Strawberry would run the first of several operations where none is named."""
        if len(document.definitions) == 1 or self.execution_context._provided_operation_name is not None:
            return None
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        return GraphQLError("Name the operation: the document has several") if len(operations) > 1 else None


def remembered_documents(known: KnownDocuments) -> Callable[[], SchemaExtension]:
    """For `strawberry.Schema(extensions=[remembered_documents(known)])`: one cache for all requests."""
    return lambda: KnownDocumentsExtension(known)
