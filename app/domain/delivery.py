"""A delivery: one telling of an alert to one recipient, from the outbox to its end. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from app.domain.alert import AlertEventType
from app.domain.message import Bundling

MOST_ATTEMPTS = 12
"""With the pauses between them about an hour."""

FIRST_PAUSE_SEC = 2.0
LONGEST_PAUSE_SEC = 1_200.0
LONGEST_WISH_SEC = 3_600.0
"""How long a receiver's Retry-After is honoured at most."""

LEASE = timedelta(seconds=45)
"""For how long whoever took a delivery has it alone: longer than any try takes."""


class DeliveryStatus(Enum):
    """FAILED was given up and is told by a fallback instead; DEAD was given up, and there is none."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"
    SKIPPED = "skipped"


UNFINISHED = (DeliveryStatus.PENDING, DeliveryStatus.SENDING)


class Ending(msgspec.Struct, frozen=True):
    """How a bundle ends that was not told; `skipped` where nobody is to be told any more."""

    because: str
    skipped: bool = False


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox. `id` is the idempotency key: it stays the same however often it is tried.

    `lane` and `seq` are the place of the transition that it tells of, in whose order the tellings of an alert to a recipient
    go out; a test has no alert and `seq` 0. `address` is the one it is for where a channel has several, `recipient` what is
    shown of it; `user_id` is whose preferences brought it. `ends` says that it tells of an alert's end.

    While it is SENDING, another may take it from `next_attempt_at` on; PENDING without that time waits for the telling before
    it, or in the bundle `bundle_id`. `by_itself` says that it was, or was about to be, told alone under its own key, and so is in no
    bundle any more. `held` is why it waits to be told with others, `not_before` until when.

    A bundle has no event of its own but the `alert_ids` of its members. Its key stands for one set of words: once one of its members
    is tried again by itself it is `broken_up`, and its other members go by themselves, too, if they are tried again. Its end is noted
    before its members are told of it, so that nobody sends it a second time with those that are left: by `sent_at` that it went out,
    by `ending` that it did not.
    """

    id: str
    tenant_id: str
    lane: int
    seq: int
    event: str
    channel_id: str
    recipient: str
    reason: str
    status: DeliveryStatus
    created_at: datetime
    expire_at: datetime
    address: str = ""
    user_id: str | None = None
    type: AlertEventType | None = None
    alert_id: str | None = None
    ends: bool = False
    held: Bundling | None = None
    bundle_id: str | None = None
    by_itself: bool = False
    bundling: Bundling | None = None
    alert_ids: tuple[str, ...] = ()
    broken_up: bool = False
    ending: Ending | None = None
    stands_in_for: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    not_before: datetime | None = None
    lease: str | None = None
    sent_at: datetime | None = None
    receipt: str | None = None
    error: str | None = None
    skipped_because: str | None = None

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def line(self) -> "Line":
        """What is told in order."""
        return (self.alert_id or self.id, self.channel_id, self.address)


Line = tuple[str, str, str]
"""Alert, channel, address: the tellings of one line go out one after the other."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a delivery as what others hear says of it."""

    alert_id: str
    seq: int
    channel_id: str
    recipient: str
    address: str = ""
    user_id: str | None = None
    bundle_id: str | None = None
    receipt: str | None = None
    skipped_because: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """The receiver has it; `receipt` is what it calls it, where a later message can refer to that."""

    receipt: str | None = None


class TryAgain(msgspec.Struct, frozen=True):
    """Not now; `after_sec` is when the receiver wants to be asked again. `ours` says that it did not get as far as to the receiver,
    for we had no room: that was no try, and says nothing of the channel."""

    error: str
    after_sec: float | None = None
    ours: bool = False


class Never(msgspec.Struct, frozen=True):
    """It would fail again however often it is tried."""

    error: str


class Skip(msgspec.Struct, frozen=True):
    """Nobody is to be told any more; `of_alert` says that it is for how the alert is now, and so for as long as it is so."""

    reason: str
    of_alert: bool = False


class NotYet(msgspec.Struct, frozen=True):
    """It is held until then; this was no try."""

    until: datetime


Answer = Sent | TryAgain | Never
"""What a channel says of a try."""

