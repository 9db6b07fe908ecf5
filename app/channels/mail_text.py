"""What a mail says: its subject, and the same twice, as text and as HTML."""

from dataclasses import dataclass

from app.channels.gathered import Group, Section, groups, heading, history, lines, sections, summary, why_together, worst
from app.channels.rendering import render
from app.channels.wording import STARTS, facts, label, news, test_words, titled
from app.channels.words import one_line, tenants
from app.domain.alert import AlertEventType, Severity
from app.domain.message import Message

_COLOURS = {
    Severity.CRITICAL: "#b3261e",
    Severity.HIGH: "#c2410c",
    Severity.MEDIUM: "#946200",
    Severity.LOW: "#1d5fa8",
    Severity.INFO: "#566171",
}
"""Dark enough for white letters on them."""

_ENDED = "#1e7d3c"
_TEST = "#566171"

_OF_ITS_OWN = (*STARTS, AlertEventType.SEVERITY_CHANGED)
"""Another severity makes another subject, and so another thread, which is right for what became worse."""


@dataclass(frozen=True, slots=True)
class MailText:
    subject: str
    text: str
    html: str


def mail_text(message: Message) -> MailText:
    note, line = message.note, subject(message)
    said = {
        "subject": line,
        "label": _label(message),
        "facts": [] if note is None else facts(note, message.timezone),
        "groups": [] if note is not None else groups(message),
        "sections": [] if note is not None else sections(message),
        "why_together": why_together(message),
        "test_words": test_words(message),
        "summary": summary(message),
        "preheader": _preheader(message),
        "history": history,
        "colour": _colour(message),
        "colour_of": _colour_of,
    }
    return MailText(line, render("email.txt", message, **said), render("email.html", message, **said))


def subject(message: Message) -> str:
    """One line. What comes after the beginning of an alert has the same but for "Re: ": where anything else changes, some
    clients (Gmail) begin another thread, whatever the mail refers to."""
    note = message.note
    if note is None:
        return heading(message)
    return titled("" if note.type in _OF_ITS_OWN else "Re: ", note, message)


def _colour(message: Message) -> str:
    """Of the worst that is still so; green where all of it is over."""
    return _TEST if message.is_test else _colour_of(groups(message)[0])


def _colour_of(group: Group | Section) -> str:
    return _COLOURS[group.severity] if group.live else _ENDED


def _label(message: Message) -> str:
    """Above the title: how bad it is, or what became of it since."""
    if message.is_test:
        return "TEST"
    if message.note is not None:
        return label(message.note)
    severity = worst(message)
    return f"{'RESOLVED' if severity is None else severity.name} · {tenants(message)}"


def _preheader(message: Message) -> str:
    """What clients show beside the subject: what that does not say."""
    note = message.note
    if message.is_test:
        return test_words(message)
    if note is None:
        return one_line(", ".join(entry.alert.title for entry, _ in lines(message)))
    return one_line(news(note) if note.type in STARTS else " · ".join(filter(None, (label(note), news(note)))))
