"""`fleetbeat seed`: makes the database ready."""

import uvloop

from app.logging import configure_logging
from app.seed import seed
from app.settings import read_settings


def command() -> None:
    """Create the indexes and the default rules. May be run again at any time."""
    settings = read_settings(needs_auth=False)
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(seed(settings))
