"""Reading what a rule could see in the past, subject by subject."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.context import Context
from app.domain.conditions.anomaly import HORIZONS
from app.domain.conditions.outside_hours import REACH
from app.domain.event_input import KEPT
from app.domain.replay import History
from app.domain.rule import (
    AnomalyCondition,
    CountCondition,
    MetricCondition,
    OutsideHoursCondition,
    RatioCondition,
    Rule,
    SpikeCondition,
)
from app.domain.subject import Subject
from app.domain.tenant import Tenant

MOST_READINGS = 5_000_000
"""Heartbeats, events and five minutes of a gauge that one question may read: more is too much for one answer."""


@dataclass(frozen=True, slots=True)
class Past:
    """A stretch of a tenant's history that is to be followed, and from when on all of it is still kept as it came."""

    context: Context
    tenant: Tenant
    start: datetime
    end: datetime
    kept_from: datetime


@dataclass(frozen=True, slots=True)
class SeenPast:
    """What a rule could see of one subject; `silent_after` where that is a device."""

    subject: Subject
    history: History
    silent_after: int | None = None


Pasts = AsyncIterator[SeenPast]


def warm_up(rule: Rule) -> timedelta:
    """How long before a stretch a rule has to be followed so that its first minutes are as they were: its waits, and the hour in
    which alerts are counted."""
    return timedelta(hours=1, seconds=rule.for_sec + rule.keep_firing_sec + rule.cooldown_sec)


def looks_back(rule: Rule) -> timedelta:
    """How far back a single look reaches."""
    match rule.condition:
        case MetricCondition(window_sec=seconds) | RatioCondition(window_sec=seconds):
            return timedelta(seconds=seconds)
        case SpikeCondition(window_sec=seconds, baseline_days=days):
            return timedelta(days=days + 1, seconds=seconds)
        case OutsideHoursCondition():
            return REACH
        case AnomalyCondition(window_sec=seconds, baseline_days=days):
            return timedelta(days=days + 1, seconds=HORIZONS * seconds)
        case _:
            return timedelta(0)


def kept_from(tenant: Tenant, rule: Rule, now: datetime) -> datetime:
    """From when on what a rule looks at is kept as it came."""
    days = KEPT if isinstance(rule.condition, CountCondition) else timedelta(days=tenant.heartbeat_retention_days)
    return now - days
