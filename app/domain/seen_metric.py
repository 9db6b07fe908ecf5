"""A gauge that devices of a tenant have sent: what rules can be written on. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.beat import METRIC_FIELDS

MOST_NAMES = 500
"""Gauges that are listed of a tenant."""

KEPT = timedelta(days=365)
"""A gauge is listed for so long after its last value: as long as roll-ups of it are kept."""


class SeenMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A gauge by the name that rules use; `last_at` is when its newest value was measured."""

    tenant_id: str
    name: str
    unit: str | None
    last_at: datetime


def admit(known: Collection[str], seen: Sequence[SeenMetric]) -> tuple[list[SeenMetric], int]:
    """Those of one tenant's gauges that have a place in its list, and how many found none.

    Who is in keeps its place. The gauges that every device may have come before those with names of their own.
    """
    free = max(0, MOST_NAMES - len(known))
    admitted = [one for one in seen if one.name in known]
    new = sorted((one for one in seen if one.name not in known), key=lambda one: (one.name not in METRIC_FIELDS, one.name))
    return admitted + new[:free], max(0, len(new) - free)