Outcome = Sent | TryAgain | Never | Skip | NotYet


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody else could tell it. `fallback` says so; `by` is from when on it is handed over rather than tried again."""

    fallback: bool = False
    by: datetime | None = None


NOBODY_ELSE = Pass()


def after(delivery: Delivery, outcome: Outcome, jitter: float, now: datetime, other: Pass = NOBODY_ELSE) -> Delivery:
    """The delivery as the outcome leaves it; `jitter` is a number from 0 to 1."""
    free = msgspec.structs.replace(delivery, lease=None, next_attempt_at=None)
    given_up = DeliveryStatus.FAILED if other.fallback else DeliveryStatus.DEAD
    match outcome:
        case Sent(receipt):
            return msgspec.structs.replace(free, status=DeliveryStatus.SENT, sent_at=now, error=None, receipt=receipt)
        case Skip(reason):
            return skipped(free, reason)
        case NotYet(until):
            attempts = max(0, delivery.attempts - 1)
            return msgspec.structs.replace(free, status=DeliveryStatus.PENDING, next_attempt_at=until, attempts=attempts)
        case TryAgain(error, wish) if delivery.attempts < MOST_ATTEMPTS and not _is_over(other, now):
            at = now + timedelta(seconds=max(pause_sec(delivery.attempts, jitter), min(wish or 0.0, LONGEST_WISH_SEC)))
            if other.fallback and other.by is not None:
                at = min(at, other.by)
            return msgspec.structs.replace(free, status=DeliveryStatus.PENDING, next_attempt_at=at, error=error)
        case TryAgain(error) | Never(error):
            return msgspec.structs.replace(free, status=given_up, error=error)


def _is_over(other: Pass, now: datetime) -> bool:
    return other.fallback and other.by is not None and other.by <= now


def pause_sec(attempts: int, jitter: float) -> float:
    """Seconds after so many tries: twice as long each time, give or take a quarter."""
    return min(FIRST_PAUSE_SEC * 2.0 ** max(0, attempts - 1), LONGEST_PAUSE_SEC) * (0.75 + jitter / 2)


def skipped(delivery: Delivery, reason: str) -> Delivery:
    return msgspec.structs.replace(
        delivery, status=DeliveryStatus.SKIPPED, skipped_because=reason, next_attempt_at=None, lease=None
    )


def follow(before: Delivery, waiting: Delivery, now: datetime) -> Delivery:
    """What becomes of a telling that waited for the one before it: who was not told of an opening is not told of its end."""
    if before.status is DeliveryStatus.FAILED:
        return skipped(waiting, HANDED_OVER)
    if before.status is DeliveryStatus.SKIPPED and waiting.ends:
        return skipped(waiting, NOT_OPENED)
    return msgspec.structs.replace(waiting, next_attempt_at=waiting_until(waiting, now))


def waiting_until(waiting: Delivery, now: datetime) -> datetime:
    """When a telling may go whose turn it is: what is held is held for as long as it was to be."""
    return now if waiting.not_before is None else max(now, waiting.not_before)


def standing(before: Delivery | None, one: Delivery) -> Delivery:
    """By which of two tellings of a line the next one goes: what was left out after something that was told, and is not over,
    changes nothing."""
    if before is None or before.ends or before.status is DeliveryStatus.SKIPPED:
        return one
    return before if one.status is DeliveryStatus.SKIPPED else one


def let_out(held: Iterable[Delivery], now: datetime) -> list[Delivery]:
    """Those that are held until later, as they are when something that cannot wait is to follow them."""
    return [
        msgspec.structs.replace(one, held=None, not_before=None, next_attempt_at=None if one.next_attempt_at is None else now)
        for one in held
        if one.status is DeliveryStatus.PENDING and one.bundle_id is None and one.not_before is not None and one.not_before > now
    ]


def let_go(finished: Sequence[Delivery], known: Iterable[Delivery], now: datetime) -> list[Delivery]:
    """What becomes of those that waited for tellings which have come to their end; `known` are all of the same lines."""
    rows = {one.id: one for one in (*known, *finished)}
    lines: dict[Line, list[Delivery]] = {one.line: [] for one in finished}
    for one in sorted(rows.values(), key=lambda one: one.seq):
        if one.line in lines:
            lines[one.line].append(one)
    return [one for line in lines.values() for one in _let_go(line, now)]


def _let_go(line: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """The first that is not over decides: whoever is on its way itself is waited for."""
    before: Delivery | None = None
    changed: list[Delivery] = []
    for one in line:
        now_is = one
        if not one.is_finished:
            if before is None or one.next_attempt_at is not None or one.bundle_id is not None:
                break
            now_is = follow(before, one, now)
            changed.append(now_is)
            if not now_is.is_finished:
                break
        before = standing(before, now_is)
    return changed


NOT_OPENED = "its opening was not told"
HANDED_OVER = "a fallback tells it instead"
BROKEN_UP = "its members were tried again by themselves"
