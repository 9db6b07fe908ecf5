"""Who is told of a transition of an alert, by which channels, and when. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.alert import SEVERITY_RANK, Alert, AlertEvent, AlertEventType, Resolution
from app.domain.channel import Channel, ChannelKind, WebhookFormat, public_name, wants
from app.domain.delivery import HANDED_OVER, NOT_OPENED, Delivery, DeliveryStatus, Line, NotYet, Skip, skipped, waiting_until
from app.domain.fate import is_told
from app.domain.preferences import Hold, Preferences, hold, skip_reason
from app.domain.rule import AbsenceCondition, Rule
from app.domain.subject import SubjectKind

BEGINS = (AlertEventType.OPENED, AlertEventType.UNGROUPED, AlertEventType.REOPENED)
"""From here on somebody should know: what was folded and is on its own again was told nobody."""

_ON_THE_WAY = (AlertEventType.ACKNOWLEDGED, AlertEventType.UNACKNOWLEDGED, AlertEventType.SEVERITY_CHANGED)
TOLD = (*BEGINS, *_ON_THE_WAY, AlertEventType.RESOLVED)
_NAMES = {
    AlertEventType.REOPENED: "alert.reopened",
    AlertEventType.ACKNOWLEDGED: "alert.acknowledged",
    AlertEventType.UNACKNOWLEDGED: "alert.unacknowledged",
    AlertEventType.SEVERITY_CHANGED: "alert.severity_changed",
}
_PROGRAMS = (ChannelKind.WEBHOOK, ChannelKind.PAGERDUTY)
"""They are told of everything; people only of what is new, worse or over."""

_HEARD_OF_AGAIN = (Resolution.RECOVERED, Resolution.LATE_HEARTBEATS)

Past = Mapping[Line, Delivery]
"""The telling of each line that the next one goes by: the newest, as a rule."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the tenant with channels of their own, in the order in which they are tried."""

    id: str
    preferences: Preferences
    channels: tuple[Channel, ...]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Who there is to tell in a tenant: its shared channels by id, which of them hear of what no rule sends elsewhere, and people.

    `everybody` are the ids of all people, whom an in-app channel that names nobody is for. `default_ids` None stands for every
    shared channel.
    """

    shared: Mapping[str, Channel]
    default_ids: tuple[str, ...] | None = None
    people: tuple[Person, ...] = ()
    everybody: tuple[str, ...] = ()

    def channel(self, channel_id: str) -> Channel | None:
        own = (channel for person in self.people for channel in person.channels if channel.id == channel_id)
        return self.shared.get(channel_id) or next(own, None)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient: the channel, why it is told, why it is not after all, and until when that is held."""

    channel: Channel
    reason: str
    address: str = ""
    user_id: str | None = None
    skip: str | None = None
    hold: Hold | None = None


def targets(book: Book, rule: Rule | None, alert: Alert, now: datetime) -> Iterator[Target]:
    """Everybody who is told when an alert opens."""
    for channel, reason in _shared(book, rule):
        skip = None if wants(channel, alert.severity) else f"the channel does not want severity {alert.severity.name}"
        for address in addresses_of(channel, book.everybody):
            yield Target(channel=channel, reason=reason, address=address, skip=skip)
    for person in book.people:
        yield from _own(person, alert, now)


def _shared(book: Book, rule: Rule | None) -> Iterator[tuple[Channel, str]]:
    named = [book.shared[one] for one in (rule.channel_ids if rule is not None else ()) if one in book.shared]
    default = list(book.shared) if book.default_ids is None else book.default_ids
    why = "a default channel of the tenant" if rule is None or not named else f"a channel of rule {rule.key}"
    seen = set[str]()
    for channel in named or [book.shared[one] for one in default if one in book.shared]:
        used, reason = _in_use(book, channel, why)
        if used is not None and used.id not in seen:
            seen.add(used.id)
            yield used, reason


def _in_use(book: Book, channel: Channel, why: str) -> tuple[Channel | None, str]:
    """The channel itself, or what stands in for one that was disabled because it failed."""
    passed = set[str]()
    while not channel.enabled:
        passed.add(channel.id)
        other = book.shared.get(channel.fallback_id or "") if channel.disabled_because is not None else None
        if other is None or other.id in passed:
            return None, why
        channel, why = other, f"stands in for {channel.name}, which is disabled: {channel.disabled_because}"
    return channel, why


def _own(person: Person, alert: Alert, now: datetime) -> Iterator[Target]:
    usable = [channel for channel in person.channels if channel.enabled]
    if not usable:
        return
    channel = usable[0]
    skip = skip_reason(person.preferences, alert)
    if skip is None and not wants(channel, alert.severity):
        skip = f"the channel does not want severity {alert.severity.name}"
    held = None if skip is not None else hold(person.preferences, alert.severity, now)
    for address in addresses_of(channel, (person.id,)):
        yield Target(
            channel=channel,
            reason=f"own channel of {person.id}, by their preferences",
            address=address,
            user_id=person.id,
            skip=skip,
            hold=held,
        )


