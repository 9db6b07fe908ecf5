"""`fleetbeat tick`: a tick by hand, or from cron."""

from typing import Annotated

import typer
import uvloop

from app.logging import configure_logging
from app.settings import read_settings
from jobs.worker import run_ticks, tick_names


def command(names: Annotated[list[str], typer.Argument(help="Names of ticks, or `all`.")]) -> None:
    """Run ticks once, here and now."""
    settings = read_settings(needs_auth=False)
    known = [*tick_names(settings), "all"]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: should be one of {', '.join(known)}", param_hint="NAMES")
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(run_ticks(settings, names))
