"""The words that channels with text share: subjects, what happened, the facts of an alert, and the order of a bundle."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, Severity
from app.domain.message import Bundling, Message, Note
from app.domain.subject import SubjectKind

LONGEST_LINE = 200

# These begin an alert, so its title says enough.
_PLAIN = (AlertEventType.OPENED, AlertEventType.UNGROUPED)
_WORDS = {
    AlertEventType.UNGROUPED: "On its own again",
    AlertEventType.REPEATED: "Still open",
    AlertEventType.NOTIFIED: "Told",
    AlertEventType.DELIVERY_DEAD: "Could not be told",
}
_TOGETHER = {
    Bundling.STORM: "So much happened at once that it comes in one message.",
    Bundling.QUIET_HOURS: "This was held back during your quiet hours, and still matters.",
    Bundling.DIGEST: "This is your digest: what came in since the last one.",
}
_JOINERS = "\u200c\u200d"
"""They are not printable by themselves, but emoji and some scripts are made with them."""


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert of a bundle as the last of its `notes` has it."""

    notes: tuple[Note, ...]

    @property
    def last(self) -> Note:
        return self.notes[-1]

    @property
    def alert(self) -> Alert:
        return self.last.alert


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts of one severity and place, that are open, or that ended."""

    live: bool
    severity: Severity
    place: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The groups of one severity, open or ended."""

    live: bool
    severity: Severity
    groups: tuple[Group, ...]

    @property
    def count(self) -> int:
        return sum(len(group.entries) for group in self.groups)


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Without line breaks and what else is not seen: names come from devices, and headers are made of them."""
    seen = text if text.isprintable() else "".join(char if char.isprintable() or char in _JOINERS else " " for char in text)
    line = " ".join(seen.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def prose(text: str) -> str:
    """Lines stay lines; the last ones of a very long text are left out."""
    return "\n".join(one_line(line, 1_000) for line in text.splitlines()[:50])


def word_of(kind: AlertEventType) -> str:
    return _WORDS.get(kind) or kind.value.replace("_", " ").capitalize()


def subject(message: Message) -> str:
    """One line. The same for every message of an alert but for the word in front."""
    whose = f" ({one_line(_tenants(message), 80)})"
    if message.is_test:
        return f"Test of the channel {one_line(message.channel_name)}{whose}"
    if (note := message.note) is not None:
        before = "" if note.type in _PLAIN else f"{word_of(note.type)}: "
        return f"{before}[{note.alert.severity.name}] {one_line(note.alert.title)}{whose}"
    entries = entries_of(message.notes)
    open_ = [one.alert.severity for one in entries if one.alert.live]
    if not open_:
        return f"Resolved: {counted(len(entries), 'alert')}{whose}"
    worst = min(open_, key=SEVERITY_RANK.__getitem__)
    return f"[{worst.name}] {counted(len(entries), 'alert')}: {_open_and_ended(entries)}{whose}"


def why_together(message: Message) -> str:
    return _TOGETHER[message.bundling] if message.bundling else ""


def news(note: Note) -> str:
    """What is so now, as the alert says it; of an alert that ended it is no news."""
    return prose(note.alert.message) if note.alert.live else ""


def happened(note: Note) -> str:
    """What happened to the alert, and by whom, in a few words."""
    by = f" by {one_line(note.actor)}" if note.actor else ""
    alert = note.alert
    if note.type is AlertEventType.SEVERITY_CHANGED:
        return f"Severity is now {alert.severity.name}{by}"
    if note.type is AlertEventType.ASSIGNED:
        return f"Assigned to {one_line(alert.assignee)}{by}" if alert.assignee else f"Assigned to nobody{by}"
    if note.type is AlertEventType.RESOLVED and alert.resolution is not None:
        return f"Resolved{by}: {alert.resolution.value.replace('_', ' ')}"
    return f"{word_of(note.type)}{by}"


def facts(note: Note, timezone: str) -> list[Fact]:
    alert, device = note.alert, note.device
    found = [Fact("What", happened(note)), *_times(alert, timezone)]
    if not alert.live and alert.message:
        found.append(Fact("It was", alert.message))
    if alert.value is not None:
        bound = "" if alert.threshold is None else f" (threshold {measure(alert.threshold, alert.unit)})"
        found.append(Fact("Value", f"{measure(alert.value, alert.unit)}{bound}"))
    if device is not None:
        found.append(Fact("Device", " · ".join(dict.fromkeys(filter(None, (device.name, device.device_id, device.hostname))))))
        if device.last_seen is not None:
            found.append(Fact("Last heard of", when(device.last_seen, timezone)))
    elif alert.subject_kind not in (SubjectKind.STORE, SubjectKind.TENANT):
        found.append(Fact(alert.subject_kind.value.capitalize(), alert.subject_id))
    if alert.store_id is not None:
        found.append(Fact("Store", alert.store_id))
    if (reason := alert.resolution_note or note.reason) and reason != alert.message:
        found.append(Fact("Reason", reason))
    found.append(Fact("Also told", ", ".join(note.also_told) or "nobody else"))
    return [Fact(fact.label, one_line(fact.value, 500)) for fact in found]


def link(url: str | None) -> str | None:
    """Only what leads to a web page: runbooks are given by people."""
    return url if url and urlsplit(url).scheme in ("http", "https") else None


def measure(value: float, unit: str | None) -> str:
    """Without needless digits."""
    return f"{value:.6g}" if unit is None else f"{value:.6g} {unit}"


def when(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S %Z}"


def entries_of(notes: Sequence[Note]) -> list[Entry]:
    """One for each alert, in the order in which they came up; an alert that opened and ended has both in it."""
    found: dict[str, list[Note]] = {}
    for note in sorted(notes, key=lambda one: one.at):
        found.setdefault(note.alert.id, []).append(note)
    return [Entry(tuple(of_one)) for of_one in found.values()]


def groups(message: Message) -> list[Group]:
    """Open ones before ended ones, then by severity, then by place."""
    several = len({note.alert.tenant_id for note in message.notes}) > 1
    found: dict[tuple[bool, int, str], list[Entry]] = {}
    for entry in entries_of(message.notes):
        alert = entry.alert
        place = " ".join(([alert.tenant_id] if several else []) + ([f"store {alert.store_id}"] if alert.store_id else []))
        found.setdefault((not alert.live, SEVERITY_RANK[alert.severity], place), []).append(entry)
    return [
        Group(not ended, list(Severity)[rank], one_line(place), tuple(found[ended, rank, place]))
        for ended, rank, place in sorted(found)
    ]


def sections(message: Message) -> list[Section]:
    by_severity = groupby(groups(message), key=lambda group: (group.live, group.severity))
    return [Section(live, severity, tuple(of_one)) for (live, severity), of_one in by_severity]


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _open_and_ended(entries: Sequence[Entry]) -> str:
    count = Counter("open" if one.alert.live else "ended" for one in entries)
    return ", ".join(f"{count[word]} {word}" for word in ("open", "ended") if count[word])


def _tenants(message: Message) -> str:
    """A person's own channel hears of all tenants that the person is of."""
    others = {note.alert.tenant_id for note in message.notes} - {message.tenant_id}
    return ", ".join(sorted({note.alert.tenant_id for note in message.notes})) if others else message.tenant_name


def _times(alert: Alert, timezone: str) -> list[Fact]:
    since = when(alert.first_seen, timezone)
    if alert.live or alert.resolved_at is None:
        return [Fact("Since", since)]
    took = duration(alert.resolved_at - alert.first_seen)
    return [Fact("From", since), Fact("To", f"{when(alert.resolved_at, timezone)} ({took})")]


def duration(length: timedelta) -> str:
    """The two largest units of it."""
    rest, parts = max(0, round(length.total_seconds())), list[str]()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
