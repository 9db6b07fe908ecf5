"""Times of trouble, which say nothing of what is usual."""

from collections.abc import Sequence
from datetime import datetime

Incident = tuple[datetime, datetime | None]
"""From when until when; None for one that goes on."""


def in_trouble(incidents: Sequence[Incident], start: datetime, end: datetime) -> bool:
    """Whether any of [start, end) lies in an incident; one that only touches it does not count."""
    return any(begun < end and (over is None or over > start) for begun, over in incidents)
