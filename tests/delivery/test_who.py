"""Who is told of an alert: the rule's channels, else the tenant's default ones, then each person by their own wishes."""

from typing import Any

import msgspec
import pytest

from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType, AlertStatus, Resolution, Severity
from app.domain.channel import Channel, WebhookFormat
from app.domain.channel_input import InAppInput, SlackInput, WebhookInput
from app.domain.delivery import DeliveryStatus
from app.domain.preferences_input import PreferencesPatch
from app.domain.rule_input import RulePatch
from app.domain.tenant import Role
from app.notifications import list_notifications
from app.preferences import update_preferences
from app.rule_overrides import override_rule
from tests.alerts.world import kept
from tests.cast import mate, outsider, owner, person, root, viewer
from tests.delivery.test_fallbacks import member
from tests.delivery.world import KEY, World


def paths(world: World) -> list[str]:
    return sorted(call.path.removeprefix("/hook/") for call in world.receiver.calls)


async def worsen(world: World, alert: Alert, severity: Severity) -> None:
    await world.write(lifecycle.change_severity(await kept(world.context, alert), severity, world.clock.now()))


async def defaults(world: World, *channels: Channel) -> None:
    await world.context.store.tenants.change("acme", {"default_channel_ids": [one.id for one in channels]})


async def test_without_a_choice_every_shared_channel_is_told(world: World) -> None:
    await world.channel(path="/one")
    await world.channel(path="/two")
    await world.open()
    await world.send()
    assert paths(world) == ["one", "two"]


async def test_the_default_channels_of_the_tenant_are_told_where_it_chose(world: World) -> None:
    one = await world.channel(path="/one")
    await world.channel(path="/two")
    await defaults(world, one)
    await world.open()
    await world.send()
    assert paths(world) == ["one"]
    assert (await world.only_one()).reason == "a default channel of the tenant"


async def test_a_tenant_that_chose_none_tells_none(world: World) -> None:
    await world.channel(path="/one")
    await defaults(world)
    alert = await world.open()
    assert await world.deliveries() == []
    [opening] = await world.events(alert)
    assert opening.detail == {"told": [], "nobody": "no channel is there to tell it"}


async def test_the_channels_of_the_rule_go_before_the_default_ones(world: World) -> None:
    one = await world.channel(path="/one")
    two = await world.channel(path="/two")
    await defaults(world, one)
    await override_rule(world.context, owner, None, "device_offline", RulePatch(channel_ids=(two.id,)))
    await world.open()
    await world.send()
    assert paths(world) == ["two"]
    assert (await world.only_one()).reason == "a channel of rule device_offline"


async def test_a_rule_whose_channels_are_all_deleted_tells_the_default_ones(world: World) -> None:
    await world.channel(path="/one")
    two = await world.channel(path="/two")
    await override_rule(world.context, owner, None, "device_offline", RulePatch(channel_ids=(two.id,)))
    await world.context.store.channels.delete(owner.scope, two.id)
    await world.open()
    await world.send()
    assert paths(world) == ["one"]


async def test_people_are_told_by_their_own_channels_as_well(world: World) -> None:
    await member(world, mate)
    await world.channel(path="/shared")
    await world.channel(mate, "/mats", personal=True)
    await world.open()
    await world.send()
    assert paths(world) == ["mats", "shared"]
    [own] = [one for one in await world.deliveries() if one.user_id is not None]
    assert own.reason == "own channel of mats, by their preferences"


async def test_a_person_is_told_by_the_first_of_their_channels_alone(world: World) -> None:
    await member(world, mate)
    one = await world.channel(mate, "/one", personal=True)
    two = await world.channel(mate, "/two", personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(channel_ids=(two.id, one.id)))
    await world.open()
    await world.send()
    assert paths(world) == ["two"]


async def test_people_are_told_in_every_tenant_of_theirs_and_in_no_other(world: World) -> None:
    both = person("bea", Role.VIEWER, "acme", "umbrella")
    await member(world, both)
    await member(world, outsider)
    await world.channel(both, "/bea", personal=True, tenant_id="acme")
    await world.channel(outsider, "/otto", personal=True)
    await world.open(subject_id="a")
    await world.open(subject_id="b", tenant_id="umbrella")
    await world.send()
    assert paths(world) == ["bea", "bea", "otto"]


async def test_who_left_a_tenant_is_told_nothing_more_of_it(world: World) -> None:
    await member(world, mate)
    await world.channel(mate, "/mats", personal=True)
    await world.context.store.members.note(
        msgspec.structs.replace((await world.context.store.members.list(owner.scope))[0], tenant_ids=["umbrella"])
    )
    await world.open()
    await world.send()
    assert world.receiver.calls == []


