"""How a message looks by each kind of channel, without sending it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from app.channels.in_app_text import body_of, title_of
from app.channels.mail_text import mail_text
from app.channels.pagerduty import events_of
from app.channels.plain_text import plain_text
from app.channels.slack_message import as_read as slack_as_read, payload_of
from app.channels.sms import text_of as sms_text
from app.channels.sms_length import length_of
from app.channels.telegram import as_read, document_of, is_too_long, text_of as telegram_text
from app.channels.webhook import posts_of
from app.channels.words import counted
from app.domain.channel import ChannelKind, WebhookConfig, WebhookFormat
from app.domain.delivery import Never
from app.domain.message import Message

SAMPLE_SECRET = "a-secret-that-is-no-secret"


@dataclass(frozen=True, slots=True)
class Part:
    """`name` says what it is: subject, text, html, json, …"""

    name: str
    content: str


def _email(message: Message) -> Sequence[Part]:
    said = mail_text(message)
    return Part("subject", said.subject), Part("text", said.text), Part("html", said.html)


def _sms(message: Message) -> Sequence[Part]:
    text = sms_text(message)
    length = length_of(text)
    said = f"{counted(length.characters, 'character')} of {length.alphabet}, {counted(length.segments, 'segment')}"
    return Part("text", text), Part("length", said)


def _slack(message: Message) -> Sequence[Part]:
    payload = payload_of(message)
    return Part("text", slack_as_read(payload)), Part("json", _json(payload))


def _telegram(message: Message) -> Sequence[Part]:
    text = telegram_text(message)
    if is_too_long(message, text):
        return (Part("document", document_of(message)),)
    return Part("text", as_read(text)), Part("html", text)


def _pagerduty(message: Message) -> Sequence[Part]:
    return [Part(f"json{_place(place)}", _json(event)) for place, event in enumerate(events_of(message))]


def _webhook(message: Message) -> Sequence[Part]:
    return [Part("secret", SAMPLE_SECRET), *(part for form in WebhookFormat for part in _posts(form, message))]


def _posts(form: WebhookFormat, message: Message) -> Iterator[Part]:
    config = WebhookConfig(url="https://hooks.example.com", secret=SAMPLE_SECRET, format=form)
    for place, post in enumerate(posts_of(config, message)):
        name = f"{form.name}{_place(place)}"
        if isinstance(post, Never):
            yield Part(name, f"(nothing: {post.error})")
            continue
        yield Part(f"{name} headers", "\n".join(f"{header}: {value}" for header, value in post.headers.items()))
        yield Part(f"{name} body", post.body.decode())


def _in_app(message: Message) -> Sequence[Part]:
    return Part("title", title_of(message)), Part("body", body_of(message))


def _apprise(message: Message) -> Sequence[Part]:
    said = plain_text(message)
    return Part("title", said.title), Part("text", said.body)


PREVIEWS: Mapping[ChannelKind, Callable[[Message], Sequence[Part]]] = {
    ChannelKind.EMAIL: _email,
    ChannelKind.SMS: _sms,
    ChannelKind.SLACK: _slack,
    ChannelKind.TELEGRAM: _telegram,
    ChannelKind.PAGERDUTY: _pagerduty,
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.IN_APP: _in_app,
    ChannelKind.APPRISE: _apprise,
}
"""A new one is a function, and a line here."""


def preview(kind: ChannelKind, message: Message) -> list[Part]:
    return list(PREVIEWS[kind](message))


def _json(said: object) -> str:
    return msgspec.json.format(msgspec.json.encode(said)).decode()


def _place(place: int) -> str:
    """Programs get what is bundled one by one."""
    return f" {place + 1}" if place else ""
