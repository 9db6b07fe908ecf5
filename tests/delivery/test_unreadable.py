"""What this version cannot read, or cannot write, hurts nobody else."""

from typing import Any

import pytest

from app.deliveries import retry_delivery
from app.domain.delivery import LEASE, DeliveryStatus
from tests.cast import mate, outsider, owner, viewer
from tests.delivery.test_bundles import burst, named, slack, texts, until_quiet
from tests.delivery.test_fallbacks import member
from tests.delivery.world import World


async def of_a_later_version(world: World, collection: str, where: dict[str, Any], field: str) -> None:
    await world.context.mongo.database[collection].update_many(where, {"$set": {field: "unheard of"}})


async def statuses(world: World) -> dict[str | None, DeliveryStatus]:
    return {one.alert_id: one.status for one in await world.deliveries() if one.bundling is None}


@pytest.mark.parametrize(
    ("collection", "key", "field"),
    [
        ("provider_alerts", "_id", "subject_kind"),
        ("alert_events", "alert_id", "type"),
        ("alert_events", "alert_id", "alert.severity"),
    ],
)
async def test_an_alert_that_cannot_be_read_is_tried_again_and_the_others_are_told(
    world: World, collection: str, key: str, field: str
) -> None:
    await world.channel()
    bad, *good = await burst(world, 5)
    await of_a_later_version(world, collection, {key: bad.id}, field)
    await world.send()
    assert {alert.id for alert in good} == {call.said["alert"]["id"] for call in world.receiver.calls}
    [waiting] = [one for one in await world.deliveries() if one.alert_id == bad.id]
    assert (waiting.status, waiting.error) == (DeliveryStatus.PENDING, "what it tells of cannot be read by this version")


@pytest.mark.parametrize(("collection", "key"), [("provider_alerts", "_id"), ("alert_events", "alert_id")])
async def test_a_bundle_tells_of_those_that_can_be_read(world: World, collection: str, key: str) -> None:
    await slack(world)
    alerts = await burst(world, 5)
    await world.send()
    field = "subject_kind" if collection == "provider_alerts" else "type"
    await of_a_later_version(world, collection, {key: alerts[2].id}, field)
    await world.send(5)
    assert named(texts(world)[1], alerts) >= {alerts[1].id, alerts[3].id, alerts[4].id}
    assert DeliveryStatus.PENDING not in (await statuses(world)).values()


async def test_a_delivery_that_cannot_be_read_waits_and_the_others_are_told(world: World) -> None:
    await world.channel()
    bad, *good = await burst(world, 5)
    await of_a_later_version(world, "deliveries", {"alert_id": bad.id}, "type")
    await world.send()
    assert {alert.id for alert in good} == {call.said["alert"]["id"] for call in world.receiver.calls}
    assert await world.context.store.deliveries.lanes_due(world.clock.now()) == set()


async def test_a_bundle_with_a_member_that_cannot_be_read_waits_and_is_sent_whole(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await world.send()
    world.receiver.answers = [503]
    await world.send(5)
    deliveries = world.context.mongo.database["deliveries"]
    await of_a_later_version(world, "deliveries", {"alert_id": alerts[2].id}, "type")
    await world.send(10)
    assert len(world.receiver.calls) == 2
    assert await world.context.store.deliveries.lanes_due(world.clock.now()) == set()
    await deliveries.update_many({"alert_id": alerts[2].id}, {"$set": {"type": "opened"}})
    await world.send(600)
    assert [named(text, alerts) for text in texts(world)[1:]] == [{alert.id for alert in alerts[1:]}] * 2
    assert set((await statuses(world)).values()) == {DeliveryStatus.SENT}


async def test_a_bundle_that_cannot_be_read_whole_is_tried_again_in_pieces(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await world.send()
    world.receiver.answers = [404]
    await world.send(5)
    [bundle] = [one for one in await world.deliveries() if one.bundling is not None]
    await of_a_later_version(world, "deliveries", {"alert_id": alerts[2].id}, "type")
    await retry_delivery(world.context, owner, bundle.id)
    await until_quiet(world, 30)
    assert named("".join(texts(world)[2:]), alerts) == {alerts[1].id, alerts[3].id}
    assert bundle.id not in {call.headers["Idempotency-Key"] for call in world.receiver.calls[2:]}


async def test_a_tenant_that_cannot_be_read_keeps_nobody_from_being_told(world: World) -> None:
    await world.channel()
    await world.channel(outsider, "/other")
    await world.open()
    await world.open(subject_id="other", tenant_id="umbrella")
    await world.context.mongo.database["tenants"].update_one({"_id": "acme"}, {"$set": {"timezone": 7}})
    await world.send()
    assert await world.states() == ["SENT", "SENT"]


async def test_a_person_who_cannot_be_read_is_told_later_and_the_others_now(world: World) -> None:
    for person in (mate, viewer):
        await member(world, person)
    await world.channel(mate, "/mats", personal=True)
    await world.channel(viewer, "/vera", personal=True)
    await world.open()
    await of_a_later_version(world, "members", {"_id": mate.id}, "role")
    await world.send()
    assert [call.path for call in world.receiver.calls] == ["/hook/vera"]
    await member(world, mate)
    await world.send(5)
    assert [call.path for call in world.receiver.calls] == ["/hook/vera", "/hook/mats"]


async def test_a_person_who_cannot_be_read_keeps_no_alert_from_opening(world: World) -> None:
    for person in (mate, viewer):
        await member(world, person)
    await world.channel(viewer, "/vera", personal=True)
    await of_a_later_version(world, "members", {"_id": mate.id}, "role")
    await world.open()
    await world.send()
    assert [call.path for call in world.receiver.calls] == ["/hook/vera"]


async def test_a_channel_that_cannot_be_read_waits_and_keeps_no_alert_from_opening(world: World) -> None:
    bad, _ = await world.channel(path="/bad"), await world.channel(path="/good")
    first = await world.open(subject_id="first")
    await of_a_later_version(world, "channels", {"_id": bad.id}, "kind")
    second = await world.open(subject_id="second")
    await world.send()
    assert [call.path for call in world.receiver.calls] == ["/hook/good"] * 2
    waiting = {one.alert_id for one in await world.deliveries() if not one.is_finished}
    assert waiting == {first.id}
    assert await world.timeline(second) == ["OPENED", "NOTIFIED"]
    await world.context.mongo.database["channels"].update_one({"_id": bad.id}, {"$set": {"kind": "webhook"}})
    await world.send(600)
    assert [call.path for call in world.receiver.calls[2:]] == ["/hook/bad"]


async def test_an_outcome_that_cannot_be_written_keeps_no_other_from_being_written_and_is_sent_no_second_time(
    world: World,
) -> None:
    await world.channel()
    bad, *good = await burst(world, 5)
    # The record of the bad one is refused by the database.
    rule = {"$or": [{"alert_id": {"$ne": bad.id}}, {"type": {"$ne": "notified"}}]}
    await world.context.mongo.database.command("collMod", "alert_events", validator=rule)
    try:
        await world.send()
        told = await statuses(world)
        assert {told[alert.id] for alert in good} == {DeliveryStatus.SENT}
        assert told[bad.id] is DeliveryStatus.SENDING
        await world.send(LEASE.total_seconds())
        assert len(world.receiver.calls) == 5
    finally:
        await world.context.mongo.database.command("collMod", "alert_events", validator={})
    await world.send(LEASE.total_seconds())
    assert len(world.receiver.calls) == 5
    assert (await statuses(world))[bad.id] is DeliveryStatus.SENT
    assert await world.timeline(bad) == ["OPENED", "NOTIFIED"]
