"""The tellings of an alert to a channel go out in order, and what is not told has its reason."""

from datetime import timedelta

import msgspec
import pytest

from app.channel_changes import delete_channel, update_channel
from app.deliveries import retry_delivery
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.channel_input import ChannelPatch
from app.domain.delivery import NOT_OPENED, DeliveryStatus
from app.errors import ConflictError
from tests.cast import NOW, owner
from tests.delivery.world import World


async def test_an_end_waits_while_its_opening_is_tried_again(world: World) -> None:
    await world.channel()
    alert = await world.open()
    world.receiver.answers = [503, 503]
    await world.send()
    await world.end(alert)
    assert await world.send() == 0
    await world.send(3)
    assert world.receiver.events() == ["device.offline"] * 2
    await world.send(6)
    assert world.receiver.events() == ["device.offline"] * 3 + ["device.online"]
    assert await world.states() == ["SENT", "SENT"]


async def test_an_end_goes_out_after_its_opening_is_dead(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.end(alert)
    world.receiver.answers = [404]
    await world.send()
    assert world.receiver.events() == ["device.offline", "device.online"]
    assert await world.states() == ["DEAD", "SENT"]
    assert await world.timeline(alert) == ["OPENED", "RESOLVED", "DELIVERY_DEAD", "NOTIFIED"]


async def test_one_channel_does_not_wait_for_another(world: World) -> None:
    await world.channel(path="/one")
    await world.channel(path="/two")
    alert = await world.open()
    world.receiver.answers = [503]
    await world.send()
    await world.end(alert)
    await world.send()
    paths = [call.path for call in world.receiver.calls]
    late, early = paths[0], paths[1]
    assert paths == [late, early, early]
    assert world.receiver.events(early) == ["device.offline", "device.online"]


async def test_an_alert_that_is_muted_is_skipped_with_the_reason_and_so_is_its_end(world: World) -> None:
    await world.channel()
    alert = await world.open(muted_because="4 alerts within the hour")
    await world.end(alert)
    await world.send()
    reasons = [one.skipped_because for one in await world.deliveries()]
    assert sorted(map(str, reasons)) == sorted(["muted: 4 alerts within the hour", NOT_OPENED])
    assert world.receiver.calls == []
    assert await world.timeline(alert) == ["OPENED", "RESOLVED"]


async def test_an_alert_that_is_folded_is_skipped_with_the_reason(world: World) -> None:
    await world.channel()
    await world.open(parent_id="the-parent")
    skipped = await world.only_one()
    assert skipped.status is DeliveryStatus.SKIPPED
    assert skipped.skipped_because == "told with alert the-parent, which it is folded under"


async def test_a_severity_that_is_not_wanted_is_skipped_with_the_reason(world: World) -> None:
    await world.channel(severities=(Severity.CRITICAL, Severity.HIGH))
    await world.open(subject_id="a", severity=Severity.LOW)
    await world.open(subject_id="b", severity=Severity.HIGH)
    await world.send()
    low, high = sorted(await world.deliveries(), key=lambda one: one.alert_id or "")
    assert (low.status, low.skipped_because) == (DeliveryStatus.SKIPPED, "the channel does not want severity LOW")
    assert high.status is DeliveryStatus.SENT


async def test_a_telling_that_is_held_waits(world: World) -> None:
    await world.channel()
    await world.open(telling_held_until=NOW + timedelta(seconds=30))
    assert await world.send(29) == 0
    assert await world.send(1) == 1
    assert await world.states() == ["SENT"]


async def test_what_was_folded_while_it_was_held_is_skipped(world: World) -> None:
    await world.channel()
    alert = await world.open(telling_held_until=NOW + timedelta(seconds=30))
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.send(30)
    assert (await world.only_one()).skipped_because == "told with alert the-parent, which it is folded under"
    assert world.receiver.calls == []


async def test_what_was_over_while_it_was_held_is_told_nobody(world: World) -> None:
    await world.channel()
    alert = await world.open(telling_held_until=NOW + timedelta(seconds=30))
    world.clock.advance(10)
    await world.end(alert)
    await world.send(20)
    reasons = {one.ends: one.skipped_because for one in await world.deliveries()}
    assert reasons == {False: "it was over before it was to be told", True: NOT_OPENED}
    assert world.receiver.calls == []


async def test_what_is_held_for_longer_meanwhile_waits_for_longer_and_loses_no_try(world: World) -> None:
    await world.channel()
    alert = await world.open(telling_held_until=NOW + timedelta(seconds=10))
    await world.change(AlertEventType.UNGROUPED, alert, telling_held_until=NOW + timedelta(seconds=60))
    await world.send(10)
    held = await world.only_one()
    assert (held.status, held.attempts, held.next_attempt_at) == (DeliveryStatus.PENDING, 0, NOW + timedelta(seconds=60))
    await world.send(50)
    assert await world.states() == ["SENT"]


async def test_what_is_on_its_own_again_is_told(world: World) -> None:
    await world.channel()
    alert = await world.open(parent_id="the-parent")
    await world.change(AlertEventType.UNGROUPED, alert, parent_id=None)
    await world.send()
    await world.end(alert)
    await world.send()
    assert await world.states() == ["SKIPPED", "SENT", "SENT"]
    assert world.receiver.events() == ["device.offline", "device.online"]


async def test_an_end_is_told_though_it_was_folded_after_its_opening_was_told(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.send()
    await world.end(await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent"))
    await world.send()
    assert world.receiver.events() == ["device.offline", "device.online"]


async def test_a_channel_that_is_younger_than_an_alert_does_not_hear_its_end(world: World) -> None:
    alert = await world.open()
    await world.channel()
    await world.end(alert)
    assert await world.deliveries() == []


async def test_a_channel_that_is_off_or_gone_skips_what_was_on_its_way(world: World) -> None:
    off, gone = await world.channel(), await world.channel()
    await world.open()
    await update_channel(world.context, owner, off.id, ChannelPatch(enabled=False))
    await delete_channel(world.context, owner, gone.id)
    await world.send()
    reasons = {one.channel_id: one.skipped_because for one in await world.deliveries()}
    assert reasons == {off.id: "the channel is switched off", gone.id: "the channel was deleted"}
    await world.open(subject_id="another")
    assert len(await world.deliveries()) == 2


async def test_the_rows_are_there_when_the_alert_is(world: World) -> None:
    channel = await world.channel()
    alert = await world.open()
    written = await world.only_one()
    assert written.id == f"{alert.id}-{written.seq}-{channel.id}"
    untouched = msgspec.structs.replace(written, status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=NOW)
    assert written == untouched


async def test_an_end_is_told_though_what_came_between_was_left_out(world: World) -> None:
    await world.channel()
    alert = await world.open(severity=Severity.MEDIUM)
    await world.send()
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.end(alert)
    await world.send()
    assert await world.states() == ["SENT", "SKIPPED", "SENT"]
    assert world.receiver.events() == ["device.offline", "device.online"]


async def test_an_end_is_told_though_what_came_before_it_was_left_out_already(world: World) -> None:
    await world.channel()
    alert = await world.open(severity=Severity.MEDIUM)
    await world.send()
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.send()
    await world.end(alert)
    await world.send()
    assert await world.states() == ["SENT", "SKIPPED", "SENT"]


async def test_what_was_told_and_is_on_its_own_again_is_not_told_twice(world: World) -> None:
    await world.channel()
    alert = await world.open(severity=Severity.MEDIUM)
    await world.send()
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.send()
    await world.change(AlertEventType.UNGROUPED, alert, parent_id=None)
    await world.send()
    assert world.receiver.events() == ["device.offline"]


async def test_an_end_that_was_told_is_not_told_again_for_a_beginning_that_was_not(world: World) -> None:
    await world.channel(severities=(Severity.HIGH,))
    alert = await world.open()
    await world.send()
    await world.end(alert)
    await world.send()
    await world.change(AlertEventType.REOPENED, alert, severity=Severity.LOW, live=True, status=AlertStatus.OPEN)
    await world.end(alert)
    await world.send()
    assert await world.states() == ["SENT", "SENT", "SKIPPED", "SKIPPED"]


async def test_what_was_given_up_later_goes_again_behind_what_was_before_it(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.end(alert)
    world.receiver.answers = [404, 404, 503]
    await world.send()
    opening, end = await world.deliveries()
    await retry_delivery(world.context, owner, opening.id)
    await world.send()
    with pytest.raises(ConflictError):
        await retry_delivery(world.context, owner, end.id)
    await world.send(3)
    assert world.receiver.events()[2:] == ["device.offline", "device.offline", "device.online"]
    assert await world.states() == ["SENT", "SENT"]


async def test_what_comes_after_something_that_is_tried_again_waits_for_it(world: World) -> None:
    await world.channel()
    alert = await world.open(severity=Severity.LOW)
    worse = await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    world.receiver.answers = [404, 404, 503]
    await world.send()
    await retry_delivery(world.context, owner, (await world.deliveries())[0].id)
    await world.send()
    await world.end(worse)
    await world.send(3)
    assert world.receiver.events()[2:] == ["device.offline", "device.offline", "alert.severity_changed", "device.online"]


async def test_nothing_is_tried_again_that_a_later_telling_has_followed(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.end(alert)
    world.receiver.answers = [404]
    await world.send()
    opening, _ = await world.deliveries()
    with pytest.raises(ConflictError, match="a later telling of the alert has followed it"):
        await retry_delivery(world.context, owner, opening.id)
