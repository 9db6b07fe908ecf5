"""How many messages a history of alerts would bring each recipient, by the channels and preferences of today. Pure.

It goes as the courier goes, but nothing fails and nobody is slow: every message arrives at its first try. What a person's quiet
hours hold back is one message at their end, of what still matters; what comes in a burst is told in few.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from app.domain.alert import SEVERITY_RANK, Alert, AlertEvent, AlertEventType, AlertStatus, Severity
from app.domain.channel import Channel
from app.domain.delivery import DeliveryStatus
from app.domain.pace import MOST_IN_BUNDLE, is_paced, not_before, recent_of
from app.domain.preferences import Hold, Preferences, hold
from app.domain.replay import ReplayedAlert
from app.domain.rule import Rule
from app.domain.subject import Subject, SubjectKind
from app.domain.telling import Book, tellings

Span = tuple[datetime, datetime]
Place = tuple[SubjectKind, str | None]
"""The kind of what an alert is about, and its store where that matters."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A shared channel, each address of which is told the same, or a person by the first of their own channels.

    `alerts` are those that it hears of; they are the same ones for all of the same `places`.
    """

    channel: Channel
    preferences: Preferences | None
    alerts: Sequence[ReplayedAlert]
    places: frozenset[Place]

    @property
    def alike(self) -> object:
        """The same for those who are told the same at the same times."""
        wanted = self.preferences
        holds = None if wanted is None else (wanted.quiet_hours, wanted.digest_sec)
        return is_paced(self.channel.kind), holds, self.places


def opening_of(rule: Rule, subject: Subject, at: datetime) -> AlertEvent:
    """An opening as the rule would write it, as far as who is told hangs on it."""
    alert = Alert(
        id="foretold",
        tenant_id=subject.tenant_id,
        rule_key=rule.key,
        dedup_key="",
        subject_kind=subject.kind,
        subject_id=subject.id,
        store_id=subject.store_id,
        severity=rule.severity,
        severity_rank=SEVERITY_RANK[rule.severity],
        status=AlertStatus.OPEN,
        live=True,
        title=f"{rule.name}: {subject.name}",
        message="",
        first_seen=at,
        last_seen=at,
    )
    kind = AlertEventType.OPENED
    return AlertEvent(
        id=alert.id, lane=subject.lane, seq=0, tenant_id=alert.tenant_id, alert_id=alert.id, type=kind, at=at, alert=alert
    )


def recipients(book: Book, rule: Rule, alerts: Sequence[ReplayedAlert]) -> list[Recipient]:
    """Whoever hears of one of the alerts at least. What is muted is told nobody."""
    named = {store_id for person in book.people for store_id in person.preferences.store_ids}
    places: dict[Place, list[ReplayedAlert]] = {}
    for alert in alerts:
        if alert.muted is None:
            places.setdefault(_place(alert.subject, named), []).append(alert)
    heard: dict[tuple[str, str | None], list[Place]] = {}
    for place, there in places.items():
        # Who hears of it hangs on the severity, which is the rule's, and on the place.
        opening = opening_of(rule, there[0].subject, there[0].fired_at)
        rows = tellings(opening, book, rule, {}, opening.at, timedelta(0))
        for key in dict.fromkeys((one.channel_id, one.user_id) for one in rows if one.status is not DeliveryStatus.SKIPPED):
            heard.setdefault(key, []).append(place)
    people = {person.id: person.preferences for person in book.people}
    return [
        Recipient(channel, people.get(user_id or ""), [one for place in of for one in places[place]], frozenset(of))
        for (channel_id, user_id), of in heard.items()
        if (channel := book.channel(channel_id)) is not None
    ]


def _place(subject: Subject, named: Collection[str]) -> Place:
    """A store matters where somebody named it; the others are alike."""
    store_id = subject.store_id
    matters = store_id in named or f"{subject.tenant_id}:{store_id}" in named
    return subject.kind, store_id if matters else None


class _Step(NamedTuple):
    """Something at a time: an end is written (`due` false), or a telling may go. `at` is when its event was."""

    when: datetime
    due: bool
    at: datetime
    place: int
    ends: bool
    held: bool = False


@dataclass(slots=True)
class Foretelling:
    """The messages to one recipient that carry at least one telling of `span`: `run` adds to `times` when they go."""

    recipient: Recipient
    severity: Severity
    span: Span
    times: list[datetime] = field(default_factory=list)
    _steps: list[_Step] = field(default_factory=list)
    _told: set[int] = field(default_factory=set)
    _over: set[int] = field(default_factory=set)
    _waiting: dict[int, _Step] = field(default_factory=dict)
    _sent: tuple[datetime, ...] = ()
    _holds: dict[datetime, Hold | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, alert in enumerate(self.recipient.alerts):
            self._steps.append(self._due(alert.fired_at, place, ends=False))
            if (at := alert.resolved_at) is not None:
                self._steps.append(_Step(at, False, at, place, True))
        heapify(self._steps)

    def run(self, most_steps: int | None = None) -> bool:
        """Goes on for about so many steps; whether there is more to come."""
        done = 0
        while self._steps and (most_steps is None or done < most_steps):
            step = self._steps[0]
            if step.due:
                done += self._look(step.when)
            else:
                heappop(self._steps)
                self._end(step)
                done += 1
        return bool(self._steps)

    def _due(self, at: datetime, place: int, *, ends: bool) -> _Step:
        if at not in self._holds:
            wanted = self.recipient.preferences
            self._holds[at] = None if wanted is None else hold(wanted, self.severity, at)
        held = self._holds[at]
        return _Step(at if held is None else held.until, True, at, place, ends, held is not None)

    def _end(self, step: _Step) -> None:
        """An end is told to who was told of the opening, and after that."""
        due = self._due(step.at, step.place, ends=True)
        if step.place in self._told:
            heappush(self._steps, due)
        elif step.place not in self._over:
            self._waiting[step.place] = due

    def _look(self, now: datetime) -> int:
        """What the courier does at a time at which something is due; how many tellings it looked at."""
        due: list[_Step] = []
        while self._steps and self._steps[0].due and self._steps[0].when <= now:
            due.append(heappop(self._steps))
        if is_paced(self.recipient.channel.kind):
            self._turn(sorted(due, key=lambda one: (one.at, one.place, one.ends)), now)
        else:
            for one in due:
                if self._matters(one, now):
                    self._send([one], now)
        return len(due)

    def _turn(self, due: list[_Step], now: datetime) -> None:
        """The first of a burst by itself, what comes after it together."""
        if (at := not_before(self._sent, now)) > now:
            self._again(due, at)
            return
        recent = recent_of(self._sent, now)
        alone = len(due) == 1 or (not recent and not any(one.held for one in due))
        most = 1 if alone else MOST_IN_BUNDLE
        taken = [one for one in due[:most] if self._matters(one, now)]
        self._again(due[most:], now)
        if taken:
            self._sent = (*recent, now)
            # What waits behind a bundle goes with it.
            bundled = not alone or taken[0].held
            behind = [self._waiting.pop(one.place) for one in taken if bundled and one.place in self._waiting]
            self._send([*taken, *behind], now)

    def _again(self, steps: Sequence[_Step], when: datetime) -> None:
        for one in steps:
            heappush(self._steps, _Step(when, True, one.at, one.place, one.ends, one.held))

    def _matters(self, one: _Step, now: datetime) -> bool:
        """What was held back and is over by now is told no more, and neither is its end."""
        ended = self.recipient.alerts[one.place].resolved_at
        if one.ends or not one.held or ended is None or ended > now:
            return True
        self._over.add(one.place)
        self._waiting.pop(one.place, None)
        return False

    def _send(self, tellings: Sequence[_Step], now: datetime) -> None:
        start, end = self.span
        if any(start <= one.at <= end for one in tellings):
            self.times.append(now)
        for one in tellings:
            self._told.add(one.place)
            waiting = self._waiting.pop(one.place, None)
            if waiting is not None:
                heappush(self._steps, _Step(max(waiting.when, now), True, waiting.at, waiting.place, True, waiting.held))
