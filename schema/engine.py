"""The Strawberry schema as Fleetbeat runs it."""

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Any, TypeGuard, cast

import strawberry
from graphql import DocumentNode, GraphQLError, execute
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from schema.documents import KnownDocuments, operation_of, remembered_documents
from schema.scalars import SCALAR_MAP

_is_awaitable = cast(Callable[[Any], TypeGuard[Awaitable[Any]]], optimized_is_awaitable)


class FleetbeatSchema(strawberry.Schema):
    """Known documents, our scalars, no guessing of names for those who probe.

    Errors are logged by the presenter, which knows what is expected and what is not.
    """

    def __init__(
        self,
        query: type,
        mutation: type | None = None,
        subscription: type | None = None,
        types: Iterable[type] = (),
        known: KnownDocuments | None = None,
    ) -> None:
        self.known = known if known is not None else KnownDocuments()
        super().__init__(
            query=query,
            mutation=mutation,
            subscription=subscription,
            types=types,
            extensions=[remembered_documents(self.known)],
            config=StrawberryConfig(scalar_map=SCALAR_MAP, disable_field_suggestions=True),
        )

    async def execute(  # noqa: PLR0913, PLR0917 - as Strawberry has it
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """What passed before is executed at once: Strawberry's stages for its extensions cost as much as the operation itself.
        Whatever is not plain goes through them, for the same answers."""
        document = self.known.get(query) if query else None
        if document is not None:
            operation = operation_of(document, operation_name)
            if operation is not None and OperationType(operation.operation.value) in (allowed_operation_types or ()):
                return await self._at_once(
                    document, variable_values, context_value, root_value, operation_name, operation_extensions
                )
        return await super().execute(
            query,
            variable_values=variable_values,
            context_value=context_value,
            root_value=root_value,
            operation_name=operation_name,
            allowed_operation_types=allowed_operation_types,
            operation_extensions=operation_extensions,
        )

    async def _at_once(
        self,
        document: DocumentNode,
        variables: dict[str, Any] | None,
        context: Any,
        root: Any,
        operation_name: str | None,
        extensions: dict[str, Any] | None,
    ) -> ExecutionResult:
        try:
            done = execute(
                self._schema,
                document,
                root_value=root,
                variable_values=variables,
                operation_name=operation_name,
                context_value=context,
                is_awaitable=_is_awaitable,
                executor_class=StrawberryGraphQLCoreExecutionContext,
                operation_extensions=extensions,
            )
            result = await done if isawaitable(done) else done
        except Exception as error:  # noqa: BLE001 - the presenter knows what to say of it
            unexpected = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            return ExecutionResult(data=None, errors=[unexpected])
        return ExecutionResult(data=result.data, errors=result.errors)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log each with its traceback, also those that are the caller's."""
