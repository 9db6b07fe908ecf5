"""What Telegram is told, and what becomes of its errors."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from app.channels.telegram import LONGEST_TEXT
from app.domain.alert import AlertStatus, Severity
from app.domain.channel import TelegramConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Bundling, Message
from tests.channels.messages import RUNBOOK, URL, a_message, a_note, a_storm, offline, the_end
from tests.channels.sending import only_body, send
from tests.delivery.receiver import Receiver

OK = b'{"ok": true, "result": {"message_id": 77}}'
CHAT = TelegramConfig(chat_id="-100987", bot_token="123456:AAbot")


async def tell(receiver: Receiver, message: Message, config: TelegramConfig = CHAT, **settings: Any) -> Answer:
    receiver.body = receiver.body or OK
    return await send(config, message, telegram_api_url=receiver.url, **settings)


def refusal(status: int, description: str, **parameters: int) -> bytes:
    said = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return json.dumps(said).encode()


async def test_an_alert_is_told_in_html(receiver: Receiver) -> None:
    note = a_note(offline(severity=Severity.CRITICAL, runbook_url=RUNBOOK), also_told=("Mail",))
    assert await tell(receiver, a_message(note)) == Sent("77")
    said = only_body(receiver)
    assert receiver.calls[0].path == "/hook/bot123456:AAbot/sendMessage"
    assert (said["chat_id"], said["parse_mode"]) == ("-100987", "HTML")
    assert said["text"].splitlines() == [
        "<b>🔴 CRITICAL · Device offline: Till 1</b>",
        "silent for 130 s",
        "since 06:00:00 UTC · Acme · store north · pos-1",
        "value 130 s, threshold 120 s",
        "also told: Mail",
        f'<a href="{URL}">Open the alert</a> · <a href="https://wiki.example.com/till?a=1&amp;b=2">Runbook</a>',
    ]


async def test_an_end_is_green_and_answers_the_first_message(receiver: Receiver) -> None:
    await tell(receiver, a_message(the_end(), first_receipt="41"))
    said = only_body(receiver)
    assert said["text"].startswith("<b>🟢 RESOLVED · Device offline: Till 1</b>")
    assert said["reply_parameters"] == {"message_id": 41, "allow_sending_without_reply": True}


@pytest.mark.parametrize("receipt", [None, "", "C1:17.2", "²"])
async def test_without_a_first_message_nothing_is_answered(receipt: str | None, receiver: Receiver) -> None:
    await tell(receiver, a_message(the_end(), first_receipt=receipt))
    assert "reply_parameters" not in only_body(receiver)


async def test_nothing_in_a_title_or_a_reason_is_markup(receiver: Receiver) -> None:
    note = a_note(offline(title="<b>Till</b> & co", message='<a href="https://evil.example">x</a>'))
    await tell(receiver, a_message(note))
    text = only_body(receiver)["text"]
    assert "&lt;b&gt;Till&lt;/b&gt; &amp; co" in text
    assert '<a href="https://evil' not in text


async def test_a_short_bundle_is_a_message_of_lines_with_links(receiver: Receiver) -> None:
    assert await tell(receiver, a_storm(5, bundling=Bundling.QUIET_HOURS)) == Sent("77")
    text = only_body(receiver)["text"].splitlines()
    assert text[0] == "<b>🔴 Acme: 5 alerts from your quiet hours, all open</b>"
    assert text[1] == f'<a href="{URL}">🔴 HIGH · Device offline: Till 0 · store north · since 06:00:00 UTC</a>'
    assert len(text) == 7


async def test_a_long_bundle_is_a_document_in_which_nothing_is_missing(receiver: Receiver) -> None:
    assert await tell(receiver, a_storm(500)) == Sent("77")
    [call] = receiver.calls
    body = call.body.decode()
    assert call.path == "/hook/bot123456:AAbot/sendDocument"
    assert call.headers["Content-Type"].startswith("multipart/form-data")
    assert 'filename="alerts.txt"' in body
    assert "🔴 Acme: 500 alerts at once, all open" in body
    assert all(f"Till {number} ·" in body for number in range(500))


async def test_the_longest_message_of_one_alert_fits(receiver: Receiver) -> None:
    long = "🔴&" * 5_000
    taken = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_by": long, "assignee": long, "store_id": long, "subject_id": long}
    note = a_note(offline(title=long, message=long, **taken), actor=long, reason=f"{long}!", also_told=(long,))
    await tell(receiver, a_message(note, tenant_name=long))
    assert len(only_body(receiver)["text"].replace("&amp;", "&").encode("utf-16-le")) // 2 <= LONGEST_TEXT


async def test_the_bot_of_the_settings_serves_channels_without_their_own(receiver: Receiver) -> None:
    token = SecretStr("99:AAours")
    await tell(receiver, a_message(a_note()), TelegramConfig(chat_id="1"), telegram_bot_token=token)
    assert receiver.calls[0].path == "/hook/bot99:AAours/sendMessage"


async def test_without_any_bot_it_says_what_is_missing(receiver: Receiver) -> None:
    answer = await tell(receiver, a_message(a_note()), TelegramConfig(chat_id="1"))
    assert answer == TryAgain("no bot: neither the channel has a token nor is TELEGRAM_BOT_TOKEN set")
    assert receiver.calls == []


async def test_a_token_cannot_lead_elsewhere(receiver: Receiver) -> None:
    config = TelegramConfig(chat_id="1", bot_token="1:a/../../other?x#y")
    receiver.answers = [404]
    await tell(receiver, a_message(a_note()), config)
    assert [call.path for call in receiver.calls] == ["/hook/bot1:a/../../other?x#y/sendMessage"]


async def test_a_flood_waits_as_long_as_telegram_says(receiver: Receiver) -> None:
    receiver.answers, receiver.body = [429], refusal(429, "Too Many Requests: retry after 34", retry_after=34)
    assert await tell(receiver, a_message(a_note())) == TryAgain("answered 429", 34)


@pytest.mark.parametrize(
    ("status", "description", "error"),
    [
        (403, "Forbidden: bot was blocked by the user", "the bot was blocked, or put out of the chat"),
        (400, "Bad Request: chat not found", "it knows no such chat, or the bot is not in it"),
        (401, "Unauthorized", "it does not know the bot's token"),
        (404, "Not Found", "it does not know the bot's token"),
    ],
)
async def test_what_will_not_change_is_never_tried_again(status: int, description: str, error: str, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [status], refusal(status, description)
    assert await tell(receiver, a_message(a_note())) == Never(f"Telegram refused: {error}")


@pytest.mark.parametrize("status", [401, 404])
async def test_a_bot_of_the_settings_that_is_not_known_is_not_the_channels_fault(status: int, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [status], refusal(status, "Unauthorized")
    answer = await tell(receiver, a_message(a_note()), TelegramConfig(chat_id="1"), telegram_bot_token=SecretStr("99:AAours"))
    assert answer == TryAgain("Telegram does not know the bot of TELEGRAM_BOT_TOKEN")


async def test_a_group_that_has_moved_is_followed_once(receiver: Receiver) -> None:
    receiver.answers, receiver.body = [400, 400], refusal(400, "group chat was upgraded", migrate_to_chat_id=-1001234)
    assert isinstance(await tell(receiver, a_message(a_note())), Never)
    assert [call.said["chat_id"] for call in receiver.calls] == ["-100987", "-1001234"]


async def test_a_test_says_that_it_is_one(receiver: Receiver) -> None:
    await tell(receiver, a_message(tenant_name="A & B"))
    assert only_body(receiver)["text"] == "🟢 This is a test of the channel Pager of A &amp; B. It works."
