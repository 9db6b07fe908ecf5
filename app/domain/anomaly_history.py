"""What rules of anomalies could see of a gauge in its five minutes, at any time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.conditions.anomaly import (
    GRACE,
    HORIZONS,
    Point,
    Sample,
    judged_hour,
    judged_until,
    like_hours,
    observe_buckets,
    without_incidents,
)
from app.domain.conditions.incidents import Incident
from app.domain.conditions.observation import Seen
from app.domain.counts import BUCKET
from app.domain.rule import AnomalyCondition, RuleState


class AnomalyHistory:
    """Over what the five minutes came to in the end: a beat that came late is in them from the beginning."""

    def __init__(self, condition: AnomalyCondition, samples: Mapping[datetime, Sample], zone: ZoneInfo) -> None:
        self._condition = condition
        self._samples = samples
        self._starts = sorted(samples)
        self._zone = zone
        self._reach = timedelta(seconds=HORIZONS * condition.window_sec)

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        """After each five minutes, for as long as there is anything in the longer horizon."""
        if not self._starts:
            return None
        first = self._starts[0] + BUCKET + GRACE
        if now < first:
            return first
        end = judged_until(now)
        if self._starts[bisect_right(self._starts, end) - 1] >= end + BUCKET - self._reach:
            return end + BUCKET + GRACE
        place = bisect_right(self._starts, end - BUCKET)
        return self._starts[place] + BUCKET + GRACE if place < len(self._starts) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        end = judged_until(now)
        if end <= judged_until(since):
            return []
        recent = self._between(end - self._reach, end)
        if not recent:
            return []
        starts = like_hours(judged_hour(now), self._zone, self._condition.baseline_days)
        usual = [Point(at, self._samples[at].mean) for at in starts if at in self._samples]
        return [observe_buckets(self._condition, recent, without_incidents(usual, troubles), now, self._zone)]

    def _between(self, start: datetime, end: datetime) -> dict[datetime, Sample]:
        first, behind = bisect_right(self._starts, start - BUCKET), bisect_right(self._starts, end - BUCKET)
        return {at: self._samples[at] for at in self._starts[first:behind] if start <= at < end}
