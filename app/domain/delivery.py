"""A delivery: one telling of an alert to one channel, from the outbox to its end. Pure."""

from datetime import datetime, timedelta
from enum import Enum

import msgspec

MOST_ATTEMPTS = 12
"""With the pauses between them about an hour."""

FIRST_PAUSE_SEC = 2.0
LONGEST_PAUSE_SEC = 1_200.0
LONGEST_WISH_SEC = 3_600.0
"""How long a receiver's Retry-After is honoured at most."""

LEASE = timedelta(seconds=30)
"""For how long whoever took a delivery has it alone: longer than any try takes."""


class DeliveryStatus(Enum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"


UNFINISHED = (DeliveryStatus.PENDING, DeliveryStatus.SENDING)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox. `id` is the idempotency key: it stays the same however often it is tried.

    `lane` and `seq` are the place of the transition that it tells of, in whose order the tellings of an alert to a channel
    go out; a test has no alert and `seq` 0. `ends` says that it tells of an alert's end. While it is SENDING, another may
    take it from `next_attempt_at` on; PENDING without that time waits for the telling before it. `lease` names who took it.
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
    alert_id: str | None = None
    ends: bool = False
    attempts: int = 0
    next_attempt_at: datetime | None = None
    lease: str | None = None
    sent_at: datetime | None = None
    error: str | None = None
    skipped_because: str | None = None

    @property
    def is_finished(self) -> bool:
        return self.status not in UNFINISHED


class Sent(msgspec.Struct, frozen=True):
    """The receiver has it; `receipt` is what it calls it, where a later message can refer to that."""

    receipt: str | None = None


class TryAgain(msgspec.Struct, frozen=True):
    """Not now; `after_sec` is when the receiver wants to be asked again."""

    error: str
    after_sec: float | None = None


class Never(msgspec.Struct, frozen=True):
    """It would fail again however often it is tried."""

    error: str


class Skip(msgspec.Struct, frozen=True):
    """Nobody is to be told any more."""

    reason: str


class NotYet(msgspec.Struct, frozen=True):
    """It is held until then; this was no try."""

    until: datetime


Answer = Sent | TryAgain | Never
"""What a channel says of a try."""

Outcome = Sent | TryAgain | Never | Skip | NotYet


def after(delivery: Delivery, outcome: Outcome, jitter: float, now: datetime) -> Delivery:
    """The delivery as the outcome leaves it; `jitter` is a number from 0 to 1."""
    free = msgspec.structs.replace(delivery, lease=None, next_attempt_at=None)
    match outcome:
        case Sent():
            return msgspec.structs.replace(free, status=DeliveryStatus.SENT, sent_at=now, error=None)
        case Skip(reason):
            return skipped(free, reason)
        case NotYet(until):
            attempts = max(0, delivery.attempts - 1)
            return msgspec.structs.replace(free, status=DeliveryStatus.PENDING, next_attempt_at=until, attempts=attempts)
        case TryAgain(error, wish) if delivery.attempts < MOST_ATTEMPTS:
            at = now + timedelta(seconds=max(pause_sec(delivery.attempts, jitter), min(wish or 0.0, LONGEST_WISH_SEC)))
            return msgspec.structs.replace(free, status=DeliveryStatus.PENDING, next_attempt_at=at, error=error)
        case TryAgain(error) | Never(error):
            return msgspec.structs.replace(free, status=DeliveryStatus.DEAD, error=error)


def pause_sec(attempts: int, jitter: float) -> float:
    """Seconds after so many tries: twice as long each time, give or take a quarter."""
    return min(FIRST_PAUSE_SEC * 2.0 ** max(0, attempts - 1), LONGEST_PAUSE_SEC) * (0.75 + jitter / 2)


def skipped(delivery: Delivery, reason: str) -> Delivery:
    return msgspec.structs.replace(
        delivery, status=DeliveryStatus.SKIPPED, skipped_because=reason, next_attempt_at=None, lease=None
    )


def follow(before: Delivery, waiting: Delivery, now: datetime) -> Delivery:
    """What becomes of a telling that waited for the one before it: who was not told of an opening is not told of its end."""
    if before.status is DeliveryStatus.SKIPPED and waiting.ends:
        return skipped(waiting, NOT_OPENED)
    return msgspec.structs.replace(waiting, next_attempt_at=now)


NOT_OPENED = "its opening was not told"
