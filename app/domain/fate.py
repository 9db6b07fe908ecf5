"""Shared fate: devices of one store, gateway or version that fall silent together are one story, told once. Pure.

Devices beat at different phases, so those that a cut line takes at one moment miss their deadlines one after another, over
one beat interval. The window is as wide as that; what fell earlier is another story.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.alert import Alert
from app.domain.subject import SubjectKind
from app.domain.tenant import Tenant

SOURCE = "shared_fate"
"""`Alert.source` of a parent."""

DEFAULT_RATIO = 0.6
DEFAULT_MIN = 5
LEAST_WINDOW = timedelta(seconds=60)

HOLD = timedelta(seconds=30)
"""How long the telling waits for a parent that is about to open: longer than it takes to find what a killed sweep left."""

PRECEDENCE = (SubjectKind.STORE, SubjectKind.GATEWAY, SubjectKind.VERSION)


class FateThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From which share (0..1) and number of a group's devices on their silence is one story."""

    ratio: float = DEFAULT_RATIO
    min: int = DEFAULT_MIN

    def needed(self, total: int) -> int:
        # 60 % of 5 is 3, not a little more than that.
        return max(self.min, math.ceil(self.ratio * total - 1e-9))


def thresholds_of(tenant: Tenant) -> FateThresholds:
    return FateThresholds(ratio=tenant.shared_fate_ratio, min=tenant.shared_fate_min)


class Group(msgspec.Struct, frozen=True):
    """Devices that hang on the same thing. `id` is that of the store, the gateway or the version."""

    tenant_id: str
    kind: SubjectKind
    id: str

    @property
    def name(self) -> str:
        return f"{self.kind.value} {self.id}"


class Fallen(msgspec.Struct, frozen=True):
    """Devices of one place that missed their deadlines within one second, from `first` to `last`."""

    first: datetime
    last: datetime
    count: int
    store_id: str | None = None


class Suspects(msgspec.Struct, frozen=True):
    """Devices of one place that are silent for over half of their time: they missed a beat. `until`: their last deadline."""

    until: datetime
    count: int
    store_id: str | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the devices of a group stand under one rule: only those that were ever heard of and not retired count.

    What another parent explains is in `total` alone. `returned_at` is when the last one came back.
    """

    total: int
    fallen: tuple[Fallen, ...] = ()
    suspects: tuple[Suspects, ...] = ()
    returned_at: datetime | None = None


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is one story, of how many, and from when to when they missed their deadlines."""

    shared: bool
    reason: str
    missed: int
    total: int
    start: datetime
    end: datetime
    store_ids: frozenset[str | None]


def window_of(after_sec: float) -> timedelta:
    return max(LEAST_WINDOW, timedelta(seconds=after_sec / 2))


def decide(
    group: Group, standing: Standing, thresholds: FateThresholds, window: timedelta, news: Sequence[datetime]
) -> Fate | None:
    """The story of the window that holds most of the group among those that hold a deadline of `news`; None without any."""
    best = _fullest(sorted(standing.fallen, key=lambda one: one.last), window, sorted(news))
    if not best:
        return None
    missed, stores = _count(best), frozenset(one.store_id for one in best)
    enough = missed >= thresholds.needed(standing.total) and _is_spread(group, stores)
    said = f"{missed} of {standing.total} devices of {group.name} missed their deadlines within {window.total_seconds():.0f} s"
    return Fate(
        shared=enough,
        reason=said,
        missed=missed,
        total=standing.total,
        start=min(one.first for one in best),
        end=best[-1].last,
        store_ids=stores,
    )


def hold_until(
    group: Group, standing: Standing, thresholds: FateThresholds, after_sec: float, missed_at: datetime, now: datetime
) -> datetime | None:
    """Until when the telling of a first miss waits for its siblings; None where they are well.

    When the group has fallen already, its parent opens at once. When so many are merely suspect that the group may fall, it
    waits for the last of their deadlines, and for half the offline time at most.
    """
    fate = decide(group, standing, thresholds, window_of(after_sec), [missed_at])
    if fate is None:
        return None
    if fate.shared:
        return now + HOLD
    suspects = standing.suspects
    stores = fate.store_ids | {one.store_id for one in suspects}
    if fate.missed + sum(one.count for one in suspects) < thresholds.needed(standing.total) or not _is_spread(group, stores):
        return None
    last = max((one.until for one in suspects), default=now)
    return min(last, now + timedelta(seconds=after_sec / 2))


def back(
    group: Group, standing: Standing, thresholds: FateThresholds, window: timedelta, since: datetime, now: datetime
) -> str | None:
    """Why the outage that began at `since` is over for the group; None while it is not.

    Over means: nobody of it is missing. Or so few that it is no shared fate (fewer than asked for, or under half of the
    share that began it), and for one window nobody more has come back: who is still missing then has another reason.
    """
    missing = sum(one.count for one in standing.fallen if one.last >= since)
    if missing:
        few = missing < thresholds.min and missing < thresholds.ratio * standing.total
        if not few and missing >= thresholds.ratio * standing.total / 2:
            return None
        if standing.returned_at is not None and now - standing.returned_at < window:
            return None
    return f"{standing.total - missing} of {standing.total} devices of {group.name} are heard of again"


def groups_of(alert: Alert) -> list[Group]:
    """What the subject of an alert hangs on, in the order in which it explains best."""
    details = alert.details or {}
    ids: dict[SubjectKind, object] = {}
    if alert.subject_kind in (SubjectKind.DEVICE, SubjectKind.GATEWAY):
        ids[SubjectKind.STORE] = alert.store_id
    if alert.subject_kind is SubjectKind.DEVICE:
        ids |= {SubjectKind.GATEWAY: details.get("gatewayId"), SubjectKind.VERSION: details.get("appVersion")}
    return [Group(alert.tenant_id, kind, str(ids[kind])) for kind in PRECEDENCE if ids.get(kind)]


def is_told(alert: Alert, now: datetime) -> bool:
    """Whether people may be told of it: it is neither folded under a parent nor muted, and its telling is not held, or was
    until its end."""
    if alert.parent_id is not None or alert.muted_because is not None:
        return False
    return alert.telling_held_until is None or alert.telling_held_until <= (alert.resolved_at or now)


def _fullest(in_order: Sequence[Fallen], window: timedelta, news: Sequence[datetime]) -> Sequence[Fallen]:
    begin, held, most = 0, 0, 0
    found = (0, 0)
    for end, latest in enumerate(in_order, start=1):
        held += latest.count
        while in_order[begin].first < latest.last - window:
            held -= in_order[begin].count
            begin += 1
        after = bisect_left(news, in_order[begin].first)
        if held >= most and after < len(news) and news[after] <= latest.last:
            found, most = (begin, end), held
    return in_order[found[0] : found[1]]


def _count(fallen: Iterable[Fallen]) -> int:
    return sum(one.count for one in fallen)


def _is_spread(group: Group, store_ids: frozenset[str | None] | set[str | None]) -> bool:
    """What happens to a version in one store alone is the store's."""
    return group.kind is not SubjectKind.VERSION or len(store_ids) > 1 or store_ids == {None}
