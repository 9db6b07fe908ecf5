"""The texts of messages: Jinja templates beside this file, one for each channel that shows text, with the filters they share."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.domain.message import Message


def _when(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S %Z}"


def _figure(value: float) -> str:
    """A number without needless digits."""
    return f"{value:.6g}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(when=_when, figure=_figure)


def render(template: str, message: Message, **more: Any) -> str:
    """`template` names a file; those that end in .html are escaped as HTML."""
    return _ENVIRONMENT.get_template(template).render(message=message, note=message.note, **more)
