"""GraphQL: types, resolvers, and the transport."""

# Before anything else here: Strawberry names an enum by its Python name when it meets it first in a type.
import schema.enums  # noqa: F401
