"""What changes or breaks while something is on its way: nothing is told that is not so, and nothing is lost."""

from datetime import UTC, datetime

from app.channel_changes import delete_channel, update_channel
from app.domain.alert import AlertEventType
from app.domain.channel import Channel, Config
from app.domain.channel_input import ChannelPatch
from app.domain.delivery import DeliveryStatus, Skip, after
from app.domain.message import TEST_EVENT
from app.domain.preferences_input import PreferencesPatch
from app.domain.telling import before_sending
from app.domain.tenant import EVERY_TENANT, Member, Role
from app.outcomes import Ended, Outcomes
from app.preferences import update_preferences
from app.sealing import seal
from tests.alerts.world import kept
from tests.cast import NOW, mate, owner
from tests.delivery.test_bundles import burst, named, slack, texts
from tests.delivery.test_fallbacks import member, paths
from tests.delivery.test_quiet import MORNING, NIGHT
from tests.delivery.world import World


async def bundle_that_waits(world: World) -> tuple[Channel, Channel]:
    """A bundle of two that is to be tried again, with a fallback for its channel."""
    other = await slack(world, "/other")
    first = await slack(world, "/first", fallback_channel_id=other.id)
    await world.context.store.tenants.change("acme", {"default_channel_ids": [first.id]})
    await burst(world, 3)
    await world.send()
    world.receiver.answers = [503]
    await world.send(5)
    return first, other


async def reasons(world: World) -> set[str | None]:
    return {one.skipped_because for one in await world.deliveries() if one.bundle_id is not None}


async def test_a_bundle_whose_channel_was_switched_off_goes_nowhere_else(world: World) -> None:
    first, _ = await bundle_that_waits(world)
    await update_channel(world.context, owner, first.id, ChannelPatch(enabled=False))
    await world.send(10)
    assert await reasons(world) == {"the channel is switched off"}
    assert "other" not in paths(world)
    off = await world.context.store.channels.get(EVERY_TENANT, first.id)
    assert off is not None
    assert off.refusals == 0


async def test_a_bundle_whose_channel_was_deleted_says_so(world: World) -> None:
    first, _ = await bundle_that_waits(world)
    await delete_channel(world.context, owner, first.id)
    await world.send(10)
    assert await reasons(world) == {"the channel was deleted"}


async def test_what_is_told_of_is_no_longer_kept_is_no_test_message(world: World) -> None:
    await world.channel()
    await world.open()
    await world.context.mongo.database["alert_events"].delete_many({})
    await world.send()
    assert world.receiver.calls == []
    assert (await world.only_one()).skipped_because == "what it tells of is no longer kept"


async def test_a_bundle_leaves_out_what_is_no_longer_kept(world: World) -> None:
    await slack(world)
    alerts = await burst(world, 4)
    await world.send()
    await world.context.mongo.database["alert_events"].delete_many({"alert_id": alerts[2].id})
    await world.send(5)
    assert named(texts(world)[1], alerts) == {alerts[1].id, alerts[3].id}
    [left] = [one for one in await world.deliveries() if one.alert_id == alerts[2].id]
    assert left.skipped_because == "what it tells of is no longer kept"


async def test_a_bundle_of_which_nothing_is_kept_says_nothing(world: World) -> None:
    await slack(world)
    await burst(world, 3)
    await world.send()
    await world.context.mongo.database["alert_events"].delete_many({})
    await world.send(5)
    assert len(world.receiver.calls) == 1
    assert TEST_EVENT not in "".join(texts(world))
    assert await reasons(world) == {"what it tells of is no longer kept"}


async def test_who_is_no_longer_of_the_tenant_is_not_told_what_was_held_for_them(world: World) -> None:
    world.go_to(datetime(2026, 11, 21, 1, 0, tzinfo=UTC))
    await member(world, mate)
    await slack(world, "/mats", principal=mate, personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(quiet_hours=NIGHT))
    await world.open(first_seen=world.clock.now())
    gone = Member(id=mate.id, email=None, role=Role.OPERATOR, tenant_ids=["umbrella"], last_seen=NOW)
    await world.context.store.members.note(gone)
    world.go_to(MORNING)
    await world.send()
    assert world.receiver.calls == []
    found = {one.skipped_because for one in await world.deliveries()}
    assert found == {"mats is not of the tenant any more"}


class PigeonConfig(Config, frozen=True, kw_only=True, tag="pigeon"):
    """As a later version might know it."""


async def test_a_config_that_cannot_be_read_is_tried_again_like_any_failure(world: World) -> None:
    channel = await world.channel()
    sealed = seal(world.context.settings, PigeonConfig())  # type: ignore[arg-type]
    await world.context.store.channels.change(EVERY_TENANT, channel.id, {"sealed": sealed})
    await world.open()
    await world.send()
    waiting = await world.only_one()
    assert (waiting.status, waiting.attempts) == (DeliveryStatus.PENDING, 1)
    assert waiting.error == "the channel's config cannot be read by this version"


async def test_what_is_on_its_own_again_while_it_is_being_left_out_is_told(world: World) -> None:
    """The courier has read the alert as folded; before it has written so, the alert is on its own again."""
    channel = await world.channel()
    alert = await world.open()
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    written = await world.only_one()
    [taken] = await world.context.store.deliveries.claim([written.id], "the courier", world.clock.now())
    folded = before_sending(taken, await kept(world.context, alert), channel, world.clock.now())
    assert isinstance(folded, Skip)
    await world.change(AlertEventType.UNGROUPED, alert, parent_id=None)
    left_out = Ended(after(taken, folded, 0, world.clock.now()), "the courier", channel, revocable=folded.of_alert)
    await Outcomes(world.context).keep([left_out])
    await world.send()
    assert await world.states() == ["SENT"]
    assert world.receiver.events() == ["device.offline"]