def addresses_of(channel: Channel, everybody: Sequence[str]) -> Sequence[str]:
    """Those who get a message of their own each."""
    if channel.kind is ChannelKind.IN_APP and channel.to is None:
        return everybody
    return channel.to if channel.to is not None else ("",)


def tellings(event: AlertEvent, book: Book, rule: Rule | None, past: Past, now: datetime, keep: timedelta) -> Iterator[Delivery]:
    """The deliveries that a transition causes, each to be sent, held, or skipped with the reason.

    A beginning is told to whom the book says; everything after it to whoever was told of the beginning.
    """
    name = event_name(event, rule)
    if event.type in BEGINS or is_worse(event):
        for target in targets(book, rule, event.alert, now):
            delivery = delivery_of(event, target, name, now, keep)
            before = past.get(delivery.line)
            if event.type is AlertEventType.REOPENED or before is None or before.status is DeliveryStatus.SKIPPED:
                yield _opening(delivery, event.alert, target, before, now)
    if event.type in BEGINS:
        return
    for before in [one for line, one in past.items() if line[0] == event.alert_id]:
        channel = book.channel(before.channel_id)
        if channel is not None and _hears(channel, event, before):
            hold = _hold_of(book, before, event.alert, now)
            target = Target(channel=channel, reason=before.reason, address=before.address, user_id=before.user_id, hold=hold)
            yield _later(delivery_of(event, target, name, now, keep), target, before, now)


def stand_ins(failed: Delivery, channel: Channel, other: Channel, everybody: Sequence[str], now: datetime) -> list[Delivery]:
    """A delivery to another channel for one that was given up; its id is the same whoever makes it. What was held is held there."""
    why = failed.error or failed.skipped_because or "it failed"
    made = [
        msgspec.structs.replace(
            failed,
            id=f"{failed.alert_id}-{failed.seq}-{other.id}{_mark(address)}",
            channel_id=other.id,
            recipient=recipient_shown(other, address),
            reason=f"stands in for {public_name(channel)}: {why}",
            status=DeliveryStatus.PENDING,
            created_at=now,
            address=address,
            bundle_id=None,
            by_itself=False,
            stands_in_for=failed.id,
            attempts=0,
            next_attempt_at=waiting_until(failed, now),
            lease=None,
            error=None,
            skipped_because=None,
        )
        for address in addresses_of(other, everybody)
    ]
    return [one if _has_word_for(other, one) else skipped(one, NO_MACHINE) for one in made]


def placed(stand_in: Delivery, line: Iterable[Delivery]) -> Delivery:
    """A stand-in beside what its own line has already: behind what is still on its way, and not after what is later."""
    if stand_in.is_finished:
        return stand_in
    if any(one.seq > stand_in.seq and one.status is not DeliveryStatus.SKIPPED for one in line):
        return skipped(stand_in, LATER_THERE)
    if any(one.seq < stand_in.seq and not one.is_finished for one in line):
        return msgspec.structs.replace(stand_in, next_attempt_at=None)
    return stand_in


def _has_word_for(channel: Channel, delivery: Delivery) -> bool:
    return channel.format is not WebhookFormat.MACHINE or delivery.event in _OF_MACHINES


def _mark(address: str) -> str:
    return f"-{hashlib.sha256(address.encode()).hexdigest()[:8]}" if address else ""


def delivery_of(event: AlertEvent, target: Target, name: str, now: datetime, keep: timedelta) -> Delivery:
    """A delivery that waits. Its id is the same whoever makes it, so that none is made twice."""
    return Delivery(
        id=f"{event.alert_id}-{event.seq}-{target.channel.id}{_mark(target.address)}",
        tenant_id=event.tenant_id,
        lane=event.lane,
        seq=event.seq,
        event=name,
        channel_id=target.channel.id,
        recipient=recipient_shown(target.channel, target.address),
        reason=target.reason,
        status=DeliveryStatus.PENDING,
        created_at=now,
        expire_at=now + keep,
        address=target.address,
        user_id=target.user_id,
        type=event.type,
        alert_id=event.alert_id,
        ends=event.type is AlertEventType.RESOLVED,
    )


def recipient_shown(channel: Channel, address: str) -> str:
    """What anybody may see of who is told: no whole address of a person."""
    if not address:
        return channel.target
    if channel.kind is ChannelKind.EMAIL:
        name, _, host = address.rpartition("@")
        return f"{name[:1]}…@{host}"
    return f"{address[:3]}…{address[-2:]}" if channel.kind is ChannelKind.SMS else address