async def test_a_super_admin_is_told_of_the_tenant_that_the_channel_was_made_in(world: World) -> None:
    await member(world, root)
    await world.channel(root, "/root", personal=True, tenant_id="acme")
    await world.open(subject_id="a")
    await world.open(subject_id="b", tenant_id="umbrella")
    await world.send()
    assert paths(world) == ["root"]


async def test_what_a_person_does_not_want_is_skipped_with_the_reason(world: World) -> None:
    await member(world, mate)
    await world.channel(mate, "/mats", personal=True)
    await update_preferences(world.context, mate, PreferencesPatch(severities=(Severity.CRITICAL,)))
    alert = await world.open(severity=Severity.LOW)
    row = await world.only_one()
    assert (row.status, row.skipped_because) == (DeliveryStatus.SKIPPED, "mats does not want severity LOW")
    [opening] = await world.events(alert)
    assert opening.detail is not None
    assert "mats does not want severity LOW" in str(opening.detail["nobody"])


async def test_in_app_everybody_of_the_tenant_is_told(world: World) -> None:
    for one in (owner, mate, viewer, outsider):
        await member(world, one)
    await world.channel(config=InAppInput())
    alert = await world.open(title="Device offline: Till 1")
    await world.send()
    for one, count in ((owner, 1), (mate, 1), (viewer, 1), (outsider, 0)):
        found = await list_notifications(world.context, one, False, 10)
        assert [notification.alert_id for notification in found] == [alert.id] * count


async def test_a_webhook_hears_of_acknowledgements_and_people_do_not(world: World) -> None:
    await world.channel(path="/program")
    await world.channel(path="/people", config=SlackInput(webhook_url=f"{world.receiver.url}/people"))
    alert = await world.open()
    await world.send()
    await world.change(AlertEventType.ACKNOWLEDGED, alert, status=AlertStatus.ACKNOWLEDGED, acknowledged_by="mats")
    await world.send(10)
    assert world.receiver.events("/hook/program") == ["device.offline", "alert.acknowledged"]
    assert paths(world).count("people") == 1


async def test_people_are_told_when_it_gets_worse_and_not_when_it_gets_better(world: World) -> None:
    await world.channel(path="/people", config=SlackInput(webhook_url=f"{world.receiver.url}/people"))
    alert = await world.open(severity=Severity.LOW)
    await world.send()
    await worsen(world, alert, Severity.HIGH)
    await world.send(10)
    assert len(world.receiver.calls) == 2
    await worsen(world, alert, Severity.MEDIUM)
    await world.send(60)
    assert len(world.receiver.calls) == 2


async def test_a_channel_that_wants_grave_ones_alone_hears_of_what_becomes_grave_and_of_its_end(world: World) -> None:
    await world.channel(severities=(Severity.CRITICAL,))
    alert = await world.open(severity=Severity.LOW)
    await worsen(world, alert, Severity.CRITICAL)
    await world.send()
    await world.end(alert)
    await world.send()
    assert world.receiver.events() == ["alert.severity_changed", "device.online"]


async def test_a_machine_webhook_hears_of_machines_alone(world: World) -> None:
    config = WebhookInput(url=world.receiver.url, secret=KEY, format=WebhookFormat.MACHINE)
    await world.channel(config=config)
    silent = await world.open(subject_id="pos-1")
    hot = await world.open(subject_id="pos-2", rule_key="cpu_high")
    await world.change(AlertEventType.ACKNOWLEDGED, silent, acknowledged_by="mats")
    await world.send()
    await world.end(silent)
    await world.end(hot)
    await world.send()
    assert world.receiver.events() == ["machine.offline", "machine.online"]
    assert {one.skipped_because for one in await world.deliveries() if one.alert_id == hot.id} == {
        "a MACHINE webhook hears of machines that go offline and come back alone",
        "its opening was not told",
    }


async def test_a_silence_that_a_person_ends_brings_no_machine_back(world: World) -> None:
    config = WebhookInput(url=world.receiver.url, secret=KEY, format=WebhookFormat.MACHINE)
    await world.channel(config=config)
    silent = await world.open()
    await world.send()
    await world.end(silent, Resolution.MANUAL, "mats")
    await world.send()
    assert world.receiver.events() == ["machine.offline"]


async def test_the_opening_names_whom_it_was_told(world: World) -> None:
    await world.channel(path="/one")
    alert = await world.open()
    [opening] = await world.events(alert)
    assert opening.detail == {"told": [(await world.only_one()).recipient]}


@pytest.mark.parametrize("quiet", [{"muted_because": "4 alerts within the hour"}, {"parent_id": "the-parent"}])
async def test_what_is_told_nobody_on_purpose_is_no_alert_that_reaches_nobody(world: World, quiet: dict[str, Any]) -> None:
    await world.channel()
    alert = await world.open(**quiet)
    [opening] = await world.events(alert)
    assert opening.detail == {"told": []}
