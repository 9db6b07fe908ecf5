"""`fleetbeat contract`: the schema as clients know it."""

from pathlib import Path
from typing import Annotated

import typer

from schema.export import sdl


def command(
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of to the terminal.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Only say whether this file still is the schema; exits with 1 if not.")
    ] = None,
) -> None:
    """Print the GraphQL schema."""
    text = sdl()
    if check is not None:
        if not check.exists() or check.read_text(encoding="utf-8") != text:
            typer.echo(
                f"{check} is not the schema any more: run `fleetbeat contract --out {check}` and look at the change", err=True
            )
            raise typer.Exit(1)
    elif out is not None:
        out.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)
