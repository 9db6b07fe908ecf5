"""Subscriptions through the schema."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from app.context import Context
from app.domain.alert import Severity
from app.domain.cursor import StreamCursor, write_cursor
from app.domain.device import DeviceStatus
from app.domain.ids import lane_of
from app.errors import FleetbeatError
from app.principal import ANONYMOUS, Principal
from app.realtime.hub import Hub
from schema.alerts import alert
from schema.build import build_schema
from schema.context import OperationContext
from tests.cast import outsider, owner
from tests.domain.making import a_device
from tests.realtime.log import PATIENCE_SEC, Log

EVENTS = """subscription ($filter: AlertFilter, $after: Cursor) { alertEvents(filter: $filter, after: $after) {
    id cursor type at alert { subjectId status severity rule { key } device { deviceId health openAlerts { id } } } } }"""
HEALTH = """subscription ($filter: HealthFilter) { healthUpdates(filter: $filter) {
    at tenantId status previous ... on DeviceHealthUpdate { device { deviceId health } } } }"""
OVERVIEW = "subscription ($tenant: ID) { overview(tenantId: $tenant) { status activeAlerts devices { total unhealthy } } }"


async def told(
    context: Context, hub: Hub, principal: Principal, document: str, **variables: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """What a subscription says, result by result; its error is raised."""
    operation = OperationContext(context, principal, hub, alert)
    results = await build_schema().subscribe(document, variable_values=variables, context_value=operation)
    async with aclosing(results) as stream:
        async for result in stream:
            for error in result.errors or []:
                raise error.original_error or error
            assert result.data is not None
            yield result.data


async def following(stream: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SEC):
        return await anext(stream)


async def before_everything(context: Context, epoch: str | None = None) -> str:
    return write_cursor(StreamCursor(epoch or await context.store.events.epoch(), 0, {lane_of("acme"): 0}))


async def test_an_event_carries_the_alert_and_what_hangs_on_it(context: Context, hub: Hub, log: Log) -> None:
    await context.store.devices.insert(a_device())
    opened = await log.open("acme", "till-1")
    event = (await following(told(context, hub, owner, EVENTS, after=await before_everything(context))))["alertEvents"]
    assert event["type"] == "OPENED"
    assert event["alert"] == {
        "subjectId": "till-1",
        "status": "OPEN",
        "severity": "HIGH",
        "rule": None,
        "device": {"deviceId": "till-1", "health": "UNHEALTHY", "openAlerts": [{"id": opened.id}]},
    }


async def test_what_hangs_on_an_event_is_read_anew_for_each(context: Context, hub: Hub, log: Log) -> None:
    await context.store.devices.insert(a_device())
    opened = await log.open("acme", "till-1", Severity.LOW)
    stream = told(context, hub, owner, EVENTS, after=await before_everything(context))
    before = (await following(stream))["alertEvents"]["alert"]["device"]["health"]
    await context.store.devices.change(owner.scope, "acme:till-1", {"status": DeviceStatus.OFFLINE.value})
    await log.comment(opened)
    after = (await following(stream))["alertEvents"]["alert"]["device"]["health"]
    assert (before, after) == ("HEALTHY", "UNHEALTHY")


async def test_a_cursor_that_does_not_hold_is_answered_with_resync(context: Context, hub: Hub) -> None:
    after = await before_everything(context, epoch="another")
    event = (await following(told(context, hub, owner, EVENTS, after=after)))["alertEvents"]
    assert (event["type"], event["alert"]) == ("RESYNC", None)
    assert event["cursor"] != after


async def test_health_is_told_with_the_device(context: Context, hub: Hub) -> None:
    await context.store.devices.insert(a_device())
    stream = told(context, hub, owner, HEALTH, filter={"deviceIds": ["till-1"]})
    first = (await following(stream))["healthUpdates"]
    await context.store.devices.change(
        owner.scope, "acme:till-1", {"status": DeviceStatus.OFFLINE.value, "changed_at": context.clock.now()}
    )
    second = (await following(stream))["healthUpdates"]
    assert (first["previous"], first["status"], first["device"]["health"]) == ("UNKNOWN", "HEALTHY", "HEALTHY")
    assert (second["previous"], second["status"], second["device"]["health"]) == ("HEALTHY", "UNHEALTHY", "UNHEALTHY")


async def test_the_overview_follows_the_fleet(context: Context, hub: Hub, log: Log) -> None:
    await context.store.devices.insert(a_device())
    stream = told(context, hub, owner, OVERVIEW)
    assert (await following(stream))["overview"] == {
        "status": "HEALTHY",
        "activeAlerts": 0,
        "devices": {"total": 1, "unhealthy": 0},
    }
    await log.open("acme", "till-1")
    assert (await following(stream))["overview"]["activeAlerts"] == 1


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        (EVENTS, {"filter": {"tenantId": "acme"}}),
        (HEALTH, {"filter": {"tenantId": "acme"}}),
        (OVERVIEW, {"tenant": "acme"}),
    ],
    ids=["alertEvents", "healthUpdates", "overview"],
)
@pytest.mark.parametrize(("principal", "code"), [(outsider, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")])
async def test_a_refusal_comes_before_the_first_event(
    context: Context, hub: Hub, principal: Principal, code: str, document: str, variables: dict[str, Any]
) -> None:
    with pytest.raises(FleetbeatError) as refused:
        await following(told(context, hub, principal, document, **variables))
    assert refused.value.code.value == code


@pytest.mark.parametrize(
    ("document", "variables", "field"),
    [
        (EVENTS, {"after": "no cursor"}, "after"),
        (HEALTH, {"filter": {"deviceIds": ["till"] * 1_001}}, "filter.deviceIds"),
    ],
)
async def test_bad_input_names_its_field(
    context: Context, hub: Hub, document: str, variables: dict[str, Any], field: str
) -> None:
    with pytest.raises(FleetbeatError) as refused:
        await following(told(context, hub, owner, document, **variables))
    assert refused.value.extensions()["fields"][0]["path"] == field


async def test_a_subscriber_that_goes_away_leaves_nothing_behind(context: Context, hub: Hub) -> None:
    await context.store.devices.insert(a_device())
    stream = told(context, hub, owner, HEALTH)
    await following(stream)
    assert hub.subscribers == 1
    await stream.aclose()
    assert hub.subscribers == 0