def event_name(event: AlertEvent, rule: Rule | None) -> str:
    """`device.…` where a device fell silent or was heard of again; a person's end of an alert brings no device back."""
    if event.type in _NAMES:
        return _NAMES[event.type]
    silence = event.alert.subject_kind is SubjectKind.DEVICE and rule is not None and isinstance(rule.condition, AbsenceCondition)
    if event.type is AlertEventType.RESOLVED:
        return "device.online" if silence and event.alert.resolution in _HEARD_OF_AGAIN else "alert.resolved"
    return "device.offline" if silence else "alert.opened"


def before_sending(delivery: Delivery, alert: Alert | None, channel: Channel | None, now: datetime) -> Skip | NotYet | None:
    """What has changed since the delivery was written; None sends it. What may have gone out already is not taken back."""
    if channel is None:
        return Skip("the channel was deleted")
    if not channel.enabled and channel.disabled_because is None:
        return Skip("the channel is switched off")
    if delivery.alert_id is None or delivery.ends or delivery.attempts > 1:
        return None
    if alert is None:
        return Skip("the alert is gone")
    if delivery.held is not None and not alert.live:
        return Skip("it was over before it was to be told", of_alert=True)
    if is_told(alert, now):
        return None
    if alert.live and alert.parent_id is None and alert.muted_because is None and alert.telling_held_until is not None:
        return NotYet(alert.telling_held_until)
    return Skip(why_quiet(alert) or "it was over before it was to be told", of_alert=True)


def why_quiet(alert: Alert) -> str | None:
    """Why nobody is told of an alert, whatever channels they have."""
    if alert.parent_id is not None:
        return f"told with alert {alert.parent_id}, which it is folded under"
    return None if alert.muted_because is None else f"muted: {alert.muted_because}"


def why_nobody(event: AlertEvent, written: Sequence[Delivery]) -> str | None:
    """Why an alert that people should hear of reaches none; None where it reaches somebody, or is told nobody on purpose."""
    if event.type not in BEGINS or why_quiet(event.alert) is not None:
        return None
    if any(one.status is not DeliveryStatus.SKIPPED for one in written):
        return None
    reasons = list(dict.fromkeys(f"{one.recipient}: {one.skipped_because}" for one in written))
    return "; ".join(reasons[:3]) or "no channel is there to tell it"


def is_worse(event: AlertEvent) -> bool:
    """Whether it is a turn for the worse, of which people are told."""
    changed = event.type is AlertEventType.SEVERITY_CHANGED and event.before is not None
    return changed and event.before is not None and SEVERITY_RANK[event.alert.severity] < SEVERITY_RANK[event.before.severity]


def _hears(channel: Channel, event: AlertEvent, before: Delivery) -> bool:
    """Whether a channel that was to be told of an alert's beginning is to be told of this, too."""
    if event.type is AlertEventType.RESOLVED:
        return True
    if before.status in (DeliveryStatus.SKIPPED, DeliveryStatus.FAILED) or channel.format is WebhookFormat.MACHINE:
        return False
    return channel.kind in _PROGRAMS or is_worse(event)


def _hold_of(book: Book, before: Delivery, alert: Alert, now: datetime) -> Hold | None:
    person = next((person for person in book.people if person.id == before.user_id), None)
    return None if person is None else hold(person.preferences, alert.severity, now)


def _opening(delivery: Delivery, alert: Alert, target: Target, before: Delivery | None, now: datetime) -> Delivery:
    if (quiet := why_quiet(alert)) is not None:
        return skipped(delivery, quiet)
    if target.skip is not None:
        return skipped(delivery, target.skip)
    if target.channel.format is WebhookFormat.MACHINE and delivery.event != "device.offline":
        return skipped(delivery, NO_MACHINE)
    return _due(delivery, target, before, max(now, alert.telling_held_until or now))


def _later(delivery: Delivery, target: Target, before: Delivery, now: datetime) -> Delivery:
    if before.status is DeliveryStatus.FAILED:
        return skipped(delivery, HANDED_OVER)
    if before.status is DeliveryStatus.SKIPPED:
        return skipped(delivery, NOT_OPENED)
    if not _has_word_for(target.channel, delivery):
        return skipped(delivery, NO_MACHINE)
    return _due(delivery, target, before, now)


def _due(delivery: Delivery, target: Target, before: Delivery | None, at: datetime) -> Delivery:
    """It waits for the one before it, if that is still on its way."""
    if target.hold is not None and target.hold.until > at:
        at = target.hold.until
        delivery = msgspec.structs.replace(delivery, held=target.hold.bundling, not_before=at)
    if before is not None and not before.is_finished:
        return delivery
    return msgspec.structs.replace(delivery, next_attempt_at=at)


_OF_MACHINES = ("device.offline", "device.online")
LATER_THERE = "something later of the alert is told there already"
NO_MACHINE = "a MACHINE webhook hears of machines that go offline and come back alone"
