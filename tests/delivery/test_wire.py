"""Channels and deliveries through the schema."""

from typing import Any

import pytest

from app.domain.delivery import DeliveryStatus
from tests.cast import mate, outsider, owner, viewer
from tests.delivery.world import KEY, World
from tests.wire import answer, ask

SHOWN = "id tenantId name kind enabled target severities lastSentAt lastError config"
CREATE = f"mutation ($input: ChannelInput!) {{ createChannel(input: $input) {{ {SHOWN} }} }}"
UPDATE = f"mutation ($id: ID!, $patch: ChannelPatch!) {{ updateChannel(id: $id, patch: $patch) {{ {SHOWN} }} }}"
SENT = "id alertId alertIds recipient reason status attempts sentAt nextAttemptAt error skippedBecause channel { name }"
RETRY = f"mutation ($id: ID!) {{ retryDelivery(id: $id) {{ {SENT} }} }}"
AUDIT = "{ auditLog { nodes { action before after } } }"


def hook(**values: Any) -> dict[str, Any]:
    return {"name": "Pager", "config": {"webhook": {"url": "https://hooks.example.com/t0ken", "secret": KEY}}, **values}


async def test_a_channel_is_made_with_its_defaults_and_shows_no_secret(world: World) -> None:
    made = (await ask(world.context, owner, CREATE, input=hook()))["createChannel"]
    assert made == {
        "id": made["id"],
        "tenantId": "acme",
        "name": "Pager",
        "kind": "WEBHOOK",
        "enabled": True,
        "target": "https://hooks.example.com/…",
        "severities": ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO"],
        "lastSentAt": None,
        "lastError": None,
        "config": {"webhook": {"url": "https://hooks.example.com/…", "format": "FLEETBEAT"}},
    }


async def test_a_channel_is_changed_by_what_a_patch_names_and_the_audit_shows_no_secret(world: World) -> None:
    made = (await ask(world.context, owner, CREATE, input=hook()))["createChannel"]
    patch = {"severities": ["HIGH"], "config": {"webhook": {"url": "https://other.example.com/x", "secret": KEY[::-1]}}}
    changed = (await ask(world.context, owner, UPDATE, id=made["id"], patch=patch))["updateChannel"]
    assert (changed["name"], changed["severities"], changed["target"]) == ("Pager", ["HIGH"], "https://other.example.com/…")
    entries = (await ask(world.context, owner, AUDIT))["auditLog"]["nodes"]
    assert {entry["action"] for entry in entries} == {"channel.create", "channel.update"}
    assert not any(secret in str(entries) for secret in (KEY, KEY[::-1], "t0ken"))


async def test_every_bad_field_is_named(world: World) -> None:
    bad = hook(name="", severities=[], config={"webhook": {"url": "x", "secret": "short"}})
    [error] = (await answer(world.context, owner, CREATE, input=bad))["errors"]
    assert {field["path"] for field in error["extensions"]["fields"]} == {
        "input.name",
        "input.severities",
        "input.config.webhook.url",
        "input.config.webhook.secret",
    }


@pytest.mark.parametrize("who", [mate, viewer])
async def test_channels_are_made_by_admins_and_seen_by_all(world: World, who: Any) -> None:
    await ask(world.context, owner, CREATE, input=hook())
    [error] = (await answer(world.context, who, CREATE, input=hook()))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    assert len((await ask(world.context, who, "{ channels { id } }"))["channels"]) == 1
    assert (await ask(world.context, outsider, "{ channels { id } }"))["channels"] == []


async def test_what_became_of_a_telling_is_seen_on_the_alert_and_in_the_list(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.send()
    of_alert = await ask(
        world.context, viewer, f"query ($id: ID!) {{ alert(id: $id) {{ deliveries {{ {SENT} }} }} }}", id=alert.id
    )
    [sent] = of_alert["alert"]["deliveries"]
    assert (sent["status"], sent["attempts"], sent["alertIds"], sent["channel"]) == ("SENT", 1, [alert.id], {"name": "Pager"})
    listed = f"query ($status: [DeliveryStatus!]) {{ deliveries(status: $status) {{ {SENT} }} }}"
    assert (await ask(world.context, viewer, listed, status=["SENT"]))["deliveries"] == [sent]
    assert (await ask(world.context, viewer, listed, status=["DEAD"]))["deliveries"] == []


async def test_a_dead_delivery_is_tried_again_under_its_key(world: World) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = [404]
    await world.send()
    dead = await world.only_one()
    revived = (await ask(world.context, mate, RETRY, id=dead.id))["retryDelivery"]
    assert (revived["id"], revived["status"], revived["attempts"]) == (dead.id, "PENDING", 0)
    await world.send()
    assert (await world.only_one()).status is DeliveryStatus.SENT


async def test_a_delivery_that_another_has_followed_or_that_is_not_dead_is_not_tried_again(world: World) -> None:
    await world.channel()
    alert = await world.open()
    world.receiver.answers = [404]
    await world.send()
    await world.end(alert)
    await world.send()
    for delivery in await world.deliveries():
        [error] = (await answer(world.context, mate, RETRY, id=delivery.id))["errors"]
        assert error["extensions"]["code"] == "CONFLICT"
    assert await world.states() == ["DEAD", "SENT"]
