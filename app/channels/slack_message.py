"""A message as Slack shows it: blocks beside a bar in the colour of the severity, or plain text where that is too much for blocks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.channels.brief import bundle_headline, bundle_lines, facts, headline
from app.channels.rendering import render
from app.channels.wording import test_title, test_words
from app.channels.words import link as web_page, one_line
from app.domain.alert import Severity
from app.domain.message import Message, Note

LONGEST_HEADER = 150
LONGEST_SECTION = 3_000
MOST_IN_BLOCKS = 10_000
"""Slack refuses a message whose blocks have some 12,000 characters between them."""

LONGEST_TEXT = 39_000
"""Beyond 40,000 it cuts."""

_GREEN = "#2f9e44"
_COLOURS = {
    Severity.CRITICAL: "#c92a2a",
    Severity.HIGH: "#e8590c",
    Severity.MEDIUM: "#f08c00",
    Severity.LOW: "#1971c2",
    Severity.INFO: "#868e96",
}


def payload_of(message: Message) -> dict[str, Any]:
    if message.is_test:
        return _attached(_GREEN, f"🟢 {test_title(message)}", [escaped(test_words(message))])
    if (note := message.note) is not None:
        runbook = link(url, "Runbook") if (url := web_page(note.alert.runbook_url)) else ""
        links = [link(note.url, "Open the alert"), *([runbook] if 0 < len(runbook) <= LONGEST_SECTION else [])]
        said = render("slack.txt", message, facts=[escaped(fact) for fact in facts(note, message)], links=links)
        return _attached(_colour([note]), headline(note), said.splitlines())
    return _bundle(message)


def as_read(payload: Mapping[str, Any]) -> str:
    """All of its words, as Slack's markup has them; the headline is also what a telephone shows while it is locked."""
    if "text" in payload:
        return str(payload["text"])
    return "\n".join(block["text"]["text"] for attachment in payload["attachments"] for block in attachment["blocks"])


def escaped(text: str) -> str:
    """So that nothing in it is markup: no link, and nobody is called by `<!channel>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, text: str) -> str:
    return f"<{escaped(url).replace('|', '%7C')}|{escaped(text)}>"


def _bundle(message: Message) -> dict[str, Any]:
    title = bundle_headline(message)
    foot = [link(message.dashboard_url, "Open the dashboard")] if message.dashboard_url else []
    alerts = bundle_lines(message)
    lines = [link(note.url, line) for note, line in alerts]
    if _length([*lines, *foot]) <= MOST_IN_BLOCKS:
        return _attached(_colour(note for note, _ in alerts), title, [*lines, *foot])
    if _length([title, *lines, *foot]) > LONGEST_TEXT:
        lines = [escaped(line) for _, line in alerts]
    room = LONGEST_TEXT - _length([title, *foot]) - 60
    kept = list(_within(lines, room))
    more = [f"… and {len(lines) - len(kept)} more"] if len(kept) < len(lines) else []
    return {"text": "\n".join([f"*{escaped(title)}*", *kept, *more, *foot])}


def _attached(colour: str, title: str, lines: Iterable[str]) -> dict[str, Any]:
    header = {"type": "header", "text": {"type": "plain_text", "text": one_line(title, LONGEST_HEADER), "emoji": True}}
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in _sections(lines)]
    return {"attachments": [{"color": colour, "fallback": title, "blocks": [header, *sections]}]}


def _sections(lines: Iterable[str]) -> Iterator[str]:
    """As few texts as hold the lines."""
    held: list[str] = []
    for one in lines:
        if held and _length([*held, one]) > LONGEST_SECTION:
            yield "\n".join(held)
            held = []
        held.append(one)
    if held:
        yield "\n".join(held)


def _within(lines: Iterable[str], room: int) -> Iterator[str]:
    for one in lines:
        room -= len(one) + 1
        if room < 0:
            return
        yield one


def _length(lines: Iterable[str]) -> int:
    return sum(len(one) + 1 for one in lines)


def _colour(notes: Iterable[Note]) -> str:
    """That of the worst that is not over."""
    live = [note.alert for note in notes if note.alert.live]
    return _COLOURS[min(live, key=lambda alert: alert.severity_rank).severity] if live else _GREEN
