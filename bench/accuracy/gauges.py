"""What devices say: when they beat, and the six gauges of every beat.

Nothing is thinned out: each device has its 44,000 beats of the month, one a minute, and a value of every gauge for each. But a
value is only worked out when it is asked for, and `Gauge.over` knows of whole hours that no value in them is over a bound:
the noise of an hour is drawn at once, its largest is found at once, and the season moves slowly.
"""

import math
import random
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from bench.accuracy.calendar import DAY, END, HISTORY, HOUR, MINUTE, START, busy, local
from bench.accuracy.fleet import Machine, Shop
from bench.accuracy.incidents import Incident, Level, Silence, Times

GAUGES = ("cpu", "memory", "disk", "lag", "latency", "errors")
HOURS = (END - HISTORY) // HOUR

BEAT_EVERY = 60
JITTER = 2.0
RETRY = 5.0
"""A beat that does not get through is sent again every five seconds until it does."""

_Z = array("d", (NormalDist().inv_cdf((n + 0.5) / 65_536) for n in range(65_536)))
"""Two bytes of chance to a normal deviate: up to 4.3 standard deviations either way."""

_SPIKES = {
    "cpu": (92, 100, 200),
    "memory": (86, 95, 200),
    "lag": (30, 80, 240),
    "latency": (1_100, 3_000, 100),
    "errors": (0.06, 0.3, 200),
}
"""Harmless: from, to, and the longest in seconds, shorter than the rule waits; where it does not wait, under its bound."""

