"""Late truth: what a backlog says of an outage that was judged without it. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from app.domain.beat import Beat


def disproof(first_seen: datetime, end: datetime, after_sec: float, beats: Sequence[Beat]) -> str | None:
    """Why an outage was none, from all beats around it; None where they do not cover the whole of it.

    Covered means: from the last beat before it (`after_sec` before `first_seen`) until its `end` there is no hole longer than
    the device's offline time. Without a late beat there is nothing new to say.
    """
    after = timedelta(seconds=after_sec)
    around = [beat for beat in beats if first_seen - after <= beat.timestamp <= end]
    late = sum(1 for beat in around if beat.late)
    times = [first_seen - after, *sorted(beat.timestamp for beat in around), end]
    if not late or any(later - earlier > after for earlier, later in pairwise(times)):
        return None
    what = "1 late heartbeat shows" if late == 1 else f"{late} late heartbeats show"
    return f"{what} that it was alive: the line was down, not the device"
