"""A bundle: its alerts in the order in which they matter, and the words for them together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.channels.wording import STARTS, happened, in_hand, signal, test_title
from app.channels.words import clock, counted, duration, moment, one_line, tenants
from app.domain.alert import SEVERITY_RANK, Alert, Severity
from app.domain.message import Bundling, Message, Note

LONGEST_TITLE = 140

_TOGETHER = {
    Bundling.STORM: "These came at once, and so in one message.",
    Bundling.QUIET_HOURS: "This was held back during your quiet hours, and still matters.",
    Bundling.DIGEST: "This is your digest: what came in since the last one.",
}
_FROM = {Bundling.STORM: "at once", Bundling.QUIET_HOURS: "from your quiet hours", Bundling.DIGEST: "in your digest"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert as the last of its `notes` has it."""

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


def lines(message: Message) -> Iterator[tuple[Entry, str]]:
    """Each alert, the worst first, with one line for it."""
    for group in groups(message):
        for entry in group.entries:
            yield entry, _line(entry, group.place, message)


def heading(message: Message) -> str:
    """One line for a bundle or a test, where nothing beside it says how bad it is or whose."""
    whose = f" ({tenants(message)})"
    if message.is_test:
        return f"{test_title(message)}{whose}"
    severity = worst(message)
    if severity is None:
        return f"Resolved: {how_many(message)}{whose}"
    return f"[{severity.name}] {summary(message)}{whose}"


def summary(message: Message) -> str:
    """How many, why together, and how many of them are over."""
    entries = entries_of(message.notes)
    return f"{how_many(message)}, {_state(entries)}"


def how_many(message: Message) -> str:
    count = len(entries_of(message.notes))
    # One alert that came and went is not much at once.
    why = "" if message.bundling is None or (count == 1 and message.bundling is Bundling.STORM) else _FROM[message.bundling]
    return f"{counted(count, 'alert')} {why}".strip()


def worst(message: Message) -> Severity | None:
    """Of what is not over; None where all of it is."""
    open_ = [note.alert.severity for entry in entries_of(message.notes) if (note := entry.last).alert.live]
    return min(open_, key=SEVERITY_RANK.__getitem__, default=None)


def why_together(message: Message) -> str:
    return _TOGETHER[message.bundling] if message.bundling else ""


def history(entry: Entry, message: Message) -> str:
    """Since when, and what happened then."""
    later = [f"{happened(note)} {clock(note.at, message)}" for note in entry.notes if note.type not in STARTS]
    return ", ".join([f"since {clock(entry.alert.first_seen, message)}", *later])


def _line(entry: Entry, place: str, message: Message) -> str:
    alert = entry.alert
    if alert.live or alert.resolved_at is None:
        times = f"since {moment(alert.first_seen, message)}"
    else:
        times = f"after {duration(alert.resolved_at - alert.first_seen)}"
    found = (signal(entry.last), one_line(alert.title, LONGEST_TITLE), place, times, in_hand(entry.last))
    return " · ".join(filter(None, found))


def _state(entries: Sequence[Entry]) -> str:
    open_ = sum(entry.alert.live for entry in entries)
    every = "all " if len(entries) > 1 else ""
    if open_ in (0, len(entries)):
        return f"{every}{'open' if open_ else 'resolved'}"
    return f"{open_} open, {len(entries) - open_} resolved"
