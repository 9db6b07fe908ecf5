"""What people read of an alert in a chat: a headline and a few short lines. Lengths are bounded, so that vendors take them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.channels.wording import duration, measure, one_line
from app.domain.alert import Alert, AlertEventType
from app.domain.message import Bundling, Message, Note

LONGEST_TITLE = 140
LONGEST_FACT = 500

_BEGINS = (AlertEventType.OPENED, AlertEventType.UNGROUPED, AlertEventType.REPEATED)
_BECAUSE = {
    Bundling.STORM: "at once",
    Bundling.QUIET_HOURS: "since your quiet hours began",
    Bundling.DIGEST: "since the last digest",
}


def icon(live: bool) -> str:
    return "🔴" if live else "🟢"


def word(note: Note) -> str:
    """What happened, in one or two words; the severity where it begins."""
    severity = note.alert.severity.name
    if note.type in _BEGINS:
        return severity
    if note.type is AlertEventType.SEVERITY_CHANGED:
        return f"NOW {severity}"
    return f"REOPENED {severity}" if note.type is AlertEventType.REOPENED else note.type.name.replace("_", " ")


def headline(note: Note) -> str:
    return f"{icon(note.alert.live)} {word(note)} · {one_line(note.alert.title, LONGEST_TITLE)}"


def facts(note: Note, message: Message) -> list[str]:
    """Lines under the headline: what it is and since when, value and threshold, who did it, who else was told."""
    alert = note.alert
    found = [f"{one_line(alert.message, LONGEST_FACT)} since {moment(alert.first_seen, message)}"]
    if alert.resolved_at is not None:
        how = "over" if alert.resolution is None else alert.resolution.value.replace("_", " ")
        lasted = duration(alert.resolved_at - alert.first_seen)
        start, end = moment(alert.first_seen, message), moment(alert.resolved_at, message)
        found = [f"{how} after {lasted}, from {start} to {end}"]
    if alert.value is not None:
        found.append(figures(alert))
    if note.actor is not None:
        found.append(one_line(f"by {note.actor}" + (f": {note.reason}" if note.reason else ""), LONGEST_FACT))
    elif note.reason and note.type not in _BEGINS:
        found.append(one_line(note.reason, LONGEST_FACT))
    if note.also_told:
        found.append(one_line(f"also told: {', '.join(note.also_told)}", LONGEST_FACT))
    return found


def figures(alert: Alert) -> str:
    value = f"value {measure(alert.value or 0.0, alert.unit)}"
    return value if alert.threshold is None else f"{value}, threshold {measure(alert.threshold, alert.unit)}"


def line(note: Note, message: Message) -> str:
    """A note of a bundle."""
    return f"{headline(note)} · since {moment(note.alert.first_seen, message)} · {note.alert.status.value}"


def bundle_headline(message: Message) -> str:
    count = len(message.notes)
    said = f"{count} message{'s' if count > 1 else ''}"
    live = sum(note.alert.live for note in message.notes)
    because = "" if message.bundling is None else f" {_BECAUSE[message.bundling]}"
    tenant = one_line(message.tenant_name, 60)
    return f"{icon(live > 0)} {tenant}: {said}{because}, {live} open, {count - live} over"


def test_line(message: Message) -> str:
    return f"This is a test: {one_line(message.channel_name, 60)} of {one_line(message.tenant_name, 60)} hears of Fleetbeat's alerts."


def moment(at: datetime, message: Message) -> str:
    """With its day where that is another than today's."""
    zone = ZoneInfo(message.timezone)
    there, now = at.astimezone(zone), message.now.astimezone(zone)
    return f"{there:%H:%M:%S %Z}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S %Z}"
