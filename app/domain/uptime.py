"""Uptime: how much of a range a device was there, from the alerts of its outages. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from app.domain.alert import Alert


class Span(msgspec.Struct, frozen=True):
    """From `start` until before `end`."""

    start: datetime
    end: datetime


class Uptime(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a range, by what they were. `ratio` (0..1) is None where nothing of the range counts."""

    ratio: float | None
    up_sec: float
    down_sec: float
    excluded_sec: float
    outages: int


def outages(alerts: Iterable[Alert], now: datetime) -> list[Span]:
    """When a device was down by its alerts, each time once, in order. What late beats disproved was no outage."""
    real = [alert for alert in alerts if not (alert.details or {}).get("disproved")]
    spans: list[Span] = []
    for span in sorted((Span(alert.first_seen, alert.resolved_at or now) for alert in real), key=lambda one: one.start):
        if spans and span.start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(spans[-1].end, span.end))
        else:
            spans.append(span)
    return spans


def uptime(asked: Span, counted: Span | None, down: Sequence[Span]) -> Uptime:
    """Of the range that was asked for, what lies outside of `counted` is excluded; None excludes all of it."""
    inside = None if counted is None else _common(asked, counted)
    if inside is None:
        return Uptime(ratio=None, up_sec=0.0, down_sec=0.0, excluded_sec=_seconds(asked), outages=0)
    parts = [part for span in down if (part := _common(span, inside)) is not None]
    total, lost = _seconds(inside), sum(_seconds(part) for part in parts)
    return Uptime(
        ratio=(total - lost) / total,
        up_sec=total - lost,
        down_sec=lost,
        excluded_sec=_seconds(asked) - total,
        outages=len(parts),
    )


def _common(one: Span, other: Span) -> Span | None:
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Span(start, end) if start < end else None


def _seconds(span: Span) -> float:
    return (span.end - span.start).total_seconds()
