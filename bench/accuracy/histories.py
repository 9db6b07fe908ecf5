"""The month as the product's histories take it, and one history of its own.

A gauge has its 44,000 beats here without an object for each: where nothing is remembered, beats whose value is not over the
bound are passed over, as the sieve of the rule tick does with them, since they cannot open an alert.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from app.domain.beat import METRIC_FIELDS, Beat, HealthStatus
from app.domain.conditions.anomaly import Sample, sample_of
from app.domain.conditions.incidents import Incident as Trouble
from app.domain.conditions.metric import observe_beats, observe_window
from app.domain.conditions.observation import Nothing, Seen
from app.domain.count_history import Arrival
from app.domain.counts import bucket_start
from app.domain.rule import MetricCondition, RuleState
from app.domain.service import Service
from bench.accuracy.calendar import END, HISTORY, MINUTE, START
from bench.accuracy.events import Stream
from bench.accuracy.gauges import Gauge
from bench.accuracy.services import Turn

FIVE = 300
OVERLAP = 5.0
"""How far back a tick reads behind the one before it, in seconds."""


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


class GaugeSeen:
    """A gauge of every beat, for rules of its newest value and of a window of them."""

    def __init__(self, condition: MetricCondition, gauge: Gauge, beats: "array[float]", offline_after: int) -> None:
        self._condition = condition
        self._gauge = gauge
        self._beats = beats
        self._offline_after = offline_after
        self._field = METRIC_FIELDS[condition.metric]
        self._hot = [beats[place] for place in gauge.over(condition.threshold, beats)]

    def wake(self, now: datetime, state: RuleState | None) -> datetime | None:
        times = self._hot if state is None else self._beats
        place = bisect_right(times, now.timestamp())
        return moment(times[place]) if place < len(times) else None

    def look(self, since: datetime, now: datetime, state: RuleState | None, troubles: Sequence[Trouble]) -> Sequence[Seen]:
        if self._condition.window_sec:
            return self._window(now)
        known, count = self._place(since.timestamp() - OVERLAP), self._place(now.timestamp())
        beats = [self._beat(at) for at in self._beats[min(known, count - 1) : count]]
        silence = (now - beats[-1].received_at).total_seconds()
        if silence >= self._offline_after:
            return [Nothing(reason=f"no {self._condition.metric} for {silence:.0f} s")]
        return observe_beats(self._condition, beats, now)

    def _window(self, now: datetime) -> Sequence[Seen]:
        first, count = self._place(now.timestamp() - self._condition.window_sec), self._place(now.timestamp())
        seen = observe_window(self._condition, [self._gauge.value(at) for at in self._beats[first:count]], now)
        return [Nothing(reason=f"no {self._condition.metric}") if seen is None else seen]

    def _place(self, at: float) -> int:
        return bisect_right(self._beats, at)

    def _beat(self, at: float) -> Beat:
        came = moment(at)
        beat = Beat(id="", tenant_id="", device_id="", lane=0, timestamp=came, received_at=came, expire_at=came)
        return msgspec.structs.replace(beat, **{self._field: self._gauge.value(at)})


def five_minutes(gauge: Gauge, beats: "array[float]") -> dict[datetime, Sample]:
    """The means of a gauge, also of the weeks before the month, of which a beat a minute is known."""
    means = {moment(at): sample_of([gauge.value(at + 30 + n * MINUTE) for n in range(5)]) for at in range(HISTORY, START, FIVE)}
    for at in range(START, END, FIVE):
        came = beats[bisect_left(beats, at) : bisect_left(beats, at + FIVE)]
        if came:
            means[moment(at)] = sample_of([gauge.value(one) for one in came])
    return means


def arrivals(stream: Stream) -> list[Arrival]:
    """Events as they came, each by itself and at once."""
    made = []
    for at, failed in zip(stream.times, stream.failed, strict=True):
        came = moment(at)
        made.append(Arrival(came, bucket_start(came), 1 - failed, failed))
    return made


def checked(service: Service, turns: Sequence[Turn]) -> list[Service]:
    """A service as each turn left it."""
    return [
        msgspec.structs.replace(service, status=HealthStatus(turn.status), since=moment(turn.at), changed_at=moment(turn.at))
        for turn in turns
    ]
