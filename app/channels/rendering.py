"""The texts of messages: Jinja templates beside this file, one for each channel that shows text, with the filters they share."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.channels.wording import news
from app.channels.words import link, one_line
from app.domain.message import Message

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    auto_reload=False,  # or every text asks the disk whether its template has changed
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(link=link, one_line=one_line, news=news)


def render(template: str, message: Message, **more: Any) -> str:
    """`template` names a file; those that end in .html are escaped as HTML."""
    return _ENVIRONMENT.get_template(template).render(message=message, note=message.note, **more)
