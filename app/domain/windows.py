"""Windows: what gauges said lately of the devices whose windows are looked at, kept from tick to tick. Pure.

A window is read once, when a device is first looked at; after that the feed of new beats brings it up to date, so that no tick
reads a window of beats again. What is kept is a copy: whoever has none, or one of another mark, reads anew.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.beat import METRIC_FIELDS

MOST_SAMPLES = 300_000
"""Most beats that are kept of one lane: what is more is read again."""

Pair = tuple[str, str]
"""Tenant and device."""

Reading = Mapping[str, Any]
"""A beat by its field names, as it is kept; `metrics` as a list of name and value."""


@dataclass(slots=True)
class _Kept:
    """The values of one device with a timestamp after `since`: by the id of the beat, its timestamp and its values."""

    since: datetime
    metrics: frozenset[str]
    samples: dict[str, tuple[datetime, dict[str, float]]] = field(default_factory=dict)
    used: bool = True

    def add(self, reading: Reading) -> None:
        at: datetime = reading["timestamp"]
        if at > self.since:
            values = {name: value for name in self.metrics if (value := _value(reading, name)) is not None}
            self.samples[reading["_id"]] = at, values


class LaneWindows:
    """What is kept of one lane, for one look at a time."""

    def __init__(self) -> None:
        self._devices: dict[Pair, _Kept] = {}
        self.whole = True

    def missing(self, wanted: Mapping[Pair, datetime], metrics: frozenset[str]) -> dict[Pair, datetime]:
        """Those of these devices whose values after that time are not all here. What older ones are here is dropped."""
        found: dict[Pair, datetime] = {}
        for pair, after in wanted.items():
            kept = self._devices.get(pair)
            if kept is None or kept.since > after or not metrics <= kept.metrics:
                found[pair] = after
                continue
            kept.used = True
            if kept.since < after:
                kept.since = after
                kept.samples = {key: sample for key, sample in kept.samples.items() if sample[0] > after}
        return found

    def put(self, pairs: Iterable[Pair], since: datetime, metrics: frozenset[str], readings: Iterable[Reading]) -> None:
        """All that these devices said after that time."""
        mine = {pair: _Kept(since, metrics) for pair in pairs}
        for reading in readings:
            mine[reading["tenant_id"], reading["device_id"]].add(reading)
        self._devices |= mine

    def add(self, readings: Iterable[Reading]) -> None:
        """What came since; a beat that is here already changes nothing."""
        devices = self._devices
        if devices:
            for reading in readings:
                kept = devices.get((reading["tenant_id"], reading["device_id"]))
                if kept is not None:
                    kept.add(reading)

    def values(self, pair: Pair, metric: str, after: datetime, until: datetime) -> list[float]:
        """What a gauge of a device said in (after, until], in no order."""
        samples = self._devices[pair].samples.values()
        return [values[metric] for at, values in samples if after < at <= until and metric in values]

    def shrink(self, most: int = MOST_SAMPLES) -> None:
        """Forgets the devices that were not looked at since the last time, and others while there are too many beats."""
        left = most
        devices: dict[Pair, _Kept] = {}
        for pair, kept in self._devices.items():
            left -= len(kept.samples)
            if kept.used and left >= 0:
                kept.used = False
                devices[pair] = kept
            else:
                left += len(kept.samples)
        self._devices = devices

    def __len__(self) -> int:
        return len(self._devices)


class Windows:
    """What one process keeps of all lanes. Another process may have looked at a lane since: then the mark is another one."""

    def __init__(self) -> None:
        self._lanes: dict[int, tuple[datetime, LaneWindows]] = {}

    def take(self, lane: int, mark: datetime | None) -> LaneWindows:
        """What was left when the lane had been looked at until `mark`, for one look alone; else nothing."""
        left, windows = self._lanes.pop(lane, (None, LaneWindows()))
        return windows if left is not None and left == mark else LaneWindows()

    def leave(self, lane: int, mark: datetime, windows: LaneWindows) -> None:
        """After a look at everything that came until `mark`."""
        if windows.whole:
            windows.shrink()
            self._lanes[lane] = mark, windows


def _value(reading: Reading, metric: str) -> float | None:
    field_name = METRIC_FIELDS.get(metric)
    if field_name is not None:
        value: float | None = reading.get(field_name)
        return value
    named: Collection[Mapping[str, Any]] = reading.get("metrics") or ()
    return next((one["value"] for one in named if one["name"] == metric), None)
