"""The way out to Telegram: a bot writes to a chat, and answers its own first message when there is news of an alert.

The bot's token is part of every address, so no address is ever shown.
"""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from app.channels.brief import bundle_headline, bundle_lines, facts, headline
from app.channels.http import Http, Reply, answer_of
from app.channels.rendering import render
from app.channels.wording import test_words
from app.domain.channel import TelegramConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message

LONGEST_TEXT = 4_096
"""After the markup is taken out, in the units of UTF-16 that Telegram counts in."""

_NO_BOT = (401, 404)
_TAG = re.compile(r"<[^>]*>")
_JSON = {"Content-Type": "application/json"}


class TelegramWay:
    def __init__(self, known: Http, api_url: str, bot_token: str | None) -> None:
        self._known = known
        self._api_url = api_url.rstrip("/")
        self._bot_token = bot_token

    async def send(self, config: TelegramConfig, message: Message) -> Answer:
        token = config.bot_token or self._bot_token
        if not token:
            return TryAgain("no bot: neither the channel has a token nor is TELEGRAM_BOT_TOKEN set")
        reply = await self._tell(token, config.chat_id, message)
        if isinstance(reply, Reply) and isinstance(moved := _parameters(reply).get("migrate_to_chat_id"), int):
            # A group that has become a supergroup has another id; Telegram says which.
            reply = await self._tell(token, str(moved), message)
        if isinstance(reply, Reply) and reply.status in _NO_BOT and not config.bot_token:
            # The settings' bot is no fault of the channel, and can be mended within the hour of tries.
            return TryAgain("Telegram does not know the bot of TELEGRAM_BOT_TOKEN")
        return reply if isinstance(reply, (TryAgain, Never)) else _answer(reply)

    async def _tell(self, token: str, chat_id: str, message: Message) -> Reply | TryAgain | Never:
        url = f"{self._api_url}/bot{quote(token, safe=':')}"
        key = {"Idempotency-Key": message.id}
        text = text_of(message)
        if is_too_long(message, text):
            document = _document(chat_id, message)
            return await self._known.post(f"{url}/sendDocument", message.now, data=document, headers=key)
        said: dict[str, Any] = {
            "chat_id": chat_id,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if message.note is not None and (first := message.first_receipt or "").isdecimal():
            said["reply_parameters"] = {"message_id": int(first), "allow_sending_without_reply": True}
        data = msgspec.json.encode(said)
        return await self._known.post(f"{url}/sendMessage", message.now, data=data, headers={**_JSON, **key})


def text_of(message: Message) -> str:
    """HTML, as far as Telegram knows it."""
    if message.is_test:
        said = render("telegram.html", message, headline=f"🟢 {test_words(message)}")
    elif (note := message.note) is not None:
        said = render("telegram.html", message, headline=headline(note), facts=facts(note, message))
    else:
        said = render("telegram.html", message, headline=bundle_headline(message), lines=bundle_lines(message))
    return said.strip()


def as_read(text: str) -> str:
    return html.unescape(_TAG.sub("", text))


def is_too_long(message: Message, text: str) -> bool:
    """Only a bundle can be; it goes out as a document."""
    return message.note is None and len(as_read(text).encode("utf-16-le")) // 2 > LONGEST_TEXT


def document_of(message: Message) -> str:
    return render("bundle.txt", message, headline=bundle_headline(message), lines=bundle_lines(message))


def _document(chat_id: str, message: Message) -> aiohttp.FormData:
    form, text = aiohttp.FormData(), document_of(message).encode()
    form.add_field("chat_id", chat_id)
    form.add_field("caption", bundle_headline(message))
    form.add_field("document", text, filename="alerts.txt", content_type="text/plain; charset=utf-8")
    return form


def _parameters(reply: Reply) -> Mapping[str, Any]:
    found = reply.said.get("parameters")
    return found if isinstance(found, dict) else {}


def _answer(reply: Reply) -> Answer:
    said = reply.said
    if reply.is_success:
        result = said.get("result")
        if said.get("ok") is not True:
            return TryAgain(f"answered {reply.status}, but not as Telegram does")
        message_id = result.get("message_id") if isinstance(result, dict) else None
        return Sent(str(message_id) if isinstance(message_id, int) else None)
    match reply.status:
        case 400 if "chat not found" in str(said.get("description")):
            return Never("Telegram refused: it knows no such chat, or the bot is not in it")
        case status if status in _NO_BOT:
            return Never("Telegram refused: it does not know the bot's token")
        case 403:
            return Never("Telegram refused: the bot was blocked, or put out of the chat")
        case 429 if isinstance(wait := _parameters(reply).get("retry_after"), (int, float)):
            return TryAgain("answered 429", max(0.0, float(wait)))
        case _:
            return answer_of(reply)
