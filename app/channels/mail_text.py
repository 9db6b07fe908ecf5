"""What a mail says: its subject, and the same twice, as text and as HTML."""

from dataclasses import dataclass

from app.channels.rendering import render
from app.channels.wording import (
    Group,
    Section,
    counted,
    entries_of,
    facts,
    groups,
    happened,
    one_line,
    sections,
    subject,
    why_together,
)
from app.domain.alert import Severity
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


@dataclass(frozen=True, slots=True)
class MailText:
    subject: str
    text: str
    html: str


def mail_text(message: Message) -> MailText:
    heading = subject(message)
    said = {
        "subject": heading,
        "facts": [] if message.note is None else facts(message.note, message.timezone),
        "groups": [] if message.note is not None else groups(message),
        "sections": [] if message.note is not None else sections(message),
        "why_together": why_together(message),
    }
    coloured = {"colour": _colour(message), "colour_of": _colour_of, "label": _label(message), "counted": _counted(message)}
    return MailText(heading, render("email.txt", message, **said), render("email.html", message, **said, **coloured))


def _colour(message: Message) -> str:
    """Of the worst that is still so; green where all of it is over."""
    if message.is_test:
        return _TEST
    return _colour_of(groups(message)[0])


def _colour_of(group: Group | Section) -> str:
    return _COLOURS[group.severity] if group.live else _ENDED


def _label(message: Message) -> str:
    """Above the title: how bad it is, or what happened to it since."""
    if message.note is None:
        return one_line(message.tenant_name)
    severity = message.note.alert.severity.name
    return f"{severity} · {happened(message.note)}"


def _counted(message: Message) -> str:
    return counted(len(entries_of(message.notes)), "alert")
