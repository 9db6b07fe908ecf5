"""A subscriber is told every transition that it may see, in order, each once."""

import asyncio

import msgspec
import pytest

from app.clock import ManualClock
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.alert_filter import AlertFilter
from app.domain.ids import lane_of
from app.domain.tenant import Role
from app.errors import BadInputError, ForbiddenError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal, PrincipalKind
from app.realtime.alert_stream import alert_events
from app.realtime.hub import Hub
from app.supervision import running
from tests.cast import NOW, both, open_test_context, outsider, owner, person, root, viewer
from tests.realtime.log import EVERYTHING, Log, kinds, places, subscribed


async def test_a_transition_is_told_with_the_alert_as_it_then_was(hub: Hub, log: Log) -> None:
    async with subscribed(hub, viewer) as heard:
        alert = await log.open("acme", "till-1")
        items = await heard.count(1)
    assert kinds(items) == ["OPENED"]
    assert items[0].event is not None
    assert items[0].event.alert == alert


async def test_the_events_of_a_lane_keep_their_order(hub: Hub, log: Log) -> None:
    async with subscribed(hub, both) as heard:
        one, two = await log.open("acme", "till-1"), await log.open("umbrella", "till-1")
        await asyncio.gather(*[log.comment(alert, 7) for alert in (one, two) for _ in range(5)])
        items = await heard.count(72)
    assert sorted(places(items)) == sorted((event.lane, event.seq) for event in await log.everything("acme", "umbrella"))
    for lane in (lane_of("acme"), lane_of("umbrella")):
        seqs = [seq for at, seq in places(items) if at == lane]
        assert seqs == sorted(seqs)


async def test_two_tenants_never_see_each_other_even_in_one_lane(hub: Hub, log: Log) -> None:
    neighbour = next(name for name in (f"shop-{number}" for number in range(1_000)) if lane_of(name) == lane_of("acme"))
    async with subscribed(hub, viewer) as mine, subscribed(hub, person("nina", Role.VIEWER, neighbour)) as theirs:
        for number, tenant_id in enumerate(("acme", neighbour, "umbrella", neighbour, "acme")):
            await log.open(tenant_id, f"till-{number}")
        await mine.count(2)
        await theirs.count(2)
    assert {item.event.tenant_id for item in mine.items if item.event} == {"acme"}
    assert {item.event.tenant_id for item in theirs.items if item.event} == {neighbour}


async def test_a_super_admin_sees_every_lane(hub: Hub, log: Log) -> None:
    async with subscribed(hub, root) as heard:
        for tenant_id in ("acme", "umbrella"):
            await log.open(tenant_id, "till-1")
        items = await heard.count(2)
    assert {item.event.tenant_id for item in items if item.event} == {"acme", "umbrella"}


async def test_a_narrow_filter_sees_an_alert_leave(hub: Hub, log: Log) -> None:
    async with subscribed(hub, owner, AlertFilter(status=(AlertStatus.OPEN,))) as heard:
        alert = await log.open("acme", "till-1")
        taken = msgspec.structs.replace(alert, status=AlertStatus.ACKNOWLEDGED)
        await log.move(AlertEventType.ACKNOWLEDGED, alert, taken)
        await log.comment(taken)
        await log.open("acme", "till-2")
        items = await heard.count(3)
    assert kinds(items) == ["OPENED", "ACKNOWLEDGED", "OPENED"]


async def test_a_thousand_events_passed_over_make_a_bookmark(hub: Hub, log: Log) -> None:
    async with subscribed(hub, owner, AlertFilter(severity=(Severity.INFO,))) as heard:
        await log.comment(await log.open("acme", "till-1"), 1_005)
        items = await heard.count(1)
        async with subscribed(hub, owner, after=items[0].cursor) as resumed:
            rest = await resumed.count(6)
    assert kinds(items) == ["BOOKMARK"]
    assert places(rest)[0] == (lane_of("acme"), 1_001)


async def test_a_minute_with_something_passed_over_makes_a_bookmark(mongo_uri: str, redis_url: str, database: str) -> None:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        hub, log = Hub(context), Log(context)
        narrow = AlertFilter(rule_keys=("another",))
        async with running("hub", hub.run), subscribed(hub, owner, narrow) as heard, subscribed(hub, owner) as control:
            alert = await log.open("acme", "till-1")
            await control.count(1)
            clock.advance(61)
            await log.comment(alert)
            assert kinds(await heard.count(1)) == ["BOOKMARK"]


@pytest.mark.parametrize(
    ("principal", "tenant_id", "error"),
    [
        (ANONYMOUS, None, UnauthenticatedError),
        (
            Principal(PrincipalKind.DEVICE, "acme:till-1", None, frozenset(("acme",)), frozenset(("acme:till-1",))),
            None,
            ForbiddenError,
        ),
        (
            Principal(PrincipalKind.API_KEY, "k", Role.VIEWER, frozenset(("acme",)), frozenset(("acme:till-1",))),
            None,
            ForbiddenError,
        ),
        (outsider, "acme", ForbiddenError),
    ],
)
async def test_who_may_not_look_is_refused_before_the_first_event(
    hub: Hub, principal: Principal, tenant_id: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await anext(alert_events(hub, principal, AlertFilter(tenant_id=tenant_id), None))
    assert hub.subscribers == 0


async def test_what_is_no_cursor_is_bad_input(hub: Hub) -> None:
    with pytest.raises(BadInputError, match="after"):
        await anext(alert_events(hub, owner, EVERYTHING, "not a cursor"))


async def test_a_hub_that_stops_ends_every_subscription_at_once(hub: Hub) -> None:
    stream = alert_events(hub, owner, EVERYTHING, None)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert hub.subscribers == 1
    hub.stop()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert hub.subscribers == 0
