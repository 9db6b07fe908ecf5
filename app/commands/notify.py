"""`fleetbeat notify`: how messages look, without sending any."""

import json
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from app.channels.preview import PREVIEWS, Part, preview
from app.channels.sample import EVENTS, sample_message
from app.domain.channel import ChannelKind
from app.domain.message import Bundling
from app.settings import read_settings

MOST_BUNDLED = 1_000


class NotifyAction(Enum):
    PREVIEW = "preview"


class PreviewFormat(Enum):
    TEXT = "text"
    HTML = "html"
    JSON = "json"


def command(
    action: Annotated[NotifyAction, typer.Argument(help="preview: show a message about a made-up alert.")],
    channel: Annotated[str, typer.Option(help=f"Which kind of channel: {', '.join(kind.value for kind in PREVIEWS)}.")],
    event: Annotated[str, typer.Option(help="What happened, as webhooks name it, or channel.test.")] = "device.offline",
    bundle: Annotated[int, typer.Option(min=0, max=MOST_BUNDLED, help="So many alerts in one message.")] = 0,
    why: Annotated[Bundling, typer.Option(help="Why they come together.")] = Bundling.STORM,
    format: Annotated[PreviewFormat, typer.Option(help="text: all but HTML; html: that alone; json: every part.")] = (  # noqa: A002
        PreviewFormat.TEXT
    ),
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of to the terminal.")] = None,
) -> None:
    """Show how a message looks by a kind of channel. Nothing is sent, and no server is asked."""
    kind = _kind(channel)
    if event not in EVENTS:
        raise typer.BadParameter(f"{event!r} should be one of {', '.join(EVENTS)}", param_hint="--event")
    url = read_settings(needs_auth=False).public_url
    parts = preview(kind, sample_message(event, datetime.now(UTC), url, bundle, why))
    text = _shown(parts, format, kind)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        out.write_text(text, encoding="utf-8")


def _kind(name: str) -> ChannelKind:
    for kind in PREVIEWS:
        if kind.value == name.lower():
            return kind
    choices = ", ".join(kind.value for kind in PREVIEWS)
    raise typer.BadParameter(f"{name!r} should be one of {choices}", param_hint="--channel")


def _shown(parts: list[Part], chosen: PreviewFormat, kind: ChannelKind) -> str:
    if chosen is PreviewFormat.JSON:
        return json.dumps({part.name: part.content for part in parts}, ensure_ascii=False, indent=2)
    pages = [part.content for part in parts if part.name == "html"]
    if chosen is PreviewFormat.HTML:
        if not pages:
            raise typer.BadParameter(f"{kind.value} shows no HTML; take text or json", param_hint="--format")
        return pages[0]
    return "\n\n".join(f"── {part.name}\n{part.content}" for part in parts if part.name != "html")
