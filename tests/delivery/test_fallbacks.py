"""When a channel cannot tell: another one does, a bad channel is switched off, and its owner hears of it."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from app.channel_changes import update_channel
from app.channel_testing import try_channel
from app.channels.email import NO_SERVER
from app.delivering import MOST_REFUSALS
from app.delivery_counts import add_outcomes
from app.domain.alert import Alert, Severity
from app.domain.channel import Channel
from app.domain.channel_input import ChannelPatch, EmailInput, SlackInput
from app.domain.delivery import HANDED_OVER, DeliveryStatus
from app.domain.preferences_input import PreferencesPatch
from app.domain.tenant import EVERY_TENANT, Member
from app.fallbacks import FAILS_FOR
from app.notifications import list_notifications
from app.preferences import update_preferences
from app.principal import Principal
from tests.cast import NOW, mate, outsider, owner
from tests.delivery.world import World


async def pair(world: World, **values: Any) -> tuple[Channel, Channel]:
    """A channel and the one that it falls back to, which is no default."""
    other = await world.channel(path="/other")
    first = await world.channel(path="/first", fallback_channel_id=other.id, **values)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    return first, other


def paths(world: World) -> list[str]:
    return [call.path.removeprefix("/hook/") for call in world.receiver.calls]


async def row(world: World, channel: Channel, alert: Alert, *, ends: bool = False) -> Any:
    [found] = [
        one
        for one in await world.deliveries()
        if one.channel_id == channel.id and one.alert_id == alert.id and one.ends is ends and one.bundling is None
    ]
    return found


async def member(world: World, principal: Principal) -> None:
    assert principal.role is not None
    tenants = sorted(principal.tenant_ids or ())
    await world.context.store.members.note(
        Member(id=principal.id, email=None, role=principal.role, tenant_ids=tenants, last_seen=NOW)
    )


async def inbox(world: World, principal: Principal) -> list[str]:
    return [one.title for one in await list_notifications(world.context, principal, False, 50)]


async def test_what_is_refused_for_good_is_told_by_the_fallback_at_once(world: World) -> None:
    first, other = await pair(world)
    alert = await world.open()
    world.receiver.answers = [404]
    await world.send()
    assert paths(world) == ["first", "other"]
    failed, told = await row(world, first, alert), await row(world, other, alert)
    assert (failed.status, failed.error) == (DeliveryStatus.FAILED, "answered 404")
    assert (told.status, told.stands_in_for) == (DeliveryStatus.SENT, failed.id)
    assert told.reason == f"stands in for {first.name}: answered 404"
    assert await world.timeline(alert) == ["OPENED", "DELIVERY_DEAD", "NOTIFIED"]


async def test_the_end_is_told_by_whoever_told_the_beginning(world: World) -> None:
    first, other = await pair(world)
    alert = await world.open()
    world.receiver.answers = [404]
    await world.send()
    await world.end(alert)
    await world.send()
    assert paths(world) == ["first", "other", "other"]
    assert (await row(world, first, alert, ends=True)).skipped_because == HANDED_OVER
    assert (await row(world, other, alert, ends=True)).status is DeliveryStatus.SENT


async def test_an_end_that_waited_goes_over_to_the_fallback_with_its_opening(world: World) -> None:
    first, other = await pair(world)
    alert = await world.open()
    world.receiver.answers = [503, 404]
    await world.send()
    await world.end(alert)
    await world.send(5)
    assert paths(world) == ["first", "first", "other", "other"]
    assert world.receiver.events("/hook/other") == ["device.offline", "device.online"]
    assert (await row(world, first, alert, ends=True)).status is DeliveryStatus.SKIPPED
    assert (await row(world, other, alert, ends=True)).status is DeliveryStatus.SENT


async def test_after_five_minutes_of_failing_the_fallback_tells(world: World) -> None:
    first, other = await pair(world)
    alert = await world.open()
    world.receiver.answers = [503] * 100
    await world.send()
    while "other" not in paths(world):
        assert world.clock.now() <= NOW + FAILS_FOR
        await world.send(1)
    assert world.clock.now() == NOW + FAILS_FOR
    assert (await row(world, first, alert)).status is DeliveryStatus.FAILED
    assert (await row(world, other, alert)).stands_in_for is not None


async def test_without_a_fallback_it_is_tried_for_about_an_hour(world: World) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = [503] * 100
    await world.send()
    await world.send(FAILS_FOR.total_seconds() + 1)
    assert (await world.only_one()).status is DeliveryStatus.PENDING


async def test_a_channel_that_works_again_is_no_longer_failing(world: World) -> None:
    channel = await world.channel()
    await world.open()
    world.receiver.answers = [503]
    await world.send()
    failing = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert failing is not None
    assert (failing.failing_since, failing.last_error) == (NOW, "answered 503")
    await world.send(3)
    well = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert well is not None
    assert (well.failing_since, well.last_error, well.refusals) == (None, None, 0)


async def test_five_refusals_in_a_row_switch_a_channel_off_and_its_admins_hear_of_it(world: World) -> None:
    await member(world, owner)
    await member(world, mate)
    channel = await world.channel()
    world.receiver.answers = [410] * MOST_REFUSALS
    for number in range(MOST_REFUSALS):
        await world.open(subject_id=f"pos-{number}")
        await world.send()
    off = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert off is not None
    assert (off.enabled, off.disabled_because) == (False, "answered 410")
    assert "Pager is disabled" in await inbox(world, owner)
    assert await inbox(world, mate) == []


async def test_what_the_operator_left_out_switches_no_channel_off(world: World) -> None:
    channel = await world.channel(config=EmailInput(to=("ann@example.com",)))
    for number in range(MOST_REFUSALS + 1):
        await world.open(subject_id=f"pos-{number}")
        await world.send(60)
    kept = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert kept is not None
    assert (kept.enabled, kept.refusals, kept.last_error) == (True, 0, NO_SERVER)
    assert {one.status for one in await world.deliveries()} == {DeliveryStatus.PENDING}


async def test_what_the_operator_left_out_is_told_by_the_fallback_after_five_minutes(world: World) -> None:
    web = await world.channel()
    mail = await world.channel(name="Mail", config=EmailInput(to=("ann@example.com",)), fallback_channel_id=web.id)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [mail.id]})
    await world.open()
    await world.send()
    assert world.receiver.calls == []
    for _ in range(4):
        await world.send(100)
    assert world.receiver.events() == ["device.offline"]


async def test_refusals_with_a_success_between_them_switch_nothing_off(world: World) -> None:
    channel = await world.channel()
    world.receiver.answers = [404, 404, 404, 404, 200, 404, 404, 404, 404]
    for number in range(9):
        await world.open(subject_id=f"pos-{number}")
        await world.send()
    on = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert on is not None
    assert on.enabled


async def test_tests_that_are_refused_switch_nothing_off(world: World) -> None:
    channel = await world.channel()
    world.receiver.answers = [404] * 10
    for _ in range(10):
        await try_channel(world.context, owner, channel.id)
        await world.send()
    on = await world.context.store.channels.get(EVERY_TENANT, channel.id)
    assert on is not None
    assert on.enabled


async def test_what_opens_while_a_channel_is_disabled_goes_to_its_fallback(world: World) -> None:
    first, other = await pair(world)
    await world.context.store.channels.disable(first.id, "answered 410")
    alert = await world.open()
    await world.send()
    assert paths(world) == ["other"]
    assert (await row(world, other, alert)).reason == f"stands in for {first.name}, which is disabled: answered 410"


async def test_what_a_person_switched_off_goes_nowhere_else(world: World) -> None:
    first, _ = await pair(world)
    await update_channel(world.context, owner, first.id, ChannelPatch(enabled=False))
    alert = await world.open()
    await world.send()
    assert world.receiver.calls == []
    assert await world.deliveries() == []
    assert await world.timeline(alert) == ["OPENED"]


async def test_fallbacks_are_followed_until_one_works_and_never_in_circles(world: World) -> None:
    third = await world.channel(path="/third")
    second = await world.channel(path="/second", fallback_channel_id=third.id)
    first = await world.channel(path="/first", fallback_channel_id=second.id)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    # Two changes at the same instant could make a circle, which the API refuses.
    await world.context.store.channels.change(EVERY_TENANT, third.id, {"fallback_id": first.id})
    alert = await world.open()
    world.receiver.answers = [404, 404, 404]
    await world.send()
    assert paths(world) == ["first", "second", "third"]
    assert await world.timeline(alert) == ["OPENED", *["DELIVERY_DEAD"] * 3]
    assert DeliveryStatus.DEAD in {one.status for one in await world.deliveries()}


async def test_a_fallback_that_was_told_anyway_is_not_told_twice(world: World) -> None:
    other = await world.channel(path="/other")
    await world.channel(path="/first", fallback_channel_id=other.id)
    await world.open()
    world.receiver.answers = [404]
    await world.send()
    assert len(world.receiver.events("/hook/other")) <= 1


async def test_a_person_is_told_by_the_next_of_their_own(world: World) -> None:
    await member(world, mate)
    one = await world.channel(mate, "/one", personal=True)
    two = await world.channel(mate, "/two", personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(channel_ids=(two.id, one.id)))
    alert = await world.open()
    world.receiver.answers = [403]
    await world.send()
    assert paths(world) == ["two", "one"]
    assert (await row(world, two, alert)).status is DeliveryStatus.FAILED
    await world.end(alert)
    await world.send()
    assert paths(world) == ["two", "one", "one"]


async def test_a_bundle_that_is_refused_goes_to_the_fallback_as_a_whole(world: World) -> None:
    other = await world.channel(path="/other", config=SlackInput(webhook_url=f"{world.receiver.url}/other"))
    first = await world.channel(
        path="/first", config=SlackInput(webhook_url=f"{world.receiver.url}/first"), fallback_channel_id=other.id
    )
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    alerts = [await world.open(subject_id=f"pos-{number}", title=f"Till {number} is offline") for number in range(6)]
    await world.send()
    world.receiver.answers = [404]
    await world.send(5)
    for _ in range(30):
        await world.send(1)
    told = "".join(call.body.decode() for call in world.receiver.calls if call.path == "/hook/other")
    assert all(alert.title in told for alert in alerts[1:])
    assert paths(world).count("other") <= 2


async def test_a_dead_delivery_is_told_the_admins_once_an_hour(world: World) -> None:
    await member(world, owner)
    await world.channel()
    world.receiver.answers = [404, 404, 404]
    for number in range(2):
        await world.open(subject_id=f"pos-{number}")
        await world.send()
    assert await inbox(world, owner) == ["Pager did not get an alert through"]
    await world.open(subject_id="later")
    await world.send(3600)
    assert len(await inbox(world, owner)) == 2


async def outcomes(world: World) -> Counter[tuple[str, str]]:
    await add_outcomes(world.context)
    return Counter(await world.context.store.delivery_figures.outcomes())


async def test_what_the_fallback_was_asked_already_and_does_not_want_is_dead_and_the_admins_hear_of_it(world: World) -> None:
    await member(world, owner)
    other = await world.channel(path="/other", severities=(Severity.CRITICAL,))
    first = await world.channel(path="/first", fallback_channel_id=other.id)
    alert = await world.open(severity=Severity.LOW)
    world.receiver.always["/hook/first"] = 404
    before = await outcomes(world)
    await world.send()
    assert (await row(world, other, alert)).skipped_because == "the channel does not want severity LOW"
    assert (await row(world, first, alert)).status is DeliveryStatus.DEAD
    assert await inbox(world, owner) == ["Pager did not get an alert through"]
    assert await outcomes(world) - before == Counter({("webhook", "dead"): 1})


async def test_of_a_bundle_that_nobody_tells_instead_the_admins_hear(world: World) -> None:
    await member(world, owner)
    other = await world.channel(path="/other", severities=(Severity.CRITICAL,))
    slack = SlackInput(webhook_url=f"{world.receiver.url}/first")
    await world.channel(path="/first", config=slack, fallback_channel_id=other.id, name="Night shift")
    for number in range(3):
        await world.open(subject_id=f"pos-{number}", severity=Severity.LOW)
    await world.send()
    world.receiver.always["/hook/first"] = 404
    await world.send(5)
    statuses = {one.status for one in await world.deliveries() if one.bundling is not None or one.bundle_id is not None}
    assert statuses == {DeliveryStatus.DEAD}
    assert await inbox(world, owner) == ["Night shift did not get an alert through"]


async def test_an_alert_that_reaches_nobody_says_so_and_tells_the_admins_once_an_hour(world: World) -> None:
    await member(world, owner)
    await member(world, outsider)
    for number in range(3):
        await world.open(subject_id=f"pos-{number}")
    assert await inbox(world, owner) == ["An alert reaches nobody"]
    assert await inbox(world, outsider) == []
    world.clock.advance(3600)
    await world.open(subject_id="later")
    assert len(await inbox(world, owner)) == 2


async def test_every_address_of_a_mail_channel_has_a_delivery_of_its_own(world: World) -> None:
    mail = EmailInput(to=("ann@example.com", "bob@example.org"))
    channel = await world.channel(config=mail)
    alert = await world.open()
    rows = [one for one in await world.deliveries() if one.alert_id == alert.id]
    assert sorted((one.address, one.recipient) for one in rows) == [
        ("ann@example.com", "a…@example.com"),
        ("bob@example.org", "b…@example.org"),
    ]
    await world.send()
    assert {one.error for one in await world.deliveries()} == {NO_SERVER}
    await try_channel(world.context, owner, channel.id)
    assert len([one for one in await world.deliveries() if one.alert_id is None]) == 2


@pytest.mark.parametrize("minutes", [1, 4])
async def test_before_five_minutes_have_passed_it_is_tried_again(world: World, minutes: int) -> None:
    first, _ = await pair(world)
    alert = await world.open()
    world.receiver.answers = [503] * 100
    await world.send()
    world.clock.advance(timedelta(minutes=minutes).total_seconds())
    await world.send()
    assert (await row(world, first, alert)).status is DeliveryStatus.PENDING


async def test_the_names_of_own_channels_are_nobody_elses_to_read(world: World) -> None:
    await member(world, mate)
    one = await world.channel(mate, "/one", personal=True, name="Secret phone")
    world.clock.advance(1)
    await world.channel(mate, "/two", personal=True, name="Secret pager")
    alert = await world.open()
    world.receiver.answers = [403]
    await world.send()
    assert (await row(world, one, alert)).status is DeliveryStatus.FAILED
    shown = str([one.reason for one in await world.deliveries()]) + str(await world.events(alert))
    assert "Secret" not in shown
    assert "stands in for another channel of mats: answered 403" in shown


async def test_a_message_names_the_channels_that_are_told_as_well(world: World) -> None:
    await world.channel(path="/one", name="Night shift")
    await world.channel(path="/two", name="Owners", config=SlackInput(webhook_url=f"{world.receiver.url}/two"))
    await world.open()
    await world.send()
    [text] = [call.body.decode() for call in world.receiver.calls if call.path == "/hook/two"]
    assert "Night shift" in text
