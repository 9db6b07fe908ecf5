"""What a person is told inside Fleetbeat comes as it is told: their own, in order, each once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from app.context import Context
from app.domain.notification import InAppNotification
from app.domain.tenant import EVERY_TENANT, Role
from app.errors import ForbiddenError
from app.principal import Principal, PrincipalKind
from app.realtime.hub import Hub
from app.realtime.notification_stream import notification_stream
from app.store.encoding import to_document
from app.supervision import running
from tests.cast import mate, open_test_context, outsider, person, viewer
from tests.people.making import told
from tests.realtime.log import PATIENCE_SEC, Heard, hearing

NOBODYS_PORT = "redis://127.0.0.1:9/0"


@asynccontextmanager
async def listening(hub: Hub, principal: Principal = viewer) -> AsyncIterator[Heard[InAppNotification]]:
    """Somebody who is there once the block begins."""
    async with hearing(notification_stream(hub, principal)) as heard:
        # One turn of the loop takes it to its place.
        await asyncio.sleep(0)
        yield heard


async def tell(context: Context, *notifications: InAppNotification) -> None:
    await context.store.notifications.put(notifications)
    await context.bus.ring_notifications([one.user_id for one in notifications])


def titles(heard: list[InAppNotification]) -> list[str]:
    return [one.title for one in heard]


async def test_it_comes_in_order_and_each_once(context: Context, hub: Hub) -> None:
    async with listening(hub) as heard:
        for number in (1, 2, 2, 3):
            await tell(context, told(number))
        assert titles(await heard.count(3)) == ["Trouble 1", "Trouble 2", "Trouble 3"]


async def test_it_begins_with_what_comes_after_it(context: Context, hub: Hub) -> None:
    async with listening(hub) as before:
        await tell(context, told(1))
        await before.count(1)
        async with listening(hub) as after:
            await tell(context, told(2))
            assert titles(await after.count(1)) == ["Trouble 2"]


async def test_everybody_hears_their_own_and_in_every_window(context: Context, hub: Hub) -> None:
    async with listening(hub) as one, listening(hub) as two, listening(hub, mate) as other:
        await tell(context, told(1), told(2, "mats"))
        assert titles(await one.count(1)) == titles(await two.count(1)) == ["Trouble 1"]
        assert titles(await other.count(1)) == ["Trouble 2"]


async def test_what_a_tenant_tells_that_one_is_not_in_is_not_heard(context: Context, hub: Hub) -> None:
    both = person("vera", Role.VIEWER, "acme", "umbrella")
    async with listening(hub) as heard, listening(hub, both) as all_of_it:
        await tell(context, told(1, tenant_id="umbrella"))
        await all_of_it.count(1)
        await tell(context, told(2))
        await all_of_it.count(2)
        assert titles(await heard.count(1)) == ["Trouble 2"]


async def test_without_a_bell_it_is_found_in_the_collection(context: Context, hub: Hub) -> None:
    async with listening(hub) as heard:
        await context.store.notifications.put([told(1)])
        assert titles(await heard.count(1)) == ["Trouble 1"]


async def test_it_goes_on_while_redis_is_away(mongo_uri: str, database: str) -> None:
    async with open_test_context(mongo_uri, NOBODYS_PORT, database) as context:
        hub = Hub(context)
        async with running("hub", hub.run), listening(hub) as heard:
            await hub.notifications.ready.wait()
            await tell(context, told(1))
            await heard.count(1)
            await tell(context, told(2))
            assert titles(await heard.count(2)) == ["Trouble 1", "Trouble 2"]
            hub.stop()


async def test_what_was_committed_late_is_not_missed(context: Context, hub: Hub) -> None:
    async with listening(hub) as heard:
        await tell(context, told(2))
        [first] = await heard.count(1)
        assert first.written_at is not None
        late = {**to_document(told(1)), "written_at": first.written_at - timedelta(seconds=1)}
        await context.mongo.tenant_collection("notifications").insert(EVERY_TENANT, [late])
        await context.bus.ring_notifications(["vera"])
        assert titles(await heard.count(2)) == ["Trouble 2", "Trouble 1"]


async def test_a_thousand_at_once_come_each_once(context: Context, hub: Hub) -> None:
    everything = [told(number) for number in range(1_000)]
    async with listening(hub) as heard:
        await tell(context, *everything)
        await tell(context, told(1_000))
        found = await heard.until(lambda items: len(items) > 0 and items[-1].title == "Trouble 1000")
    assert sorted(one.id for one in found) == sorted(one.id for one in [*everything, told(1_000)])


async def test_a_telling_is_heard_with_what_it_says(context: Context, hub: Hub) -> None:
    async with listening(hub) as heard:
        await tell(context, told(1, alert_id="alert-1"))
        [one] = await heard.count(1)
    assert (one.body, one.severity.name, one.alert_id, one.read_at) == ("It is bad", "HIGH", "alert-1", None)


async def test_programs_are_refused(hub: Hub) -> None:
    program = Principal(PrincipalKind.API_KEY, "key:1", Role.ADMIN, frozenset(("acme",)))
    with pytest.raises(ForbiddenError):
        await anext(notification_stream(hub, program))


async def test_it_ends_with_the_hub_and_leaves_nobody_behind(hub: Hub) -> None:
    stream = notification_stream(hub, outsider)
    async with asyncio.timeout(PATIENCE_SEC):
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        assert hub.subscribers == 1
        hub.stop()
        assert await waiting is None
    assert hub.subscribers == 0
