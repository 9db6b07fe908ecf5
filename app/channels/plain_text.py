"""What a message says where little is known of who shows it: a title, and a few lines without any marks."""

from dataclasses import dataclass

from app.channels.gathered import heading, lines, why_together
from app.channels.rendering import render
from app.channels.wording import circumstances, facts, test_words, titled, what_became
from app.channels.words import counted
from app.domain.alert import AlertEventType
from app.domain.message import Message

LONGEST = 3_000
"""Letters. More than that few services take; the rest of a bundle stands in the dashboard."""


@dataclass(frozen=True, slots=True)
class PlainText:
    title: str
    body: str


def plain_text(message: Message) -> PlainText:
    note = message.note
    body = render(
        "plain.txt",
        message,
        facts=[] if note is None else facts(note, message.timezone),
        lines=[] if note is not None else list(lines(message)),
        why_together=why_together(message),
        circumstances="" if note is None else circumstances(note),
        test_words=test_words(message),
    )
    return PlainText(_title(message), _cut(body.strip(), message.dashboard_url))


def _title(message: Message) -> str:
    note = message.note
    if note is None:
        return heading(message)
    # What is [CRITICAL] now need not say so twice.
    return titled("Now " if note.type is AlertEventType.SEVERITY_CHANGED else what_became(note), note, message)


def _cut(body: str, dashboard_url: str) -> str:
    """Whole lines of it, and how many are left out."""
    if len(body) <= LONGEST:
        return body
    lines, kept, room = body.splitlines(), list[str](), LONGEST - 200
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    rest = counted(len(lines) - len(kept), "more line")
    return "\n".join([*kept, f"… and {rest}: {dashboard_url}".removesuffix(": ")])
