"""The Strawberry schema as Fleetbeat runs it."""

from collections.abc import Iterable

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from schema.documents import KnownDocuments, remembered_documents
from schema.scalars import SCALAR_MAP


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

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log each with its traceback, also those that are the caller's."""
