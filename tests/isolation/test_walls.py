"""Nobody sees or changes anything of a tenant that is not theirs, whatever they ask and however they ask it."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from app.principal import Principal
from schema.alerts import alert
from schema.build import build_schema
from schema.context import OperationContext
from schema.errors import ErrorPresenter
from tests.cast import mate, owner, root, viewer
from tests.isolation.operations import OPERATIONS, WELL, Operation
from tests.isolation.world import CALLERS, OTHER, World, betrays, outsider, tenant_of
from tests.realtime.log import PATIENCE_SEC
from tests.wire import answer, ask

Answer = dict[str, Any]


async def follow(world: World, principal: Principal, operation: Operation, variables: dict[str, Any], other: str) -> Answer:
    """So many results of a stream. While it goes on, things happen in the other tenant, and then in the caller's own."""
    own = tenant_of(principal)
    context = OperationContext(world.context, principal, world.hub, alert)
    results = await build_schema().subscribe(operation.document, variable_values=variables, context_value=context)
    data: list[Any] = []
    async with asyncio.timeout(PATIENCE_SEC), aclosing(results) as stream, asyncio.TaskGroup() as beside:
        if not operation.begins:
            beside.create_task(world.stir(other, own))
        async for result in stream:
            if result.errors:
                return {"data": None, "errors": ErrorPresenter().present_all(result.errors)}
            data.append(result.data)
            if len(data) == operation.heard:
                break
            await world.stir(other, own)
    return {"data": data, "errors": []}


async def asked(world: World, who: str, operation: Operation, other: str) -> Answer:
    variables = operation.variables(world.things["acme"], who)
    if operation.heard:
        return await follow(world, CALLERS[who], operation, variables, other)
    answered = await answer(world.context, CALLERS[who], operation.document, **variables)
    await world.context.intake.drain()
    return answered


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.root} {operation.how}")
async def test_nobody_sees_or_changes_what_is_not_theirs(world: World, operation: Operation) -> None:
    for who, principal in CALLERS.items():
        own = tenant_of(principal)
        other = OTHER if own == "acme" else "acme"
        before = {tenant_id: world.kept(tenant_id) for tenant_id in (own, other, None)}
        answered = await asked(world, who, operation, other)
        assert [error["extensions"]["code"] for error in answered["errors"]] == [code for code in [operation.code(who)] if code]
        assert not betrays(answered["data"], other), who
        assert f"of {other}" not in str(answered["errors"]), who
        assert world.kept(None) == before[None], who
        if operation.heard:
            continue
        assert world.kept(other) == before[other], who
        changed = world.kept(own) != before[own]
        assert not changed or not (operation.is_read or answered["errors"]), who
        # What is asked for is really there to be seen or changed.
        shown = betrays(answered["data"], own) or operation.root == "Query.systemStatus"
        assert who != "owner" or operation.code(who) != WELL or changed or shown


def test_every_root_field_has_its_place_in_the_table() -> None:
    schema = build_schema()._schema
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    fields = {f"{root.name}.{name}" for root in roots if root is not None for name in root.fields}
    assert {operation.root for operation in OPERATIONS} == fields


FIGURES = """{
  overview { devices { total } devicesOnline activeAlerts alertsBySeverity { key count } }
  alerts { totalCount facets { status { key count } severity { count } rule { key count } store { key count } tenant { count } } }
  devices { totalCount }
  alertRules { key openAlerts }
}"""


async def test_figures_count_ones_own_alone(world: World) -> None:
    for principal, times in ((owner, 1), (mate, 1), (viewer, 1), (outsider, 1), (root, 2)):
        shown = await ask(world.context, principal, FIGURES)
        assert shown["overview"]["devices"] == {"total": 2 * times}
        assert (shown["overview"]["devicesOnline"], shown["overview"]["activeAlerts"]) == (2 * times, 4 * times)
        assert [one["count"] for one in shown["overview"]["alertsBySeverity"] if one["key"] == "MEDIUM"] == [4 * times]
        assert (shown["alerts"]["totalCount"], shown["devices"]["totalCount"]) == (6 * times, 2 * times)
        assert {name: sum(one["count"] for one in counts) for name, counts in shown["alerts"]["facets"].items()} == dict.fromkeys(
            ("status", "severity", "rule", "store", "tenant"), 6 * times
        )
        assert [one["openAlerts"] for one in shown["alertRules"] if one["key"] == "hot"] == [2] * times


async def test_a_cursor_of_another_tenants_list_opens_nothing(world: World) -> None:
    document = "query($after: Cursor) { devices(first: 1, after: $after) { nodes { name } pageInfo { endCursor } } }"
    theirs = (await ask(world.context, owner, document))["devices"]["pageInfo"]["endCursor"]
    assert not betrays(await ask(world.context, outsider, document, after=theirs), "acme")
