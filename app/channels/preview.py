"""How a message looks by each kind of channel, without sending it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.channels.mail_text import mail_text
from app.channels.plain_text import plain_text
from app.domain.channel import ChannelKind
from app.domain.message import Message


@dataclass(frozen=True, slots=True)
class Part:
    """`name` says what it is: subject, text, html, json, …"""

    name: str
    content: str


def _email(message: Message) -> Sequence[Part]:
    said = mail_text(message)
    return Part("subject", said.subject), Part("text", said.text), Part("html", said.html)


def _apprise(message: Message) -> Sequence[Part]:
    said = plain_text(message)
    return Part("title", said.title), Part("text", said.body)


PREVIEWS: Mapping[ChannelKind, Callable[[Message], Sequence[Part]]] = {
    ChannelKind.EMAIL: _email,
    ChannelKind.APPRISE: _apprise,
}
"""A new one is a function, and a line here."""


def preview(kind: ChannelKind, message: Message) -> list[Part]:
    return list(PREVIEWS[kind](message))
