"""Changing a channel: what is left out is kept, secrets rotate with an overlap, and nobody undoes another's change."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from app.clock import ManualClock
from app.context import Context
from app.domain.channel import EmailConfig, WebhookConfig
from app.domain.channel_input import Terms, WebhookInput, config_of
from app.domain.faults import Faults
from app.domain.tenant import only
from tests.cast import NOW, mate, outsider, owner, viewer
from tests.switchboard.world import (
    AUDIT,
    CREATE,
    DELETE,
    KINDS,
    SIGNING,
    UPDATE,
    Kind,
    change,
    config_kept,
    mail,
    make,
    named,
)
from tests.wire import ask, refusal

URL = "https://hooks.example.com/t0ken"
HOOK = {"webhook": {"url": URL, "secret": SIGNING}}
NEXT = "another key for the tests 987"


def hook(**values: Any) -> dict[str, Any]:
    return {"webhook": {"url": URL} | values}


async def webhook_kept(context: Context, made: dict[str, Any]) -> WebhookConfig:
    config = await config_kept(context, made)
    assert isinstance(config, WebhookConfig)
    return config


@pytest.mark.parametrize("kind", KINDS, ids=named)
async def test_secrets_that_are_left_out_are_kept(context: Context, kind: Kind) -> None:
    [[name, inner]] = kind.config.items()
    made = await make(context, kind.config)
    before = await config_kept(context, made)
    said = {field: value for field, value in inner.items() if field in ("to", "chatId", "url", "userIds", "format")}
    if name == "apprise":
        said = {}
    changed = await change(context, made, name="Renamed", config={name: said})
    assert await config_kept(context, made) == before
    assert (changed["name"], changed["target"], changed["config"]) == ("Renamed", kind.target, kind.shown)


@pytest.mark.parametrize("kind", [one for one in KINDS if "://" in one.target], ids=named)
async def test_a_masked_address_that_is_written_back_keeps_the_one_that_is_there(context: Context, kind: Kind) -> None:
    made = await make(context, kind.config)
    before = await config_kept(context, made)
    await change(context, made, config=made["config"])
    assert await config_kept(context, made) == before


@pytest.mark.parametrize("config", [hook(url="https://other.example.com/…"), hook(url="https://hooks.example.com/…?x")])
async def test_a_masked_address_of_something_else_is_refused(context: Context, config: dict[str, Any]) -> None:
    made = await make(context, HOOK)
    refused = await refusal(context, owner, UPDATE, id=made["id"], patch={"config": config})
    assert refused == ("BAD_USER_INPUT", ["patch.config.webhook.url"])
    apprise = {"name": "Other", "config": {"apprise": {"url": "discord://…"}}}
    assert await refusal(context, owner, CREATE, input=apprise) == ("BAD_USER_INPUT", ["input.config.apprise.url"])


async def test_the_kind_of_a_channel_stays(context: Context) -> None:
    made = await make(context, HOOK)
    assert await refusal(context, owner, UPDATE, id=made["id"], patch={"config": mail()}) == (
        "BAD_USER_INPUT",
        ["patch.config.email"],
    )
    assert (await webhook_kept(context, made)).url == URL


async def test_the_secret_before_signs_for_another_day(context: Context) -> None:
    made = await make(context, HOOK)
    await change(context, made, config=hook(secret=NEXT))
    rotated = await webhook_kept(context, made)
    assert (rotated.secret, rotated.previous_secret) == (NEXT, SIGNING)
    assert rotated.previous_until == NOW + timedelta(hours=24)
    assert isinstance(context.clock, ManualClock)
    context.clock.advance(3_600)
    for same in (hook(), hook(secret=NEXT)):
        await change(context, made, config=same)
        assert await webhook_kept(context, made) == rotated


def test_only_a_new_secret_begins_an_overlap() -> None:
    def patched(kept: WebhookConfig | None, secret: str | None, now: datetime) -> WebhookConfig:
        faults = Faults()
        made = config_of(WebhookInput(url=URL, secret=secret), kept, Terms(now=now), "x", faults)
        assert faults.found == []
        assert isinstance(made, WebhookConfig)
        return made

    first = patched(None, SIGNING, NOW)
    assert (first.previous_secret, first.previous_until) == (None, None)
    assert patched(first, SIGNING, NOW) == first
    later = patched(patched(first, NEXT, NOW), "a third key 0123456789", NOW + timedelta(hours=1))
    assert (later.previous_secret, later.previous_until) == (NEXT, NOW + timedelta(hours=25))


async def test_a_secret_that_cannot_be_read_any_more_is_asked_for(context: Context) -> None:
    made = await make(context, HOOK)
    other = context.settings.model_copy(update={"secrets_key": SecretStr("another key of at least 32 bytes....")})
    object.__setattr__(context, "settings", other)
    assert await refusal(context, owner, UPDATE, id=made["id"], patch={"config": hook()}) == (
        "BAD_USER_INPUT",
        ["patch.config.webhook.secret"],
    )
    assert (await change(context, made, name="Renamed"))["name"] == "Renamed"
    await change(context, made, config=hook(secret=NEXT))
    assert await webhook_kept(context, made) == WebhookConfig(url=URL, secret=NEXT)


async def test_of_two_who_change_a_config_at_once_neither_undoes_the_other(context: Context) -> None:
    for number in range(10):
        made, url = await make(context, HOOK), f"https://hooks.example.com/{number}"
        secret, address = hook(url=made["target"], secret=NEXT), hook(url=url)
        await asyncio.gather(change(context, made, config=secret), change(context, made, config=address))
        kept = await webhook_kept(context, made)
        assert (kept.url, kept.secret, kept.previous_secret) == (url, NEXT, SIGNING)


async def test_a_config_that_is_not_the_one_that_was_read_is_not_written_over(context: Context) -> None:
    made = await make(context, mail())
    values = {"sealed": "made of what was there"}
    assert await context.store.channels.change(only("acme"), made["id"], values, "what was there before") is None
    assert await config_kept(context, made) == EmailConfig(to=("ops@example.com",))


async def test_switching_a_channel_on_forgets_why_it_was_off(context: Context) -> None:
    made = await make(context, mail())
    off = {"enabled": False, "disabled_because": "it was refused five times", "refusals": 5, "failing_since": NOW}
    await context.store.channels.change(only("acme"), made["id"], off)
    renamed = await change(context, made, name="Renamed")
    assert (renamed["enabled"], renamed["disabledBecause"]) == (False, "it was refused five times")
    enabled = await change(context, made, enabled=True)
    kept = await context.store.channels.get(only("acme"), made["id"])
    assert (enabled["enabled"], enabled["disabledBecause"]) == (True, None)
    assert kept is not None
    assert (kept.refusals, kept.failing_since) == (0, None)


async def test_null_is_refused_where_a_channel_cannot_be_without(context: Context) -> None:
    made = await make(context, mail())
    patch: dict[str, Any] = {"name": None, "config": None, "enabled": None, "severities": []}
    code, fields = await refusal(context, owner, UPDATE, id=made["id"], patch=patch)
    assert code == "BAD_USER_INPUT"
    assert set(fields) == {"patch.name", "patch.config", "patch.enabled", "patch.severities"}


async def test_an_empty_patch_changes_nothing_and_is_not_audited(context: Context) -> None:
    made = await make(context, mail())
    assert await change(context, made) == made
    assert [one["action"] for one in (await ask(context, owner, AUDIT))["auditLog"]["nodes"]] == ["channel.create"]


async def test_what_was_changed_is_audited_without_secrets(context: Context) -> None:
    made = await make(context, HOOK)
    await change(context, made, name="Night", config=hook(secret=NEXT), fallbackChannelId=None)
    await ask(context, owner, DELETE, id=made["id"])
    entries = {one["action"]: one for one in (await ask(context, owner, AUDIT))["auditLog"]["nodes"]}
    created, updated, deleted = (entries[f"channel.{action}"] for action in ("create", "update", "delete"))
    assert (created["before"], created["after"]["target"]) == (None, "https://hooks.example.com/…")
    assert updated["before"]["name"] == "Pager"
    assert (updated["after"]["name"], list(updated["after"])) == ("Night", ["name", "configSetAt"])
    assert (deleted["before"]["name"], deleted["after"]) == ("Night", None)


@pytest.mark.parametrize(("who", "code"), [(mate, "FORBIDDEN"), (viewer, "FORBIDDEN"), (outsider, "NOT_FOUND")])
async def test_shared_channels_are_changed_by_admins_alone(context: Context, who: Any, code: str) -> None:
    made = await make(context, mail())
    for document, variables in ((UPDATE, {"patch": {"name": "x"}}), (DELETE, {})):
        assert await refusal(context, who, document, id=made["id"], **variables) == (code, [])
    assert (await config_kept(context, made)) == EmailConfig(to=("ops@example.com",))
