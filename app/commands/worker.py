"""`fleetbeat worker`: one process that judges."""

import socket
from typing import Annotated

import typer
import uvloop

from app.context import open_context
from app.logging import configure_logging
from app.settings import Settings, read_settings
from jobs.worker import run


def command(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether a worker of this host is alive; exits with 1 if not.")
    ] = False,
) -> None:
    """Run the ticks and jobs."""
    settings = read_settings(needs_auth=False)
    configure_logging(settings.log_level, settings.log_format)
    if check:
        if not uvloop.run(_is_alive(settings)):
            raise typer.Exit(1)
    else:
        uvloop.run(run(settings))


async def _is_alive(settings: Settings) -> bool:
    async with open_context(settings) as context:
        alive = await context.store.workers.alive(context.clock.now())
    return any(worker.id.startswith(f"{socket.gethostname()}:") for worker in alive)
