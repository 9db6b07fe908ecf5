"""What people read of an alert in a chat: a headline and a few short lines. Lengths are bounded, so that vendors take them."""

from app.channels.gathered import LONGEST_TITLE, lines, summary, worst
from app.channels.wording import also_told, figures, identities, in_hand, news, reason, signal, store
from app.channels.words import duration, moment, one_line, span, tenants
from app.domain.message import Message, Note

LONGEST_FACT = 300
"""All there can be of them fit into the shortest message, that of Telegram, whatever letters they are of."""


def icon(live: bool) -> str:
    return "🔴" if live else "🟢"


def headline(note: Note) -> str:
    return f"{icon(note.alert.live)} {signal(note)} · {one_line(note.alert.title, LONGEST_TITLE)}"


def facts(note: Note, message: Message) -> list[str]:
    """Lines under the headline: what it is, since when and where, who did what, who else was told."""
    alert = note.alert
    found = [news(note)] if alert.live else [_by(note, news(note)), f"it was: {alert.message}"]
    found.append(" · ".join([_times(note, message), *_places(note, message)]))
    found.append(f"value {said}" if (said := figures(alert)) else "")
    found += [_by(note, reason(note)) if alert.live else "", in_hand(note)]
    found.append(f"also told: {said}" if (said := also_told(note)) else "")
    return [one_line(one, LONGEST_FACT) for one in found if one]


def bundle_headline(message: Message) -> str:
    return f"{icon(worst(message) is not None)} {tenants(message)}: {summary(message)}"


def bundle_lines(message: Message) -> list[tuple[Note, str]]:
    """Each alert with its line, the worst first."""
    return [(entry.last, f"{icon(entry.alert.live)} {line}") for entry, line in lines(message)]


def _times(note: Note, message: Message) -> str:
    alert = note.alert
    if alert.live or alert.resolved_at is None:
        return f"since {moment(alert.first_seen, message)}"
    return f"after {duration(alert.resolved_at - alert.first_seen)}, from {span(alert.first_seen, alert.resolved_at, message)}"


def _places(note: Note, message: Message) -> list[str]:
    where = store(note.alert)
    return [tenants(message), *([f"store {where}"] if where else []), *identities(note)]


def _by(note: Note, said: str) -> str:
    by = f"by {note.actor}" if note.actor else ""
    return ": ".join(filter(None, (by, said)))
