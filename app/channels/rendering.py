"""The texts of messages: Jinja templates beside this file, one for each channel that shows text, with the filters they share."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.channels.wording import happened, link, news, one_line, when
from app.domain.message import Message


def _clock(at: datetime, timezone: str) -> str:
    """Short, for long lists."""
    return f"{at.astimezone(ZoneInfo(timezone)):%m-%d %H:%M:%S}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _figure(value: float) -> str:
    """A number without needless digits."""
    return f"{value:.6g}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    auto_reload=False,  # or every text asks the disk whether its template has changed
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    when=when,
    clock=_clock,
    figure=_figure,
    happened=happened,
    link=link,
    lower_first=_lower_first,
    one_line=one_line,
    news=news,
)


def render(template: str, message: Message, **more: Any) -> str:
    """`template` names a file; those that end in .html are escaped as HTML."""
    return _ENVIRONMENT.get_template(template).render(message=message, note=message.note, **more)
