"""How texts, times, lengths of time and figures are written, whichever channel shows them."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app.domain.message import Message

LONGEST_LINE = 200
LONGEST_NAME = 60

_JOINERS = "\u200c\u200d"
"""They are not printable by themselves, but emoji and some scripts are made with them."""

_NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.(\d+))?")


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Without line breaks and what else is not seen: names come from devices, and headers are made of them."""
    seen = text if text.isprintable() else "".join(char if char.isprintable() or char in _JOINERS else " " for char in text)
    line = " ".join(seen.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def prose(text: str) -> str:
    """Lines stay lines; the last ones of a very long text are left out."""
    return "\n".join(one_line(line, 1_000) for line in text.splitlines()[:50])


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def tenants(message: Message) -> str:
    """A person's own channel hears of all tenants that the person is of."""
    ids = {note.alert.tenant_id for note in message.notes}
    return one_line(message.tenant_name if ids <= {message.tenant_id} else ", ".join(sorted(ids)), LONGEST_NAME)


def link(url: str | None) -> str | None:
    """Only what leads to a web page: runbooks are given by people."""
    return url if url and urlsplit(url).scheme in ("http", "https") else None


def when(at: datetime, timezone: str) -> str:
    """Whole: mail is read on another day, too."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S %Z}"


def moment(at: datetime, message: Message) -> str:
    return f"{clock(at, message)} {at.astimezone(ZoneInfo(message.timezone)):%Z}"


def span(start: datetime, end: datetime, message: Message) -> str:
    zone = ZoneInfo(message.timezone)
    same = start.astimezone(zone).utcoffset() == end.astimezone(zone).utcoffset()
    return f"{clock(start, message) if same else moment(start, message)} to {moment(end, message)}"


def clock(at: datetime, message: Message) -> str:
    """With its day where that is another than today's."""
    zone = ZoneInfo(message.timezone)
    there, now = at.astimezone(zone), message.now.astimezone(zone)
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%Y-%m-%d %H:%M:%S}"


def duration(length: timedelta) -> str:
    """The two largest units of it."""
    rest, parts = max(0, round(length.total_seconds())), list[str]()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def is_said(value: float, text: str) -> bool:
    """Whether a text has this figure, rounded or as percent."""
    for found in _NUMBER.finditer(text):
        number, half = float(found.group().replace(",", "")), 0.501 * 10.0 ** -len(found.group(1) or "")
        if min(abs(number - value), abs(number - 100 * value)) <= half:
            return True
    return False
