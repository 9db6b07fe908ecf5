"""Channels of every kind: what is kept of them, what is shown to whom, and what is refused."""

import io
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from app.context import Context
from app.domain.channel import (
    Channel,
    EmailConfig,
    InAppConfig,
    SlackConfig,
    TelegramConfig,
    WebhookConfig,
    WebhookFormat,
)
from app.domain.tenant import EVERY_TENANT
from app.logging import configure_logging
from tests.cast import mate, outsider, owner, root, viewer
from tests.switchboard.world import (
    AUDIT,
    BOT_TOKEN,
    CHANNELS,
    CREATE,
    KINDS,
    UPDATE,
    Kind,
    change,
    config_kept,
    mail,
    make,
    named,
)
from tests.wire import answer, ask, refusal


async def kept(context: Context, made: dict[str, Any]) -> Channel:
    channel = await context.store.channels.get(EVERY_TENANT, made["id"])
    assert channel is not None
    return channel


@pytest.mark.parametrize("kind", KINDS, ids=named)
async def test_a_channel_of_every_kind_is_made_and_shown_without_its_secrets(context: Context, kind: Kind) -> None:
    made = await make(context, kind.config)
    assert (made["kind"], made["target"], made["config"]) == (kind.name, kind.target, kind.shown)
    assert (made["tenantId"], made["ownerId"], made["enabled"], made["fallback"]) == ("acme", None, True, None)


@pytest.mark.parametrize("kind", KINDS, ids=named)
async def test_those_who_may_not_change_it_see_no_whole_address(context: Context, kind: Kind) -> None:
    await make(context, kind.config)
    for who, shown in ((root, kind.shown), (owner, kind.shown), (mate, kind.shown_to_others), (viewer, kind.shown_to_others)):
        [seen] = (await ask(context, who, CHANNELS))["channels"]
        assert (seen["target"], seen["config"]) == (kind.target, shown), who.id
    assert (await ask(context, outsider, CHANNELS))["channels"] == []


@pytest.mark.parametrize("kind", KINDS, ids=named)
async def test_what_is_wrong_is_named_all_at_once_and_nothing_is_written(context: Context, kind: Kind) -> None:
    bad = {"name": " ", "severities": [], "fallbackChannelId": "none", "config": kind.bad}
    code, fields = await refusal(context, owner, CREATE, input=bad)
    assert code == "BAD_USER_INPUT"
    beside = {"input.name", "input.severities", "input.fallbackChannelId"}
    assert set(fields) == {*beside, *(f"input.config.{one}" for one in kind.bad_fields)}
    assert await context.store.channels.shared(EVERY_TENANT) == []


@pytest.mark.parametrize("kind", KINDS, ids=named)
async def test_a_bad_config_in_a_patch_is_named_and_what_was_there_stays(context: Context, kind: Kind) -> None:
    made = await make(context, kind.config)
    before = await config_kept(context, made)
    code, fields = await refusal(context, owner, UPDATE, id=made["id"], patch={"config": kind.bad})
    assert (code, set(fields)) == ("BAD_USER_INPUT", {f"patch.config.{one}" for one in kind.bad_fields})
    assert await config_kept(context, made) == before


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.secrets], ids=named)
async def test_no_secret_is_in_the_database_the_audit_the_log_the_api_or_an_error(
    context: Context, kind: Kind, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    lines = io.StringIO()
    configure_logging("debug", "json", lines)
    made = await make(context, kind.config)
    changed = await change(context, made, name="Renamed", config=kind.config)
    refused = await answer(context, owner, UPDATE, id=made["id"], patch={"name": "", "config": kind.bad | mail()})
    refused_too = await answer(context, owner, CREATE, input={"name": "", "config": kind.config})
    database = mongo_client[context.settings.mongo_database]
    places = {
        "the database": str([list(database[name].find({})) for name in database.list_collection_names()]),
        "the audit": str(await ask(context, owner, AUDIT)),
        "the log": lines.getvalue(),
        "the API": str([made, changed, await ask(context, owner, CHANNELS)]),
        "an error": str([refused["errors"], refused_too["errors"]]),
        "a text of the config": repr(await config_kept(context, made)),
    }
    for place, text in places.items():
        for secret in kind.secrets:
            assert secret not in text, place


async def test_who_gets_a_message_each_is_kept_beside_the_config(context: Context) -> None:
    found = [(kind.name, (await kept(context, await make(context, kind.config))).to) for kind in KINDS]
    assert [one for one in found if one[1] is not None] == [
        ("EMAIL", ("ops@example.com", "b@example.org", "c@example.org")),
        ("SMS", ("+4915112341234",)),
        ("IN_APP", ("vera", "mats")),
    ]


async def test_the_format_of_a_webhook_is_kept_beside_the_config(context: Context) -> None:
    hook = {"url": "https://hooks.example.com/", "secret": "0123456789abcdef"}
    plain = await make(context, {"webhook": hook})
    assert (await kept(context, plain)).format is WebhookFormat.FLEETBEAT
    changed = await change(context, plain, config={"webhook": {**hook, "format": "MACHINE"}})
    assert (await kept(context, changed)).format is WebhookFormat.MACHINE
    renamed = await change(context, changed, name="Other", config={"webhook": {"url": hook["url"], "format": None}})
    assert (await kept(context, renamed)).format is WebhookFormat.MACHINE
    assert renamed["config"]["webhook"]["format"] == "MACHINE"


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({"slack": {}}, ["slack"]),
        ({"slack": {"token": "xoxb-1234567890"}}, ["slack.channel"]),
        ({"slack": {"channel": "#ops"}}, ["slack.token"]),
        ({"slack": {"webhookUrl": "https://hooks.slack.com/x", "channel": "#ops"}}, ["slack"]),
        ({"telegram": {"chatId": "@ops_room"}}, ["telegram.botToken"]),
        ({"pagerduty": {}}, ["pagerduty.routingKey"]),
        ({"webhook": {"url": "https://hooks.example.com/"}}, ["webhook.secret"]),
        ({"webhook": {"url": "https://hooks.example.com/", "secret": ""}}, ["webhook.secret"]),
        ({"apprise": {}}, ["apprise.url"]),
        ({"email": {"to": []}}, ["email.to"]),
        ({"email": {"to": [f"a{number}@example.com" for number in range(51)]}}, ["email.to"]),
        ({"sms": {"to": []}}, ["sms.to"]),
        ({"webhook": None}, [""]),
    ],
)
async def test_what_a_new_channel_cannot_be_without_is_asked_for(
    context: Context, config: dict[str, Any], fields: list[str]
) -> None:
    code, found = await refusal(context, owner, CREATE, input={"name": "Pager", "config": config})
    assert code == "BAD_USER_INPUT"
    if fields != [""]:
        assert found == [f"input.config.{one}" for one in fields]


