"""What rules of counts could see of a place in its operational events, at any time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.conditions.incidents import Incident
from app.domain.conditions.observation import Seen, is_breach
from app.domain.conditions.outside_hours import closed_since, judged_moment, observe_outside_hours
from app.domain.conditions.ratio import USUAL, before_window, observe_ratio
from app.domain.conditions.spike import observe_spike
from app.domain.counts import BUCKET, Tally, bucket_start, in_window
from app.domain.rule import CountCondition, OutsideHoursCondition, RatioCondition, RuleState, SpikeCondition

_MOMENT = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


class Arrival(NamedTuple):
    """Events that came together, for the five minutes that begin at `start`."""

    received_at: datetime
    start: datetime
    success: int
    failure: int


class CountHistory:
    """Looks forward only: at each look the counts are those of what had come by then.

    A tick reads `overlap` back behind the one before it. `known_from` is when the tenant's counting began.
    """

    def __init__(
        self,
        condition: CountCondition,
        arrivals: Sequence[Arrival],
        zone: ZoneInfo,
        overlap: timedelta,
        known_from: datetime | None,
    ) -> None:
        self._condition = condition
        self._arrivals = sorted(arrivals)
        self._came = [arrival.received_at for arrival in self._arrivals]
        self._zone = zone
        self._overlap = overlap
        self._known_from = known_from
        self._buckets: dict[datetime, Tally] = {}
        self._counted = 0

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._came, now)
        if count and self._came[count - 1] > now - self._overlap:
            return now + _MOMENT
        return self._came[count] if count < len(self._came) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        count = bisect_right(self._came, now)
        is_due = state is not None and state.next_due is not None and state.next_due <= now
        if not is_due and (count == 0 or self._came[count - 1] <= since - self._overlap):
            return []
        self._count(count)
        condition = self._condition
        if isinstance(condition, RatioCondition):
            return [self._ratio(condition, now, troubles)]
        if isinstance(condition, OutsideHoursCondition):
            self._forget((closed_since(condition, judged_moment(condition, now, self._zone), self._zone) or now) - BUCKET)
            return [observe_outside_hours(condition, self._buckets, now, self._zone)]
        return [self._spike(condition, now, troubles)]

    def _ratio(self, condition: RatioCondition, now: datetime, troubles: Sequence[Incident]) -> Seen:
        reach = timedelta(seconds=condition.window_sec) if condition.chance is None else USUAL
        self._forget(now - reach - BUCKET)
        lately = self._lately(now, condition.window_sec)
        seen = observe_ratio(condition, lately, now)
        if condition.chance is None or not is_breach(seen):
            return seen
        return observe_ratio(condition, lately, now, before_window(condition, self._buckets, now, troubles))

    def _spike(self, condition: SpikeCondition, now: datetime, troubles: Sequence[Incident]) -> Seen:
        self._forget(now - (condition.baseline_days + 1) * _DAY - timedelta(seconds=condition.window_sec) - BUCKET)
        lately = self._lately(now, condition.window_sec)
        if in_window(lately, now, condition.window_sec).total < condition.min_count:
            return observe_spike(condition, lately, now, self._zone)
        return observe_spike(condition, self._buckets, now, self._zone, troubles, self._known_from)

    def _count(self, count: int) -> None:
        for arrival in self._arrivals[self._counted : count]:
            before = self._buckets.get(arrival.start, Tally())
            self._buckets[arrival.start] = Tally(before.success + arrival.success, before.failure + arrival.failure)
        self._counted = count

    def _forget(self, before: datetime) -> None:
        """What no later look can ask for; now and then, since it looks at every bucket."""
        if len(self._buckets) > 2 * self._most_kept():
            self._buckets = {start: tally for start, tally in self._buckets.items() if start >= before}

    def _most_kept(self) -> int:
        condition = self._condition
        if isinstance(condition, SpikeCondition):
            return (condition.baseline_days + 2) * (_DAY // BUCKET)
        usual = isinstance(condition, RatioCondition) and condition.chance is not None
        return (USUAL + _DAY if usual else _DAY) // BUCKET

    def _lately(self, now: datetime, window_sec: int) -> dict[datetime, Tally]:
        first = bucket_start(now - timedelta(seconds=window_sec))
        places = range((bucket_start(now) - first) // BUCKET + 1)
        return {at: tally for place in places if (tally := self._buckets.get(at := first + place * BUCKET)) is not None}
