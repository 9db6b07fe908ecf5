from functools import partial
from typing import Any

import pytest
import strawberry
from graphql import get_introspection_query, parse
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from schema.documents import KnownDocuments
from schema.engine import FleetbeatSchema
from schema.limits import breaches
from tests.api.transport.toy import Mutation, Query, Subscription, ToyContext, World


async def test_a_document_that_passed_is_parsed_and_validated_once() -> None:
    known = KnownDocuments()
    schema = FleetbeatSchema(Query, known=known)
    query = "query ($t: String!) { echo(text: $t) }"
    for text in ("a", "b"):
        result = await schema.execute(query, {"t": text})
        assert (result.data, result.errors) == ({"echo": text}, None)
    assert len(known) == 1
    # What the cache holds is what runs: another document under the same text is believed.
    known = KnownDocuments()
    known.remember(query, parse("{ whole }"))
    assert (await FleetbeatSchema(Query, known=known).execute(query)).data == {"whole": 3}


@pytest.mark.parametrize(
    ("query", "variables", "name"),
    [
        ("{ echo whole }", None, None),
        ('query A { again: echo(text: "x") ...More } fragment More on Query { whole __typename }', None, "A"),
        ("query A { echo }", None, "B"),
        ("query A { echo } query B { whole }", None, "B"),
        ("query A { echo } query B { whole }", None, None),
        ("query ($t: String!) { echo(text: $t) }", {"t": 3}, None),
        ("query ($t: String!) { echo(text: $t) }", {}, None),
        ("query ($t: String!) { echo(text: $t) }", None, None),
        ("query ($t: String!) { echo(text: $t) }", {"t": "a", "other": 1}, None),
        ("query ($skip: Boolean!) { echo whole @skip(if: $skip) }", {"skip": True}, None),
        ("{ node { broken } whole }", None, None),
        ("{ tooBig }", None, None),
        ("mutation ($b: BeatInput!) { beat(input: $b) }", {"b": {"deviceId": 7}}, None),
        ("subscription { count(to: 2) }", None, None),
    ],
)
async def test_what_is_known_is_answered_as_it_was_at_first(
    query: str, variables: dict[str, Any] | None, name: str | None
) -> None:
    known = KnownDocuments()
    schema = FleetbeatSchema(Query, Mutation, Subscription, known=known)
    known.remember(query, parse(query))
    allowed = {OperationType.QUERY, OperationType.MUTATION}
    said: list[object] = []
    for execute in (partial(strawberry.Schema.execute, schema), schema.execute):
        try:
            result = await execute(
                query, variable_values=variables, operation_name=name, allowed_operation_types=allowed, context_value=None
            )
            said.append((result.data, [error.formatted for error in result.errors or ()]))
        except (CannotGetOperationTypeError, InvalidOperationTypeError) as error:
            said.append((type(error), str(error)))
    assert said[0] == said[1]


async def test_only_documents_that_passed_are_kept() -> None:
    known = KnownDocuments()
    schema = FleetbeatSchema(Query, known=known)
    for _ in range(2):
        for query in ("{", "{ nothing }", "{ " + "echo " * 30 + "}", "query A { echo } query B { echo }"):
            assert (await schema.execute(query)).errors
    assert len(known) == 0


async def test_a_kept_document_with_several_operations_still_asks_which() -> None:
    known = KnownDocuments()
    schema = FleetbeatSchema(Query, known=known)
    query = "query A { echo } query B { whole }"
    assert (await schema.execute(query, operation_name="B")).data == {"whole": 3}
    assert (await schema.execute(query)).errors
    assert (await schema.execute(query, operation_name="A")).data == {"echo": "hello"}


async def test_a_subscription_is_kept_as_well() -> None:
    known = KnownDocuments()
    schema = FleetbeatSchema(Query, subscription=Subscription, known=known)
    for _ in range(2):
        results = await schema.subscribe("subscription { count(to: 2) }")
        assert [result.data async for result in results] == [{"count": 0}, {"count": 1}]
    assert len(known) == 1


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago() -> None:
    known = KnownDocuments(most_characters=30, longest=20)
    texts = ["{ a      }", "{ b      }", "{ c      }"]
    for text in texts:
        known.remember(text, parse(text))
    assert known.get(texts[0]) is not None
    known.remember("{ d      }", parse("{ d }"))
    assert [known.get(text) is not None for text in texts] == [True, False, True]
    known.remember("{ " + "e" * 30 + " }", parse("{ e }"))
    assert len(known) == 3


def test_introspection_passes_the_limits() -> None:
    assert breaches(parse(get_introspection_query(input_value_deprecation=True, specified_by_url=True))) == []


async def test_introspection_is_answered() -> None:
    world = World()
    assert (await FleetbeatSchema(Query).execute(get_introspection_query(), context_value=ToyContext)).errors is None
    assert world.contexts == []