@pytest.mark.parametrize(
    "config",
    [
        {"webhook": {"url": "http://10.0.0.1/x", "secret": "0123456789abcdef"}},
        {"slack": {"webhookUrl": "http://localhost:8065/hooks/x"}},
        {"apprise": {"url": "json://192.168.1.10/x"}},
        {"apprise": {"url": "mailto://user:pass@localhost"}},
        {"apprise": {"url": "json://[::1"}},
    ],
)
async def test_addresses_inside_the_network_are_taken_where_the_operator_allows_them(
    context: Context, config: dict[str, Any]
) -> None:
    [[kind, inner]] = config.items()
    field = "webhookUrl" if "webhookUrl" in inner else "url"
    assert await refusal(context, owner, CREATE, input={"name": "Inside", "config": config}) == (
        "BAD_USER_INPUT",
        [f"input.config.{kind}.{field}"],
    )
    open_settings = context.settings.model_copy(update={"allow_private_webhooks": True})
    object.__setattr__(context, "settings", open_settings)
    assert (await make(context, config))["enabled"]


@pytest.mark.parametrize("url", ["discord", "file:///etc/passwd", "dbus://", "dbus://x", "ntfy://a b", "x" * 3_000, "macosx://a"])
async def test_what_apprise_would_do_on_our_own_machine_is_refused(context: Context, url: str) -> None:
    code, fields = await refusal(context, owner, CREATE, input={"name": "Other", "config": {"apprise": {"url": url}}})
    assert (code, fields) == ("BAD_USER_INPUT", ["input.config.apprise.url"])


@pytest.mark.parametrize(
    "address",
    ["a@b", "a b@example.com", "a@exa mple.com", "a@@example.com", "@example.com", "a@-x.com", ".a@x.com", "a@x..com", "a\r@x.com",
     "<a@x.com>", "a@x.com,b@x.com", f"{'a' * 65}@x.com", f"a@{'x.' * 130}com"],
)  # fmt: skip
async def test_what_is_no_mail_address_is_refused(context: Context, address: str) -> None:
    code, fields = await refusal(context, owner, CREATE, input={"name": "Mail", "config": mail(address)})
    assert (code, fields) == ("BAD_USER_INPUT", ["input.config.email.to[0]"])


@pytest.mark.parametrize(
    "address", ["a@x.io", "first.last+tag@mail.example.com", "o'neil@example.co.uk", "a@xn--bcher-kva.example"]
)
async def test_plain_mail_addresses_are_taken(context: Context, address: str) -> None:
    made = await make(context, mail(address))
    assert await config_kept(context, made) == EmailConfig(to=(address,))


async def test_a_telegram_channel_may_use_the_bot_of_the_settings(context: Context) -> None:
    with_bot = context.settings.model_copy(update={"telegram_bot_token": SecretStr(BOT_TOKEN)})
    object.__setattr__(context, "settings", with_bot)
    made = await make(context, {"telegram": {"chatId": "@ops_room"}})
    assert made["target"] == "@ops_room"
    assert await config_kept(context, made) == TelegramConfig(chat_id="@ops_room")


async def test_an_in_app_channel_for_everybody_names_nobody(context: Context) -> None:
    made = await make(context, {"inApp": {"userIds": None}})
    assert await config_kept(context, made) == InAppConfig(user_ids=None)


async def test_a_slack_bot_and_a_slack_webhook_take_the_place_of_each_other(context: Context) -> None:
    made = await make(context, {"slack": {"token": "xoxb-1234567890", "channel": "#ops"}})
    await change(context, made, config={"slack": {"channel": "#night"}})
    assert await config_kept(context, made) == SlackConfig(token="xoxb-1234567890", channel="#night")
    hooked = await change(context, made, config={"slack": {"webhookUrl": "https://hooks.slack.com/x"}})
    assert await config_kept(context, made) == SlackConfig(webhook_url="https://hooks.slack.com/x")
    assert hooked["config"] == {"slack": {"webhookUrl": "https://hooks.slack.com/…"}}
    assert await refusal(context, owner, UPDATE, id=made["id"], patch={"config": {"slack": {"channel": "#ops"}}}) == (
        "BAD_USER_INPUT",
        ["patch.config.slack.token"],
    )


async def test_a_webhook_is_signed_with_what_was_given(context: Context) -> None:
    made = await make(context, {"webhook": {"url": "https://hooks.example.com/t", "secret": "0123456789abcdef"}})
    assert await config_kept(context, made) == WebhookConfig(url="https://hooks.example.com/t", secret="0123456789abcdef")
