"""What rules could see of a device in its beats, at any time in the past. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.beat import Beat, metric_value
from app.domain.conditions.absence import absence_after, observe_absence
from app.domain.conditions.metric import observe_beats, observe_window
from app.domain.conditions.observation import Nothing, Seen
from app.domain.device import Device
from app.domain.rule import AbsenceCondition, MetricCondition, NoDataPolicy, Rule, RuleState


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

    def look(self, since: datetime, now: datetime, state: RuleState | None) -> Sequence[Seen]:
        heard = bisect_right(self._heard, now)
        if heard == 0:
            return []
        device = msgspec.structs.replace(self._device, last_seen=self._heard[heard - 1], retired_at=None)
        seen = observe_absence(self._condition, device, None, now)
        return [] if seen is None else [seen]


class GaugeHistory:
    """For rules of metrics that look at the newest value."""

    def __init__(self, rule: Rule, condition: MetricCondition, device: Device, beats: Sequence[Beat]) -> None:
        self._rule = rule
        self._condition = condition
        self._patience = timedelta(seconds=device.offline_after)
        self._beats = sorted(beats, key=_received)
        self._came = [beat.received_at for beat in self._beats]
        self._newest = _newest_of_each(self._beats)
        self._told = _latest_told(self._beats, condition.metric)

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._came, now)
        news = self._came[count] if count < len(self._came) else None
        if state is None or self._rule.no_data is NoDataPolicy.KEEP:
            return news
        told = self._told[count - 1] if count else None
        silent = None if told is None else told + self._patience
        return min((at for at in (news, silent) if at is not None and at > now), default=None)

    def look(self, since: datetime, now: datetime, state: RuleState | None) -> Sequence[Seen]:
        known, count = bisect_right(self._came, since), bisect_right(self._came, now)
        if count == 0:
            return []
        seen: Sequence[Seen] = []
        if count > known:
            seen = observe_beats(self._condition, self._beats[known:count], now)
        elif self._came[count - 1] + self._patience > now:
            # Without news the last beat is what counts, while the device is there.
            seen = observe_beats(self._condition, [self._beats[self._newest[count - 1]]], now)
        return seen or silence(self._rule, self._condition, self._told[count - 1], self._patience, now)


class WindowHistory:
    """For rules of metrics over a window."""

    def __init__(self, rule: Rule, condition: MetricCondition, device: Device, beats: Sequence[Beat]) -> None:
        self._rule = rule
        self._condition = condition
        self._patience = timedelta(seconds=device.offline_after)
        self._window = timedelta(seconds=condition.window_sec)
        self._came = sorted(beat.received_at for beat in beats)
        placed = sorted(beats, key=lambda beat: beat.timestamp)
        self._values = [
            (beat.received_at, value) for beat in placed if (value := metric_value(beat, condition.metric)) is not None
        ]
        self._times = [beat.timestamp for beat in placed if metric_value(beat, condition.metric) is not None]
        self._told = _latest_told(sorted(beats, key=_received), condition.metric)

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        count = bisect_right(self._came, now)
        wakes = [self._came[count] if count < len(self._came) else None]
        if state is not None:
            # While there is anything to remember, also when a value leaves the window.
            first = bisect_right(self._times, now - self._window)
            wakes.append(self._times[first] + self._window if first < len(self._times) else None)
            told = self._told[count - 1] if count else None
            wakes.append(None if told is None else told + self._patience)
        return min((at for at in wakes if at is not None and at > now), default=None)

    def look(self, since: datetime, now: datetime, state: RuleState | None) -> Sequence[Seen]:
        first, behind = bisect_right(self._times, now - self._window), bisect_right(self._times, now)
        values = [value for came, value in self._values[first:behind] if came <= now]
        seen = observe_window(self._condition, values, now)
        count = bisect_right(self._came, now)
        if seen is not None or count == 0:
            return [] if seen is None else [seen]
        return silence(self._rule, self._condition, self._told[count - 1], self._patience, now)


def silence(
    rule: Rule, condition: MetricCondition, told: datetime | None, patience: timedelta, now: datetime
) -> Sequence[Nothing]:
    """What a rule that does not keep its alerts through silence sees of a gauge that was last told of at `told`."""
    if rule.no_data is NoDataPolicy.KEEP or told is None or now - told < patience:
        return []
    return [Nothing(at=now, reason=f"no {condition.metric} for {(now - told).total_seconds():.0f} s")]


def _received(beat: Beat) -> datetime:
    return beat.received_at


def _newest_of_each(beats: Sequence[Beat]) -> list[int]:
    """Of all beats up to each place, the place of the one with the latest time of its own."""
    newest: list[int] = []
    for place, beat in enumerate(beats):
        newest.append(newest[-1] if newest and beats[newest[-1]].timestamp > beat.timestamp else place)
    return newest


def _latest_told(beats: Sequence[Beat], metric: str) -> list[datetime | None]:
    """Up to each place, when the gauge last came."""
    told: list[datetime | None] = []
    for beat in beats:
        came = metric_value(beat, metric) is not None
        told.append(beat.received_at if came else told[-1] if told else None)
    return told