_SPIKE_EVERY = 10 * DAY
_BREAK_EVERY = DAY // 2
_LINE_BREAK_EVERY = 5 * DAY
_LONGEST_BREAK = 50.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to `end` a gauge is at `level`, or `factor` times what it would be."""

    start: float
    end: float
    level: float | None
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge of one device: the season hour by hour, noise minute by minute, and what happens to it.

    `spread` is the noise's standard deviation: in the gauge's own unit, or, where `grows`, in logarithms.
    """

    season: Sequence[float]
    noise: memoryview
    spread: float
    grows: bool
    stretches: Sequence[Stretch] = field(default=())

    def value(self, at: float) -> float:
        minute = int((at - HISTORY) // MINUTE)
        deviate = _Z[self.noise[minute]]
        for one in self.stretches:
            if one.start <= at < one.end and one.level is not None:
                return one.level * (1 + 0.006 * deviate)
        hour, into = divmod(minute, 60)
        usual = self.season[hour] + (self.season[hour + 1] - self.season[hour]) * into / 60
        for one in self.stretches:
            if one.start <= at < one.end:
                usual *= one.factor
        return self._noisy(usual, deviate)

    def over(self, bound: float, beats: Sequence[float]) -> list[int]:
        """The places of those beats whose value is over a bound."""
        found: list[int] = []
        first = int((START - HISTORY) // HOUR)
        special = {hour for one in self.stretches for hour in range(_hour_of(one.start), _hour_of(one.end) + 1)}
        noise, season = self.noise, self.season
        for hour in range(first - 1, HOURS):
            top = max(season[hour + 1], season[hour])
            if hour in special or self._noisy(top, _Z[max(noise[hour * 60 : hour * 60 + 60])]) > bound:
                begin = HISTORY + hour * HOUR
                places = range(bisect_left(beats, begin), bisect_left(beats, begin + HOUR))
                found += [place for place in places if self.value(beats[place]) > bound]
        return found

    def _noisy(self, usual: float, deviate: float) -> float:
        return usual * math.exp(self.spread * deviate) if self.grows else usual + self.spread * deviate


def _hour_of(at: float) -> int:
    return int((at - HISTORY) // HOUR)


class Telemetry:
    """Everything that one device says. `beats` are the times when its beats come, oldest first."""

    def __init__(self, seed: int, shop: Shop, machine: Machine, incidents: Sequence[Incident]) -> None:
        self.machine = machine
        rng = random.Random(f"{seed}:{machine.id}:beats")
        self.beats = _beats(rng, [*_breaks(rng, seed, shop), *_silences(machine, incidents)])
        self._make = (seed, shop, machine, incidents)
        self._gauges: dict[str, Gauge] = {}

    def gauge(self, name: str) -> Gauge:
        found = self._gauges.get(name)
        if found is None:
            found = self._gauges[name] = gauge(name, *self._make)
        return found


def gauge(name: str, seed: int, shop: Shop, machine: Machine, incidents: Sequence[Incident]) -> Gauge:
    rng = random.Random(f"{seed}:{machine.id}:{name}")
    noise = memoryview(rng.randbytes(2 * 60 * HOURS)).cast("H")
    season, spread, grows = _season(name, rng, shop, machine)
    stretches = [*_spikes(name, rng), *_troubles(name, machine, incidents)]
    return Gauge(season, noise, spread, grows, stretches)


def _season(name: str, rng: random.Random, shop: Shop, machine: Machine) -> tuple[list[float], float, bool]:
    """The usual values at the start of each hour, how noisy they are, and whether the noise grows with them."""
    if name == "disk":
        return _disk(rng, shop), 0.15, False
    if name == "cpu":
        level, swing, spread, grows = (35.0, 37.0, 4.0, False) if machine.hot else (rng.uniform(8, 25), 30.0, 5.0, False)
    elif name == "memory":
        level, swing, spread, grows = (73.0, 6.0, 1.2, False) if machine.hot else (rng.uniform(35, 65), 8.0, 1.0, False)
    elif name == "lag":
        level, swing, spread, grows = rng.uniform(3, 7), 5.0, 0.4, True
    elif name == "latency":
        level, swing, spread, grows = rng.uniform(80, 200), 120.0, 0.18, True
    else:
        level, swing, spread, grows = 0.003, 0.003, 0.5, True
    days = _days(rng, shop)
    return [level + swing * load * days[day] for load, day in _loads(shop)], spread, grows


def _loads(shop: Shop) -> Iterator[tuple[float, int]]:
    for hour in range(HOURS + 1):
        at = HISTORY + hour * HOUR
        yield busy(shop.zone, at, shop.opens, shop.closes), local(shop.zone, at)[0]


def _days(rng: random.Random, shop: Shop) -> dict[int, float]:
    """No day is quite like another."""
    first = local(shop.zone, HISTORY)[0]
    return {first + day: min(max(rng.gauss(1, 0.08), 0.8), 1.2) for day in range((END - HISTORY) // DAY + 2)}


def _disk(rng: random.Random, shop: Shop) -> list[float]:
    """Fills up all week, and is cleaned in the night to Monday."""
    start, a_week = rng.uniform(25, 70), rng.uniform(2, 9)
    filled = []
    for hour in range(HOURS + 1):
        _, weekday, on_the_wall = local(shop.zone, HISTORY + hour * HOUR)
        filled.append(start + a_week * (weekday + on_the_wall / 24) / 7 + 0.002 * hour)
    return filled


def _spikes(name: str, rng: random.Random) -> Iterator[Stretch]:
    if name not in _SPIKES:
        return
    low, high, longest = _SPIKES[name]
    at = HISTORY + rng.expovariate(1 / _SPIKE_EVERY)
    while at < END:
        yield Stretch(at, at + rng.uniform(20, longest), rng.uniform(low, high))
        at += longest + rng.expovariate(1 / _SPIKE_EVERY)


def _troubles(name: str, machine: Machine, incidents: Sequence[Incident]) -> Iterator[Stretch]:
    for one in incidents:
        effect = one.effect
        if isinstance(effect, Level) and (effect.machine, effect.gauge) == (machine.id, name):
            yield Stretch(one.start, one.end, effect.level)
        if isinstance(effect, Times) and (effect.machine, effect.gauge) == (machine.id, name):
            yield Stretch(one.start, one.end, None, effect.factor)


def _beats(rng: random.Random, mute: Sequence[tuple[float, float]]) -> "array[float]":
    """One a minute, a little off; what falls into a mute stretch comes at one of the retries, or never."""
    first = START - HOUR + rng.uniform(0, BEAT_EVERY)
    jitter = rng.randbytes((END - START + HOUR) // BEAT_EVERY)
    step = 2 * JITTER / 255
    beats = array("d", [first + BEAT_EVERY * place + step * byte - JITTER for place, byte in enumerate(jitter)])
    for start, end in sorted(mute):
        low, high = bisect_left(beats, start), bisect_right(beats, end)
        if low < high:
            again = beats[low] + RETRY * math.ceil((end - beats[low]) / RETRY)
            behind = beats[bisect_left(beats, again) :]
            beats = beats[:low]
            beats.append(again)
            beats.extend(behind)
    return beats


def _breaks(rng: random.Random, seed: int, shop: Shop) -> Iterator[tuple[float, float]]:
    """Short breaks: of the device alone, and of its shop's line."""
    yield from _times(rng, _BREAK_EVERY)
    yield from _times(random.Random(f"{seed}:{shop.id}:line"), _LINE_BREAK_EVERY)


def _times(rng: random.Random, every: float) -> Iterator[tuple[float, float]]:
    at = START + rng.expovariate(1 / every)
    while at < END:
        yield at, at + rng.uniform(5, _LONGEST_BREAK)
        at += rng.expovariate(1 / every)


def _silences(machine: Machine, incidents: Sequence[Incident]) -> Iterator[tuple[float, float]]:
    for one in incidents:
        if isinstance(one.effect, Silence) and machine.id in one.effect.machines:
            yield float(one.start), float(one.end)
