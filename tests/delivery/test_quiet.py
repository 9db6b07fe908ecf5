"""Quiet hours and digests of a person, from the alert to what is received."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.alert import Alert, AlertEventType, Severity
from app.domain.channel import Channel
from app.domain.channel_input import SlackInput
from app.domain.delivery import NOT_OPENED, DeliveryStatus
from app.domain.preferences_input import PreferencesPatch
from app.domain.quiet_hours import QuietHours
from app.preferences import update_preferences
from tests.cast import mate
from tests.delivery.test_fallbacks import member
from tests.delivery.world import World

NIGHT = QuietHours(enabled=True, start="22:00", end="07:00", timezone="Europe/Berlin")
IN_THE_NIGHT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def text(world: World) -> str:
    return "\n".join(call.body.decode() for call in world.receiver.calls)


async def asleep(world: World, at: datetime = IN_THE_NIGHT, **wishes: object) -> Channel:
    """The mate has a channel of their own, and quiet hours; it is night."""
    world.go_to(at)
    await member(world, mate)
    own = SlackInput(webhook_url=f"{world.receiver.url}/mats")
    channel = await world.channel(mate, config=own, personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(**{"quiet_hours": NIGHT, **wishes}))  # type: ignore[arg-type]
    return channel


async def alarm(world: World, name: str, **fields: object) -> Alert:
    return await world.open(subject_id=name, title=f"Too hot: {name}", first_seen=world.clock.now(), **fields)


async def until(world: World, at: datetime) -> None:
    await world.send((at - world.clock.now()).total_seconds())


async def test_in_quiet_hours_nothing_is_told_and_the_delivery_says_until_when(world: World) -> None:
    await asleep(world)
    await alarm(world, "fridge")
    await world.send(60)
    held = await world.only_one()
    assert (held.status, held.next_attempt_at) == (DeliveryStatus.PENDING, MORNING)
    assert world.receiver.calls == []


async def test_what_was_held_comes_as_one_message_when_they_end(world: World) -> None:
    await asleep(world)
    for name in ("fridge", "freezer", "oven"):
        await alarm(world, name)
        await world.send(600)
    await until(world, MORNING)
    assert len(world.receiver.calls) == 1
    assert all(name in text(world) for name in ("fridge", "freezer", "oven"))
    assert "quiet hours" in text(world)


async def test_what_was_over_by_then_is_not_told_and_says_why(world: World) -> None:
    await asleep(world)
    over = await alarm(world, "fridge")
    await alarm(world, "oven")
    world.clock.advance(600)
    await world.end(over)
    await until(world, MORNING)
    assert "fridge" not in text(world)
    assert "oven" in text(world)
    reasons = {one.ends: one.skipped_because for one in await world.deliveries() if one.alert_id == over.id}
    assert reasons == {False: "it was over before it was to be told", True: NOT_OPENED}


async def test_a_critical_one_wakes_them(world: World) -> None:
    await asleep(world)
    await alarm(world, "fire", severity=Severity.CRITICAL)
    await world.send()
    assert "fire" in text(world)


async def test_other_exceptions_may_be_chosen(world: World) -> None:
    excepted = QuietHours(enabled=True, start="22:00", end="07:00", timezone="Europe/Berlin", except_severities=(Severity.LOW,))
    await asleep(world, quiet_hours=excepted)
    await alarm(world, "fire", severity=Severity.CRITICAL)
    await alarm(world, "drip", severity=Severity.LOW)
    await world.send()
    assert "drip" in text(world)
    assert "fire" not in text(world)


async def test_an_end_in_the_night_of_what_was_told_by_day_is_told_in_the_morning(world: World) -> None:
    await asleep(world, at=IN_THE_NIGHT - timedelta(hours=5))
    alert = await alarm(world, "fridge")
    await world.send()
    assert len(world.receiver.calls) == 1
    world.go_to(IN_THE_NIGHT)
    await world.end(alert)
    await world.send(60)
    assert len(world.receiver.calls) == 1
    await until(world, MORNING)
    assert len(world.receiver.calls) == 2


async def test_shared_channels_have_no_quiet_hours(world: World) -> None:
    await asleep(world)
    await world.channel(path="/shared")
    await alarm(world, "fridge")
    await world.send()
    assert [call.path for call in world.receiver.calls] == ["/hook/shared"]


@pytest.mark.parametrize(
    ("night", "ends"),
    [
        # The clocks of Berlin go forward at 2:00 on 29 March: that night has eight hours.
        (datetime(2026, 3, 28, 22, 0, tzinfo=UTC), datetime(2026, 3, 29, 5, 0, tzinfo=UTC)),
        # And back at 3:00 on 25 October: that one has ten.
        (datetime(2026, 10, 24, 21, 0, tzinfo=UTC), datetime(2026, 10, 25, 6, 0, tzinfo=UTC)),
    ],
    ids=["spring", "autumn"],
)
async def test_they_end_by_the_clock_on_the_wall_when_the_clocks_change(world: World, night: datetime, ends: datetime) -> None:
    await asleep(world, at=night)
    await alarm(world, "fridge")
    await until(world, ends - timedelta(seconds=1))
    assert world.receiver.calls == []
    await world.send(1)
    assert len(world.receiver.calls) == 1


async def test_they_are_those_of_the_persons_own_zone(world: World) -> None:
    night = QuietHours(enabled=True, start="22:00", end="07:00", timezone="Asia/Kathmandu")
    await asleep(world, at=datetime(2026, 11, 20, 17, 0, tzinfo=UTC), quiet_hours=night)
    await alarm(world, "fridge")
    await world.send()
    assert (await world.only_one()).next_attempt_at == datetime(2026, 11, 21, 1, 15, tzinfo=UTC)


async def test_a_digest_gathers_what_comes_until_the_next_full_hour(world: World) -> None:
    await asleep(world, at=datetime(2026, 11, 21, 12, 10, tzinfo=UTC), quiet_hours=None, digest_sec=3600)
    for name in ("fridge", "oven"):
        await alarm(world, name)
        await world.send(600)
    assert world.receiver.calls == []
    await until(world, datetime(2026, 11, 21, 13, 0, tzinfo=UTC))
    assert len(world.receiver.calls) == 1
    assert all(name in text(world) for name in ("fridge", "oven"))


async def test_what_is_critical_does_not_wait_for_the_digest(world: World) -> None:
    await asleep(world, at=datetime(2026, 11, 21, 12, 10, tzinfo=UTC), quiet_hours=None, digest_sec=3600)
    await alarm(world, "fire", severity=Severity.CRITICAL)
    await world.send()
    assert len(world.receiver.calls) == 1


async def test_an_end_is_told_in_the_morning_though_it_got_worse_in_between(world: World) -> None:
    await asleep(world, at=IN_THE_NIGHT - timedelta(hours=5))
    alert = await alarm(world, "fridge", severity=Severity.MEDIUM)
    await world.send()
    world.go_to(IN_THE_NIGHT)
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    await world.end(alert)
    await until(world, MORNING)
    statuses = {one.type: one.status for one in await world.deliveries()}
    assert statuses[AlertEventType.SEVERITY_CHANGED] is DeliveryStatus.SKIPPED
    assert statuses[AlertEventType.RESOLVED] is DeliveryStatus.SENT
    assert len(world.receiver.calls) == 2


async def test_what_gets_critical_in_the_night_wakes_them_with_what_was_held_of_it(world: World) -> None:
    own = await asleep(world)
    alert = await alarm(world, "fridge", severity=Severity.MEDIUM)
    await alarm(world, "oven")
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.HIGH)
    await world.send(60)
    assert world.receiver.calls == []
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.CRITICAL)
    for _ in range(10):
        await world.send(5)
    assert "oven" not in text(world)
    told = [one for one in await world.deliveries() if one.alert_id == alert.id]
    assert [one.status for one in told] == [DeliveryStatus.SENT] * 3
    assert {one.channel_id for one in told} == {own.id}


async def test_what_gets_critical_does_not_wait_for_the_digest(world: World) -> None:
    await asleep(world, at=datetime(2026, 11, 21, 12, 10, tzinfo=UTC), quiet_hours=None, digest_sec=3600)
    alert = await alarm(world, "fire")
    await world.change(AlertEventType.SEVERITY_CHANGED, alert, severity=Severity.CRITICAL)
    await world.send()
    assert "fire" in text(world)


async def test_what_quiet_hours_hold_goes_in_no_bundle_before_they_end(world: World) -> None:
    await asleep(world, at=datetime(2026, 11, 21, 20, 59, 57, tzinfo=UTC))
    for name in ("fridge", "oven"):
        await alarm(world, name)
    await world.send()
    worse = await alarm(world, "freezer", severity=Severity.LOW)
    world.later(4)
    await world.change(AlertEventType.SEVERITY_CHANGED, worse, severity=Severity.HIGH)
    await world.send(1)
    assert "oven" in text(world)
    [held] = [one for one in await world.deliveries() if one.type is AlertEventType.SEVERITY_CHANGED]
    assert held.status is DeliveryStatus.PENDING
    await until(world, MORNING + timedelta(days=1))
    [told] = [one for one in await world.deliveries() if one.type is AlertEventType.SEVERITY_CHANGED]
    assert told.status is DeliveryStatus.SENT
