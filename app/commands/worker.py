"""`fleetbeat worker`: one process that judges."""

import uvloop

from app.logging import configure_logging
from app.settings import read_settings
from jobs.worker import run


def command() -> None:
    """Run the ticks and jobs."""
    settings = read_settings(needs_auth=False)
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(run(settings))
