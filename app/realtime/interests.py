"""Which streams an event concerns: they are filed by what they ask for, and an event looks only where its streams can be."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from app.domain.alert import AlertEvent
from app.domain.alert_filter import AlertFilter, event_matches
from app.domain.subject import SubjectKind
from app.domain.tenant import Scope, lanes_of
from app.realtime.ring import Ring
from app.realtime.thresholds import Thresholds

BOOKMARK_AFTER_EVENTS = 1_000
_MOST_PLACES = 256
"""A filter that names more is filed by its tenants alone."""

Key = TypeVar("Key")
Place = tuple[str | None, str, str]
"""A tenant, None for all; a kind of thing, and which: `("acme", "device", "till-1")`."""


class Log(Protocol):
    """The head of the record."""

    positions: dict[int, int]
    ring: Ring


@dataclass(frozen=True, slots=True)
class Standing:
    """A place in the record: what comes next has this index in the ring."""

    index: int
    positions: Mapping[int, int]


class Interest:
    """Of one stream. While it rests at the head, what cannot concern it passes by without a look at it."""

    def __init__(self, interests: "Interests", scope: Scope, chosen: AlertFilter) -> None:
        self.scope = scope
        self.chosen = chosen
        self.lanes = lanes_of(scope)
        self.news = asyncio.Event()
        """Set when there is something to look at."""
        self.alive = True
        self.resting = False
        self._since: Mapping[int, int] = {}
        self._passed_over = 0
        self.due_at = math.inf
        self.filed_counts: dict[int, float] = dict.fromkeys(self.lanes, math.inf)
        self.filed_time = math.inf
        self._interests = interests
        self._standing: Standing | None = None

    async def rest(self, positions: Mapping[int, int], passed_over: int, due_at: float) -> Standing:
        """Until there is something to look at from the place that it gives, or `news` is set for another reason.

        `positions` are those of the head, before which so many events passed that did not concern it. When there are enough of them,
        and at `due_at` (seconds of the hub's clock) if there are any, there is something to look at as well.
        """
        self._since, self._passed_over, self.due_at = dict(positions), passed_over, due_at
        self._standing, self.resting = None, True
        self._interests.file_thresholds(self)
        try:
            await self.news.wait()
        finally:
            self.resting = False
        return self._reached()

    def _reached(self) -> Standing:
        # Woken for another reason: nothing that passed by was of any concern.
        return self._interests.head(self) if self._standing is None else self._standing

    def passed(self, positions: Mapping[int, int]) -> int:
        """How many events did not concern it, if the record has grown to these positions."""
        return self._passed_over + sum(positions[lane] - self._since[lane] for lane in self.lanes)

    def share(self, positions: Mapping[int, int]) -> int:
        """Before enough have passed in all of its lanes, so many more have in one of them."""
        return math.ceil((BOOKMARK_AFTER_EVENTS - self.passed(positions)) / len(self.lanes))

    def wake(self, standing: Standing) -> None:
        if self.resting:
            self.resting, self._standing = False, standing
            self.news.set()

    def concerns(self, event: AlertEvent) -> bool:
        return self.scope.covers(event.tenant_id) and event_matches(self.chosen, event)


class Interests:
    """Those of a process."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._filed: dict[Place, dict[Interest, None]] = {}
        self._by_lane: dict[int, dict[Interest, None]] = {}
        self._counts: dict[int, Thresholds[Interest]] = {}
        self._times: Thresholds[Interest] = Thresholds()
        self._overdue: dict[int, dict[Interest, None]] = {}
        self.looks = 0
        """How often a filter was held against an event."""

    @contextmanager
    def of(self, scope: Scope, chosen: AlertFilter) -> Iterator[Interest]:
        interest = Interest(self, scope, chosen)
        places = places_of(scope, chosen)
        for place in places:
            self._filed.setdefault(place, {})[interest] = None
        for lane in interest.lanes:
            self._by_lane.setdefault(lane, {})[interest] = None
        try:
            yield interest
        finally:
            interest.alive = False
            for place in places:
                _take_out(self._filed, place, interest)
            for lane in interest.lanes:
                _take_out(self._by_lane, lane, interest)
                self._overdue.get(lane, {}).pop(interest, None)

    def resting_in(self, lane: int) -> int:
        """How many streams follow a lane without being looked at."""
        return sum(interest.resting for interest in self._by_lane.get(lane, ()))

    def head(self, interest: Interest) -> Standing:
        return Standing(self._log.ring.end, {lane: self._log.positions[lane] for lane in interest.lanes})

    def publish(self, lane: int, before: Standing, events: Sequence[AlertEvent], *, whole: bool) -> None:
        """A lane has grown from `before` by these events; not `whole` where some of them are lost."""
        if not whole:
            for interest in list(self._by_lane.get(lane, ())):
                self._wake(interest, lane, before)
            return
        for event in events:
            for place in places_in(event):
                for interest in self._filed.get(place, ()):
                    if interest.resting:
                        self.looks += 1
                        if interest.concerns(event):
                            self._wake(interest, lane, before)
        for interest in self._overdue.pop(lane, ()):
            self._wake(interest, lane, before)
        self._look_at_counts(lane, before)

    def sweep(self, now: float) -> None:
        """Wakes those by whom something passed, and whose time has come; the others when next something passes."""
        for interest in self._times.reached(now):
            interest.filed_time = math.inf
            if not interest.resting:
                continue
            if interest.due_at > now:
                self._file_time(interest)
            elif interest.passed(self._log.positions):
                interest.wake(self.head(interest))
            else:
                for lane in interest.lanes:
                    self._overdue.setdefault(lane, {})[interest] = None

    def wake_all(self) -> None:
        for interests in self._by_lane.values():
            for interest in interests:
                interest.news.set()

    def file_thresholds(self, interest: Interest) -> None:
        """Once for each: what is filed stays until it is reached, and only then it is seen whether it still holds."""
        share = interest.share(self._log.positions)
        for lane in interest.lanes:
            if self._log.positions[lane] + share < interest.filed_counts[lane]:
                self._file_count(interest, lane, self._log.positions[lane] + share)
        if interest.due_at < interest.filed_time:
            self._file_time(interest)

    def _file_count(self, interest: Interest, lane: int, at: int) -> None:
        interest.filed_counts[lane] = at
        self._counts.setdefault(lane, Thresholds()).put(at, interest)

    def _file_time(self, interest: Interest) -> None:
        interest.filed_time = interest.due_at
        self._times.put(interest.due_at, interest)

    def _look_at_counts(self, lane: int, before: Standing) -> None:
        head = self._log.positions[lane]
        for interest in self._counts[lane].reached(head) if lane in self._counts else ():
            interest.filed_counts[lane] = math.inf
            if not interest.resting:
                continue
            share = interest.share(self._log.positions)
            if share <= 0:
                self._wake(interest, lane, before)
            else:
                self._file_count(interest, lane, head + share)

    def _wake(self, interest: Interest, lane: int, before: Standing) -> None:
        """It looks from where only this lane has grown: what came before in the others was none of its concern."""
        positions = {one: self._log.positions[one] for one in interest.lanes}
        interest.wake(Standing(before.index, positions | {lane: before.positions[lane]}))


def places_of(scope: Scope, chosen: AlertFilter) -> list[Place]:
    """Where a stream is filed: under its narrowest list, for each tenant, and once where the list says something twice."""
    tenants: Sequence[str | None] = [None] if scope.tenant_ids is None else sorted(scope.tenant_ids)
    lists: dict[str, Sequence[str]] = {
        "device": chosen.device_ids,
        "store": chosen.store_ids,
        "rule": chosen.rule_keys,
        "severity": [severity.value for severity in chosen.severity],
    }
    for kind, listed in lists.items():
        names = dict.fromkeys(listed)
        if names and len(names) * len(tenants) <= _MOST_PLACES:
            return [(tenant, kind, name) for tenant in tenants for name in names]
    return [(tenant, "", "") for tenant in tenants]


def places_in(event: AlertEvent) -> list[Place]:
    """Where streams are filed that may want an event."""
    alert = event.alert
    kinds = {("", ""), ("rule", alert.rule_key), ("severity", alert.severity.value)}
    if event.before is not None:
        kinds.add(("severity", event.before.severity.value))
    if alert.store_id is not None:
        kinds.add(("store", alert.store_id))
    if alert.subject_kind is SubjectKind.DEVICE:
        kinds.add(("device", alert.subject_id))
    return [(tenant, kind, name) for tenant in (alert.tenant_id, None) for kind, name in kinds]


def _take_out(filed: dict[Key, dict[Interest, None]], key: Key, interest: Interest) -> None:
    filed[key].pop(interest, None)
    if not filed[key]:
        del filed[key]
