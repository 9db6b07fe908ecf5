"""What happened to an alert, in the words that all channels share."""

import re
from dataclasses import dataclass

from app.channels.words import counted, duration, is_said, one_line, prose, tenants, upper_first, when
from app.domain.alert import Alert, AlertEventType, AlertStatus, Resolution
from app.domain.conditions.words import amount
from app.domain.message import Message, Note
from app.domain.subject import SubjectKind

LONGEST_FACT = 500
STARTS = (AlertEventType.OPENED, AlertEventType.UNGROUPED)
"""How bad it is, and the title, say enough of these."""

_WORDS = {
    AlertEventType.UNGROUPED: "on its own again",
    AlertEventType.REPEATED: "still open",
    AlertEventType.UNACKNOWLEDGED: "no longer acknowledged",
    AlertEventType.NOTIFIED: "told",
    AlertEventType.DELIVERY_DEAD: "could not be told",
}
_ENDS = {
    Resolution.RECOVERED: "recovered",
    Resolution.FALSE_POSITIVE: "false positive",
    Resolution.NO_DATA: "no more data",
    Resolution.LATE_HEARTBEATS: "no outage after all",
}
"""Of the others the reason says enough."""


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str


def happened(note: Note) -> str:
    """In a few words."""
    alert = note.alert
    if note.type is AlertEventType.SEVERITY_CHANGED:
        return f"now {alert.severity.name}"
    if note.type is AlertEventType.ASSIGNED:
        return f"assigned to {one_line(alert.assignee or 'nobody')}"
    return _word(note.type)


def signal(note: Note) -> str:
    """What is to be read first: how bad it is, or what became of it."""
    severity = note.alert.severity.name
    if note.type in (*STARTS, AlertEventType.REPEATED):
        return severity
    if note.type is AlertEventType.REOPENED:
        return f"REOPENED {severity}"
    return (happened(note) if note.type is AlertEventType.SEVERITY_CHANGED else _word(note.type)).upper()


def circumstances(note: Note) -> str:
    """How long it took, and who did it."""
    alert, more = note.alert, list[str]()
    if note.type in (AlertEventType.UNGROUPED, AlertEventType.REPEATED, AlertEventType.ASSIGNED):
        more.append(happened(note))
    if note.type is AlertEventType.RESOLVED and alert.resolved_at is not None:
        more.append(f"after {duration(alert.resolved_at - alert.first_seen)}")
    if note.actor:
        more.append(f"by {one_line(note.actor)}")
    return ", ".join(more)


def label(note: Note) -> str:
    return " · ".join(filter(None, (signal(note), circumstances(note))))


def what_became(note: Note) -> str:
    """To stand before a title; empty for what begins. The severity stands beside it."""
    return "" if note.type in STARTS else f"{upper_first(happened(note))}: "


def titled(before: str, note: Note, message: Message) -> str:
    """Where nothing beside it says how bad it is or whose."""
    return f"{before}[{note.alert.severity.name}] {one_line(note.alert.title)} ({tenants(message)})"


def news(note: Note) -> str:
    """What is so now, as the alert says it; of one that ended how it did, and why."""
    alert = note.alert
    if alert.live:
        return prose(alert.message)
    how = "" if alert.resolution is None else _ENDS.get(alert.resolution, "")
    return ": ".join(filter(None, (how, prose(alert.resolution_note or note.reason or ""))))


def reason(note: Note) -> str:
    """Why, or what somebody said to it, where the news do not say so."""
    said = note.reason or ""
    return one_line(said, LONGEST_FACT) if note.alert.live and said != note.alert.message else ""


def figures(alert: Alert) -> str:
    """Value and threshold, where the message does not have both."""
    said = [figure for figure in (alert.value, alert.threshold) if figure is not None]
    if alert.value is None or all(is_said(figure, alert.message) for figure in said):
        return ""
    unit = alert.unit or ""
    value = amount(alert.value, unit, beside=alert.threshold)
    return value if alert.threshold is None else f"{value}, threshold {amount(alert.threshold, unit, beside=alert.value)}"


def in_hand(note: Note) -> str:
    """Who is at it already."""
    alert = note.alert
    if not alert.live:
        return ""
    taken = alert.acknowledged_by if alert.status is AlertStatus.ACKNOWLEDGED else None
    said = [f"acknowledged by {taken}"] if taken and note.type is not AlertEventType.ACKNOWLEDGED else []
    said += [f"assigned to {alert.assignee}"] if alert.assignee and note.type is not AlertEventType.ASSIGNED else []
    return one_line(", ".join(said), LONGEST_FACT)


def also_told(note: Note) -> str:
    others = f" and {counted(note.others_told, 'other')}" if note.others_told else ""
    return one_line(", ".join(note.also_told) + others, LONGEST_FACT)


def store(alert: Alert) -> str:
    """Empty where there is none, and where the title says it."""
    said = alert.store_id is None or _is_in(f"store {alert.store_id}", alert.title)
    return "" if said else one_line(alert.store_id or "")


def identities(note: Note) -> list[str]:
    """What the subject is called, as far as the title does not say it."""
    alert, device = note.alert, note.device
    if alert.subject_kind in (SubjectKind.STORE, SubjectKind.TENANT):
        return []
    names = (alert.subject_id,) if device is None else (device.name, device.device_id, device.hostname)
    return [one_line(name) for name in dict.fromkeys(names) if name and not _is_in(name, alert.title)]


def facts(note: Note, timezone: str) -> list[Fact]:
    """What else there is to know, for those who show a table."""
    alert, device = note.alert, note.device
    found = _times(alert, timezone)
    if not alert.live:
        found.append(Fact("It was", alert.message))
    found += [Fact("Value", figures(alert)), Fact("Note" if note.actor else "Reason", reason(note))]
    found += [Fact("In hand", in_hand(note)), Fact(alert.subject_kind.value.capitalize(), " · ".join(identities(note)))]
    if device is not None and device.last_seen is not None and alert.live:
        found.append(Fact("Last heard of", when(device.last_seen, timezone)))
    found += [Fact("Store", store(alert)), Fact("Also told", also_told(note) or "nobody else")]
    return [Fact(fact.label, one_line(fact.value, LONGEST_FACT)) for fact in found if fact.value]


def test_words(message: Message) -> str:
    return f"This is a test of the channel {one_line(message.channel_name, 60)} of {one_line(message.tenant_name, 60)}. It works."


def test_title(message: Message) -> str:
    return f"Test of the channel {one_line(message.channel_name)}"


def _word(kind: AlertEventType) -> str:
    return _WORDS.get(kind) or kind.value.replace("_", " ")


def _times(alert: Alert, timezone: str) -> list[Fact]:
    since = when(alert.first_seen, timezone)
    if alert.live or alert.resolved_at is None:
        return [Fact("Since", since)]
    return [Fact("From", since), Fact("To", when(alert.resolved_at, timezone))]


def _is_in(name: str, title: str) -> bool:
    """As words of their own."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", title, re.IGNORECASE) is not None
