"""Uptime on the wire."""

import strawberry

from app.domain import uptime as domain


@strawberry.type(description="Seconds of a range: `ratio` is of those that count, and null where none does.")
class Uptime:
    ratio: float | None
    up_sec: float
    down_sec: float
    excluded_sec: float
    outages: int


def show_uptime(kept: domain.Uptime) -> Uptime:
    return Uptime(
        ratio=kept.ratio,
        up_sec=kept.up_sec,
        down_sec=kept.down_sec,
        excluded_sec=kept.excluded_sec,
        outages=kept.outages,
    )
