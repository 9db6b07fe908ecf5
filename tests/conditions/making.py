"""Counts and times for tests of conditions."""

from datetime import datetime, timedelta

from app.domain.counts import Tally, bucket_start
from tests.domain.making import NOON


def minutes(count: float) -> datetime:
    """So many minutes after noon, on a Monday in March."""
    return NOON + timedelta(minutes=count)


def bucket(minute: int, success: int = 0, failure: int = 0) -> dict[datetime, Tally]:
    """One bucket, so many minutes after noon."""
    return {bucket_start(minutes(minute)): Tally(success, failure)}
