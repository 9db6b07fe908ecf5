"""Whoever stands in for a channel that failed tells what it should have told: in order, in time, and nothing is left waiting."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.channel_changes import update_channel
from app.deliveries import retry_delivery
from app.domain.alert import Alert, AlertEventType, AlertStatus
from app.domain.channel import Channel, WebhookFormat
from app.domain.channel_input import ChannelPatch, SlackInput, WebhookInput
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.preferences_input import PreferencesPatch
from app.domain.tenant import EVERY_TENANT
from app.fallbacks import FAILS_FOR
from app.preferences import update_preferences
from tests.cast import mate, owner
from tests.delivery.test_fallbacks import member, pair, paths
from tests.delivery.test_quiet import MORNING, NIGHT
from tests.delivery.world import KEY, World


async def rows_of(world: World, channel: Channel) -> list[Delivery]:
    found = [one for one in await world.deliveries() if one.channel_id == channel.id and one.bundling is None]
    return sorted(found, key=lambda one: (one.seq, one.id))


async def acknowledge(world: World, alert: Alert) -> None:
    await world.change(AlertEventType.ACKNOWLEDGED, alert, status=AlertStatus.ACKNOWLEDGED)


async def until_over(world: World, seconds: float = 4_000) -> None:
    """Lets time pass until nothing is on its way."""
    end = world.later(0) + timedelta(seconds=seconds)
    await world.send()
    while world.clock.now() < end and any(not one.is_finished for one in await world.deliveries()):
        await world.send(5)


async def slack(world: World, path: str, **values: Any) -> Channel:
    return await world.channel(path=path, config=SlackInput(webhook_url=world.receiver.url + path), **values)


async def test_what_waited_is_not_left_waiting_behind_what_the_fallback_told_long_ago(world: World) -> None:
    other = await slack(world, "/other")
    first = await world.channel(path="/first", fallback_channel_id=other.id)
    world.receiver.always["/hook/first"] = 503
    alert = await world.open()
    await world.send()
    await acknowledge(world, alert)
    await until_over(world, 2 * FAILS_FOR.total_seconds())
    assert [one.status for one in await rows_of(world, first)] == [DeliveryStatus.FAILED, DeliveryStatus.SKIPPED]
    assert [one.status for one in await rows_of(world, other)] == [DeliveryStatus.SENT, DeliveryStatus.SENT]


async def test_what_is_told_again_goes_after_an_end_that_is_still_on_its_way_there(world: World) -> None:
    _, other = await pair(world)
    world.receiver.always = {"/hook/first": 404, "/hook/other": 503}
    alert = await world.open()
    await world.end(alert)
    await world.send()
    await world.change(AlertEventType.REOPENED, alert, live=True, status=AlertStatus.OPEN, resolved_at=None)
    await world.send()
    del world.receiver.always["/hook/other"]
    await until_over(world)
    assert [one.type for one in await rows_of(world, other)] == [
        AlertEventType.OPENED,
        AlertEventType.RESOLVED,
        AlertEventType.REOPENED,
    ]
    told = [call.said["event"] for call in world.receiver.calls if call.path == "/hook/other"]
    assert list(dict.fromkeys(told)) == ["device.offline", "device.online", "alert.reopened"]
    assert told[-2:] == ["device.online", "alert.reopened"]


async def test_an_end_that_quiet_hours_hold_is_held_on_the_next_channel_too(world: World) -> None:
    world.go_to(datetime(2026, 11, 21, 20, 59, tzinfo=UTC))
    await member(world, mate)
    await slack(world, "/one", principal=mate, personal=True)
    await slack(world, "/two", principal=mate, personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(quiet_hours=NIGHT))
    world.receiver.always["/hook/one"] = 503
    alert = await world.open(first_seen=world.clock.now())
    await world.send()
    await world.send(120)
    await world.end(alert)
    for _ in range(60):
        await world.send(10)
    assert paths(world).count("two") == 1
    world.go_to(MORNING + timedelta(days=1))
    await world.send()
    assert paths(world).count("two") == 2


async def test_a_fallback_that_has_no_word_for_it_is_asked_nothing(world: World) -> None:
    first, other = await pair(world)
    machine = WebhookInput(url=f"{world.receiver.url}/other", secret=KEY, format=WebhookFormat.MACHINE)
    await update_channel(world.context, owner, other.id, ChannelPatch(config=machine))
    world.receiver.always["/hook/first"] = 404
    await world.open(rule_key="cpu_high")
    await world.send()
    assert [one.status for one in await rows_of(world, first)] == [DeliveryStatus.DEAD]
    kept = await world.context.store.channels.get(EVERY_TENANT, other.id)
    assert kept is not None
    assert kept.refusals == 0


async def test_what_was_handed_over_and_is_tried_again_after_all_is_told_with_its_end(world: World) -> None:
    first, _ = await pair(world)
    world.receiver.always["/hook/first"] = 404
    alert = await world.open()
    await world.end(alert)
    await world.send()
    assert world.receiver.events("/hook/other") == ["device.offline", "device.online"]
    del world.receiver.always["/hook/first"]
    await retry_delivery(world.context, owner, (await rows_of(world, first))[0].id)
    await world.send()
    assert world.receiver.events("/hook/first") == ["device.offline", "device.offline", "device.online"]


async def test_something_older_is_not_told_where_something_later_was(world: World) -> None:
    other = await world.channel(path="/other")
    first = await world.channel(path="/first", fallback_channel_id=other.id)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    world.receiver.always["/hook/first"] = 503
    alert = await world.open()
    await world.send()
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id, other.id]})
    await world.end(alert)
    await world.change(AlertEventType.REOPENED, alert, live=True, status=AlertStatus.OPEN, resolved_at=None)
    await until_over(world)
    told = [call.said["event"] for call in world.receiver.calls if call.path == "/hook/other"]
    assert told == ["alert.reopened"]
    assert {one.status for one in await rows_of(world, other)} == {DeliveryStatus.SENT, DeliveryStatus.SKIPPED}
