"""Counts and times for tests of conditions."""

from datetime import datetime, timedelta

from app.domain.counts import BUCKET, Tally, bucket_start
from tests.domain.making import NOON


def minutes(count: float) -> datetime:
    """So many minutes after noon, on a Monday in March."""
    return NOON + timedelta(minutes=count)


def bucket(minute: int, success: int = 0, failure: int = 0) -> dict[datetime, Tally]:
    """One bucket, so many minutes after noon."""
    return {bucket_start(minutes(minute)): Tally(success, failure)}


def spread(total: int, start: datetime, end: datetime) -> dict[datetime, Tally]:
    """So many successes, all in the first of the buckets that begin in [start, end), which are all there."""
    found: dict[datetime, Tally] = {}
    at = bucket_start(start)
    while at < end:
        found[at] = Tally(total if not found else 0)
        at += BUCKET
    return found
