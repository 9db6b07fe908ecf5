"""What becomes of a bundle that was given up: under its key one set of words is said, whoever tries it again and whoever is killed."""

from collections import Counter
from collections.abc import Sequence

import pytest

from app.channel_changes import update_channel
from app.channels.ways import open_ways
from app.courier import Courier
from app.deliveries import retry_delivery
from app.domain.alert import Alert
from app.domain.channel_input import ChannelPatch
from app.domain.delivery import LEASE, Delivery, DeliveryStatus
from app.errors import ConflictError
from app.outcomes import Ended, Outcomes
from tests.cast import owner
from tests.delivery.killing import KilledError
from tests.delivery.test_bundles import burst, named, slack, texts, until_quiet
from tests.delivery.world import World


async def bundle_and_members(world: World) -> list[Delivery]:
    """The bundle first."""
    found = [one for one in await world.deliveries() if one.bundling is not None or one.bundle_id is not None]
    return sorted(found, key=lambda one: (one.bundling is None, one.created_at, one.seq))


async def give_up_until_killed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes what became of members comes no further than the first."""
    keep = Outcomes.keep

    async def dying(outcomes: Outcomes, ended: Sequence[Ended]) -> list[Delivery]:
        await keep(outcomes, ended[:1])
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Outcomes, "keep", dying)
        async with open_ways(world.context.settings) as ways:
            await Courier(world.context, ways).work_off()


async def refused(world: World, count: int) -> list[Alert]:
    """A burst of which all but the first went as a bundle that its receiver refused for good."""
    alerts = await about_to_be_refused(world, count)
    await world.send(5)
    return alerts


async def about_to_be_refused(world: World, count: int) -> list[Alert]:
    await slack(world)
    alerts = await burst(world, count)
    await world.send()
    world.receiver.answers = [404]
    return alerts


async def given_up_and_over_for(world: World, count: int) -> tuple[list[Alert], Delivery]:
    """A bundle of three that was given up; so many of its alerts have an end that was told."""
    alerts = await refused(world, 4)
    for alert in alerts[1 : count + 1]:
        await world.end(alert)
    await until_quiet(world, 30)
    return alerts, (await bundle_and_members(world))[0]


async def test_a_bundle_that_was_given_up_can_be_tried_again_with_its_members(world: World) -> None:
    alerts = await refused(world, 3)
    [bundle] = [one for one in await world.deliveries() if one.bundling is not None]
    await retry_delivery(world.context, owner, bundle.id)
    await world.send()
    assert named(texts(world)[-1], alerts) == {alert.id for alert in alerts[1:]}
    assert {one.status for one in await world.deliveries()} == {DeliveryStatus.SENT}


async def test_one_that_was_given_up_in_a_bundle_can_be_tried_again_by_itself(world: World) -> None:
    alerts = await refused(world, 3)
    [dead, _] = [one for one in await world.deliveries() if one.bundle_id is not None]
    await retry_delivery(world.context, owner, dead.id)
    await world.send(60)
    assert named(texts(world)[-1], alerts) == {dead.alert_id}


async def test_what_is_left_of_a_bundle_is_not_said_under_the_key_of_the_whole(world: World) -> None:
    alerts = await refused(world, 4)
    bundle, dead, *_ = await bundle_and_members(world)
    await retry_delivery(world.context, owner, dead.id)
    await retry_delivery(world.context, owner, bundle.id)
    await until_quiet(world, 60)
    keys = Counter(call.headers["Idempotency-Key"] for call in world.receiver.calls)
    assert keys[bundle.id] == 1
    assert [named("".join(texts(world)[2:]), alerts)] == [{alert.id for alert in alerts[1:]}]
    assert {one.status for one in await world.deliveries() if one.bundling is None} == {DeliveryStatus.SENT}


async def test_a_bundle_that_is_broken_up_is_skipped_when_it_is_tried_again_and_says_why(world: World) -> None:
    await refused(world, 4)
    bundle, dead, *_ = await bundle_and_members(world)
    await retry_delivery(world.context, owner, dead.id)
    answer = await retry_delivery(world.context, owner, bundle.id)
    assert (answer.id, answer.status, answer.next_attempt_at) == (bundle.id, DeliveryStatus.SKIPPED, None)
    assert answer.skipped_because == "its members were tried again by themselves"


async def test_of_a_bundle_that_is_tried_again_what_something_later_has_followed_is_left_out(world: World) -> None:
    alerts, bundle = await given_up_and_over_for(world, 1)
    told = len(world.receiver.calls)
    answer = await retry_delivery(world.context, owner, bundle.id)
    assert answer.skipped_because == "its members were tried again by themselves"
    await until_quiet(world, 60)
    assert named("".join(texts(world)[told:]), alerts) == {alert.id for alert in alerts[2:]}
    keys = Counter(call.headers["Idempotency-Key"] for call in world.receiver.calls)
    assert keys[bundle.id] == 1
    assert sorted(one.status.name for one in await world.deliveries() if one.alert_id == alerts[1].id) == ["DEAD", "SENT"]


async def test_a_bundle_whose_every_alert_has_moved_on_is_not_tried_again(world: World) -> None:
    _, bundle = await given_up_and_over_for(world, 3)
    with pytest.raises(ConflictError):
        await retry_delivery(world.context, owner, bundle.id)


async def test_a_bundle_that_was_given_up_is_not_sent_again_with_what_a_killed_worker_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = await about_to_be_refused(world, 4)
    world.clock.advance(5)
    await give_up_until_killed(world, monkeypatch)
    assert sorted(one.status.name for one in await bundle_and_members(world)) == ["DEAD", "PENDING", "PENDING", "SENDING"]
    await world.send(LEASE.total_seconds())
    assert len(world.receiver.calls) == 2
    rows = await bundle_and_members(world)
    assert {(one.status, one.error, one.ending) for one in rows} == {(DeliveryStatus.DEAD, "answered 404", None)}
    assert [await world.timeline(alert) for alert in alerts[1:]] == [["OPENED", "DELIVERY_DEAD"]] * 3


async def test_a_bundle_that_goes_to_a_fallback_goes_there_whole_though_a_worker_was_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await world.channel(path="/other")
    first = await slack(world, "/first", fallback_channel_id=other.id)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    alerts = await burst(world, 4)
    await world.send()
    world.receiver.always["/hook/first"] = 404
    world.clock.advance(5)
    await give_up_until_killed(world, monkeypatch)
    await world.send(LEASE.total_seconds())
    assert {one.status for one in await bundle_and_members(world)} == {DeliveryStatus.FAILED}
    told = [call.said["alert"]["id"] for call in world.receiver.calls if call.path == "/hook/other"]
    assert sorted(told) == [alert.id for alert in alerts[1:]]


async def test_a_bundle_whose_channel_was_switched_off_stays_skipped_though_a_worker_was_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await slack(world)
    await burst(world, 4)
    await world.send()
    world.receiver.answers = [503]
    await world.send(5)
    await update_channel(world.context, owner, channel.id, ChannelPatch(enabled=False))
    world.clock.advance(5)
    await give_up_until_killed(world, monkeypatch)
    await update_channel(world.context, owner, channel.id, ChannelPatch(enabled=True))
    await world.send(LEASE.total_seconds())
    assert len(world.receiver.calls) == 2
    assert {one.skipped_because for one in await bundle_and_members(world)} == {"the channel is switched off"}


async def test_a_member_that_is_tried_again_while_its_bundle_is_being_given_up_breaks_it_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = await about_to_be_refused(world, 4)
    world.clock.advance(5)
    await give_up_until_killed(world, monkeypatch)
    bundle, *members = await bundle_and_members(world)
    [dead] = [one for one in members if one.status is DeliveryStatus.DEAD]
    await retry_delivery(world.context, owner, dead.id)
    await world.send(LEASE.total_seconds())
    await retry_delivery(world.context, owner, bundle.id)
    await until_quiet(world, 60)
    keys = Counter(call.headers["Idempotency-Key"] for call in world.receiver.calls)
    assert keys[bundle.id] == 1
    assert named("".join(texts(world)[2:]), alerts) == {alert.id for alert in alerts[1:]}


async def test_a_bundle_that_is_broken_up_while_its_end_is_being_written_stays_so(world: World) -> None:
    await refused(world, 4)
    bundle, *_ = await bundle_and_members(world)
    collection = world.context.mongo.database["deliveries"]
    await collection.update_one({"_id": bundle.id}, {"$set": {"broken_up": True, "lease": "the courier's"}})
    await world.context.store.deliveries.settle([bundle], ["the courier's"])
    assert (await bundle_and_members(world))[0].broken_up
