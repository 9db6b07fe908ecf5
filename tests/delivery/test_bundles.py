"""A burst is told in few messages: the first at once, the rest together, and nothing is missing."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.channels.ways import open_ways
from app.courier import Courier
from app.domain.alert import Alert, AlertEventType
from app.domain.channel import Channel
from app.domain.channel_input import SlackInput
from app.domain.delivery import LEASE, DeliveryStatus
from app.domain.pace import WINDOW, not_before, recent_of
from app.domain.tenant import EVERY_TENANT
from tests.cast import NOW, outsider
from tests.delivery.world import World


async def slack(world: World, path: str = "/slack", **values: Any) -> Channel:
    return await world.channel(path=path, config=SlackInput(webhook_url=world.receiver.url + path), **values)


async def burst(world: World, count: int, first: int = 0) -> list[Alert]:
    ids = [f"pos-{number:03}" for number in range(first, first + count)]
    return [await world.open(subject_id=one, title=f"Device offline: Till {one}") for one in ids]


def texts(world: World) -> list[str]:
    return [call.body.decode() for call in world.receiver.calls]


def named(text: str, alerts: Iterable[Alert]) -> set[str]:
    return {alert.id for alert in alerts if alert.title in text}


async def until_quiet(world: World, seconds: int = 60) -> None:
    await world.send()
    for _ in range(seconds):
        await world.send(1)


async def test_five_hundred_alerts_of_one_tick_are_three_messages_in_the_first_minute_and_none_is_missing(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 60)
    await world.send()
    alerts += await burst(world, 440, 60)
    await until_quiet(world, 59)
    assert len(world.receiver.calls) <= 3
    assert set().union(*(named(text, alerts) for text in texts(world))) == {alert.id for alert in alerts}
    rows = [one for one in await world.deliveries() if one.bundling is None]
    assert {one.status for one in rows} == {DeliveryStatus.SENT}


async def test_the_first_of_a_burst_goes_at_once_and_alone(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 5)
    await world.send()
    assert [named(text, alerts) for text in texts(world)] == [{alerts[0].id}]
    await world.send(4)
    assert len(world.receiver.calls) == 1
    await world.send(1)
    assert named(texts(world)[1], alerts) == {alert.id for alert in alerts[1:]}


async def test_a_webhook_hears_of_each_by_itself(world: World) -> None:
    await world.channel()
    await burst(world, 20)
    await world.send()
    assert len(world.receiver.calls) == 20


async def test_each_recipient_has_a_pace_of_its_own(world: World) -> None:
    await slack(world, "/one")
    await slack(world, "/two")
    await burst(world, 3)
    await world.send()
    assert sorted(call.path for call in world.receiver.calls) == ["/hook/one", "/hook/two"]


async def test_what_opened_and_ended_meanwhile_is_in_one_bundle(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 3)
    await world.send()
    for alert in alerts:
        await world.end(alert)
    await world.send(5)
    await until_quiet(world)
    rows = [one for one in await world.deliveries() if one.bundling is None]
    assert [one.status for one in rows] == [DeliveryStatus.SENT] * 6
    assert len(world.receiver.calls) == 2
    assert named(texts(world)[1], alerts) == {alert.id for alert in alerts}


async def test_the_timeline_of_each_alert_in_a_bundle_says_that_it_was_told(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await until_quiet(world, 10)
    for alert in alerts:
        assert await world.timeline(alert) == ["OPENED", "NOTIFIED"]


async def test_a_bundle_is_a_delivery_of_its_own_that_names_its_alerts(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await until_quiet(world, 10)
    [bundle] = [one for one in await world.deliveries() if one.bundling is not None]
    assert (bundle.status, set(bundle.alert_ids)) == (DeliveryStatus.SENT, {alert.id for alert in alerts[1:]})
    found = await world.context.store.deliveries.page(EVERY_TENANT, alerts[2].id, (), 10)
    assert {one.id for one in found} >= {bundle.id}


async def test_a_bundle_that_fails_is_tried_again_under_the_same_key_with_the_same_members(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await world.send()
    world.receiver.answers = [503, 503]
    await world.send(5)
    more = await burst(world, 2, 10)
    await until_quiet(world, 30)
    second, third, fourth = texts(world)[1:4]
    assert [named(text, alerts) for text in (second, third, fourth)] == [{alert.id for alert in alerts[1:]}] * 3
    assert not named(fourth, more)
    assert named("".join(texts(world)), more) == {alert.id for alert in more}


async def test_a_bundle_that_is_refused_for_good_leaves_each_of_its_alerts_dead(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 3)
    await world.send()
    world.receiver.answers = [404]
    await world.send(5)
    assert [await world.timeline(alert) for alert in alerts[1:]] == [["OPENED", "DELIVERY_DEAD"]] * 2
    assert {one.error for one in await world.deliveries() if one.status is DeliveryStatus.DEAD} == {"answered 404"}


async def test_what_was_folded_before_its_bundle_went_is_left_out_with_the_reason(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await world.send()
    await world.change(AlertEventType.GROUPED, alerts[2], parent_id="the-parent")
    await world.send(5)
    assert named(texts(world)[1], alerts) == {alerts[1].id, alerts[3].id}
    [left] = [one for one in await world.deliveries() if one.alert_id == alerts[2].id]
    assert left.skipped_because == "told with alert the-parent, which it is folded under"


async def test_a_worker_killed_between_taking_and_bundling_lets_no_storm_loose(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 30)
    await world.send()
    due = [one.id for one in await world.deliveries() if one.status is DeliveryStatus.PENDING]
    world.clock.advance(5)
    assert len(await world.context.store.deliveries.claim(due, "a worker that is no more", world.clock.now())) == 29
    await world.send(LEASE.total_seconds())
    await until_quiet(world, 30)
    assert len(world.receiver.calls) <= 3
    assert set().union(*(named(text, alerts) for text in texts(world))) == {alert.id for alert in alerts}


async def test_a_worker_killed_after_sending_a_bundle_sends_it_no_second_time(world: World) -> None:
    await slack(world)
    await burst(world, 4)
    await until_quiet(world, 10)
    [bundle] = [one for one in await world.deliveries() if one.bundling is not None]
    members = [one for one in await world.deliveries() if one.bundle_id == bundle.id]
    # As it was when the bundle had gone out and its members were not written yet.
    values = {"status": "sending", "next_attempt_at": world.clock.now(), "lease": "gone"}
    await world.context.mongo.database["deliveries"].update_one({"_id": bundle.id}, {"$set": values})
    pending = {"status": "pending", "sent_at": None}
    await world.context.mongo.database["deliveries"].update_many({"_id": {"$in": [one.id for one in members]}}, {"$set": pending})
    before = len(world.receiver.calls)
    await world.send(1)
    assert len(world.receiver.calls) == before
    assert {one.status for one in await world.deliveries()} == {DeliveryStatus.SENT}


async def test_two_couriers_keep_the_pace_together(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 40)
    async with open_ways(world.context.settings) as ways:
        couriers = [Courier(world.context, ways) for _ in range(4)]
        for _ in range(20):
            await asyncio.gather(*(courier.work_off() for courier in couriers))
            world.clock.advance(3)
    assert len(world.receiver.calls) <= 3
    assert set().union(*(named(text, alerts) for text in texts(world))) == {alert.id for alert in alerts}


async def test_the_rest_of_a_storm_is_one_bundle_however_many_couriers_are_at_it(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 60)
    async with open_ways(world.context.settings) as ways:
        couriers = [Courier(world.context, ways) for _ in range(8)]
        for _ in range(2):
            await asyncio.gather(*(courier.work_off() for courier in couriers))
            world.clock.advance(6)
        await asyncio.gather(*(courier.work_off() for courier in couriers))
    assert [len(named(text, alerts)) for text in texts(world)] == [1, 59]


async def test_what_is_nobodys_to_hear_any_more_costs_no_turn(world: World) -> None:
    await slack(world)
    until = NOW + timedelta(seconds=30)
    alerts = [
        await world.open(subject_id=f"pos-{one:02}", title=f"Till {one:02} is off", telling_held_until=until) for one in range(30)
    ]
    for alert in alerts[:-1]:
        await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.send(30)
    assert [named(text, alerts) for text in texts(world)] == [{alerts[-1].id}]


async def test_one_tenants_storm_does_not_hold_up_another(world: World) -> None:
    await slack(world, "/noisy")
    await slack(world, "/calm", principal=outsider)
    await burst(world, 100)
    await world.open(subject_id="other", tenant_id="umbrella")
    await world.send()
    assert sorted(call.path for call in world.receiver.calls) == ["/hook/calm", "/hook/noisy"]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_after_so_many_messages_the_next_waits(count: int) -> None:
    sent = [NOW, NOW + timedelta(seconds=5), NOW + timedelta(seconds=25)][:count]
    waits = [timedelta(0), timedelta(seconds=5), timedelta(seconds=25), timedelta(seconds=60)]
    assert not_before(sent, NOW) == NOW + waits[count]


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    ahead = [NOW + timedelta(hours=1), NOW + timedelta(hours=1, seconds=5)]
    assert not_before(ahead, NOW) == NOW
    assert not_before([NOW + timedelta(seconds=1)], NOW) == NOW + timedelta(seconds=6)


@given(st.lists(st.integers(0, 300), max_size=200))
def test_no_minute_has_more_than_three_messages_however_things_happen(wishes: list[int]) -> None:
    sent: list[int] = []
    times: tuple[datetime, ...] = ()
    for wish in sorted(wishes):
        now = NOW + timedelta(seconds=wish)
        if not_before(times, now) <= now:
            times = (*recent_of(times, now), now)
            sent.append(wish)
    assert all(sum(start <= at < start + WINDOW.total_seconds() for at in sent) <= 3 for start in sent)
