"""Counts of operational events: five-minute buckets, and windows over them. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

BUCKET = timedelta(minutes=5)


class Tally(msgspec.Struct, frozen=True):
    """How many succeeded and how many failed."""

    success: int = 0
    failure: int = 0

    @property
    def total(self) -> int:
        return self.success + self.failure


Buckets = Mapping[datetime, Tally]
"""By the start of the bucket, in UTC."""


def bucket_start(at: datetime) -> datetime:
    """The five minutes that a moment belongs to."""
    return at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)


def in_window(buckets: Buckets, now: datetime, window_sec: int) -> Tally:
    """All of the buckets that overlap (now - window, now]."""
    after = now - timedelta(seconds=window_sec)
    inside = [tally for start, tally in buckets.items() if start + BUCKET > after and start <= now]
    return Tally(sum(one.success for one in inside), sum(one.failure for one in inside))


def next_boundary(now: datetime) -> datetime:
    """When time alone next changes a window of buckets."""
    return bucket_start(now) + BUCKET
