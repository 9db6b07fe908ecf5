"""What rules could see of a device in its beats, at any time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.beat import Beat, metric_value, metric_words
from app.domain.conditions.absence import absence_after, observe_absence
from app.domain.conditions.incidents import Incident
from app.domain.conditions.metric import observe_gauge, observe_window
from app.domain.conditions.observation import Nothing, Seen
from app.domain.conditions.words import duration
from app.domain.counts import BUCKET
from app.domain.device import Device
from app.domain.rule import AbsenceCondition, MetricCondition, NoDataPolicy, Rule, RuleState

_MOMENT = timedelta(milliseconds=1)


class AbsenceHistory:
    """For rules of absence. Our own gaps in taking beats are not kept: in a replay they are silence like any other."""

    def __init__(self, condition: AbsenceCondition, device: Device, heard: Sequence[datetime]) -> None:
        """`heard`: when beats came, in any order."""
        self._condition = condition
        self._device = device
        self._after = timedelta(seconds=absence_after(condition, device))
        self._heard = sorted(heard)
        later = self._heard[1:]
        self._ends = [at for at, then in zip(self._heard, later, strict=False) if then - at > self._after] + self._heard[-1:]

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        heard = bisect_right(self._heard, now)
        if heard == 0 or self._heard[heard - 1] + self._after <= now:
            return self._heard[heard] if heard < len(self._heard) else None
        # The next beat behind which there is a silence that is too long.
        end = bisect_right(self._ends, now - self._after)
        return self._ends[end] + self._after if end < len(self._ends) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        heard = bisect_right(self._heard, now)
        if heard == 0:
            return []
        device = msgspec.structs.replace(self._device, last_seen=self._heard[heard - 1], retired_at=None)
        seen = observe_absence(self._condition, device, None, now)
        return [] if seen is None else [seen]


class GaugeHistory:
    """For rules of metrics that look at the newest value.

    A tick reads `overlap` back behind the one before it; what it reads twice is judged once, but the device is looked at.
    Before `coarse_until` a beat stands for five minutes, which is then no silence.
    """

    def __init__(
        self, rule: Rule, device: Device, beats: Sequence[Beat], overlap: timedelta, coarse_until: datetime | None = None
    ) -> None:
        assert isinstance(rule.condition, MetricCondition)
        self._rule = rule
        self._condition = rule.condition
        self._holds_for = timedelta(seconds=device.offline_after)
        self._overlap = overlap
        self._coarse_until = coarse_until
        self._beats = sorted(beats, key=_received)
        self._came = [beat.received_at for beat in self._beats]
        self._newest = _newest_of_each(self._beats)

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._came, now)
        if state is not None and count and self._came[count - 1] > now - self._overlap:
            return now + _MOMENT
        return self._came[count] if count < len(self._came) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        known, count = bisect_right(self._came, since - self._overlap), bisect_right(self._came, now)
        if count == 0:
            return []
        # Without news the last beat is what counts.
        beats = self._beats[known:count] or [self._beats[self._newest[count - 1]]]
        heard_at = None if state is None or self._rule.no_data is NoDataPolicy.KEEP else state.heard_at
        return observe_gauge(self._condition, beats, now, self._holds(beats[-1]), heard_at)

    def _holds(self, beat: Beat) -> timedelta:
        is_coarse = self._coarse_until is not None and beat.received_at <= self._coarse_until
        return max(self._holds_for, BUCKET + _MOMENT) if is_coarse else self._holds_for


class WindowHistory:
    """For rules of metrics over a window."""

    def __init__(self, rule: Rule, beats: Sequence[Beat]) -> None:
        assert isinstance(rule.condition, MetricCondition)
        self._condition = rule.condition
        self._window = timedelta(seconds=rule.condition.window_sec)
        self._came = sorted(beat.received_at for beat in beats)
        values = [(beat, metric_value(beat, rule.condition.metric)) for beat in sorted(beats, key=_placed)]
        self._values = [(beat.received_at, value) for beat, value in values if value is not None]
        self._times = [beat.timestamp for beat, value in values if value is not None]

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._came, now)
        news = self._came[count] if count < len(self._came) else None
        if state is None:
            return news
        # While there is anything to remember, also when a value leaves the window.
        first = bisect_right(self._times, now - self._window)
        leaves = self._times[first] + self._window if first < len(self._times) else None
        return min((at for at in (news, leaves) if at is not None), default=None)

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Incident]) -> Sequence[Seen]:
        first, behind = bisect_right(self._times, now - self._window), bisect_right(self._times, now)
        seen = observe_window(self._condition, [value for came, value in self._values[first:behind] if came <= now], now)
        if seen is not None:
            return [seen]
        return [Nothing(reason=f"no {metric_words(self._condition.metric)} in {duration(self._condition.window_sec)}")]


def _received(beat: Beat) -> datetime:
    return beat.received_at


def _placed(beat: Beat) -> datetime:
    return beat.timestamp


def _newest_of_each(beats: Sequence[Beat]) -> list[int]:
    """Of all beats up to each place, the place of the one with the latest time of its own."""
    newest: list[int] = []
    for place, beat in enumerate(beats):
        newest.append(newest[-1] if newest and beats[newest[-1]].timestamp > beat.timestamp else place)
    return newest
