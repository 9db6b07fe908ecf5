"""What shops, gates and gateways report beside their beats: sales, refunds, payments and the like."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum

import msgspec

from app.domain.counts import bucket_start
from app.domain.subject import SubjectKind


class EventKind(Enum):
    SALE = "sale"
    REFUND = "refund"
    REPRINT = "reprint"
    REDEMPTION = "redemption"
    WEBHOOK_DELIVERY = "webhook_delivery"
    PAYMENT = "payment"


class EventOutcome(Enum):
    SUCCESS = "success"
    FAILURE = "failure"


STORELESS = ""
"""The subject, among those of kind TENANT, for whom events count that name no store."""


class OperationalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, or `count` of them that are alike. `at` is its place in history; `amount` is of all `count` together.

    `id` is the same for an event that is sent again under its reference, so that it is kept and counted once.
    """

    id: str
    tenant_id: str
    lane: int
    kind: EventKind
    outcome: EventOutcome
    at: datetime
    received_at: datetime
    expire_at: datetime
    count: int = 1
    amount: float | None = None
    device_id: str | None = None
    store_id: str | None = None
    reference: str | None = None


class CountKey(msgspec.Struct, frozen=True, kw_only=True):
    """Five minutes of one kind of event at one place, which is a subject of kind TENANT, STORE or DEVICE."""

    tenant_id: str
    place: SubjectKind
    subject_id: str
    event: EventKind
    start: datetime


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """What events add to a count."""

    success: int = 0
    failure: int = 0
    amount: float = 0.0


def places_of(event: OperationalEvent) -> Iterator[tuple[SubjectKind, str]]:
    """Where an event counts."""
    yield SubjectKind.TENANT, event.tenant_id
    if event.store_id is None:
        yield SubjectKind.TENANT, STORELESS
    else:
        yield SubjectKind.STORE, event.store_id
    if event.device_id is not None:
        yield SubjectKind.DEVICE, event.device_id


def additions(events: Iterable[OperationalEvent]) -> dict[CountKey, Addition]:
    """What these events add, each in the five minutes of its own time."""
    added: dict[CountKey, Addition] = {}
    for event in events:
        start = bucket_start(event.at)
        for place, subject_id in places_of(event):
            key = CountKey(tenant_id=event.tenant_id, place=place, subject_id=subject_id, event=event.kind, start=start)
            added[key] = _with(added.get(key, Addition()), event)
    return added


def _with(before: Addition, event: OperationalEvent) -> Addition:
    good = event.outcome is EventOutcome.SUCCESS
    return Addition(
        success=before.success + (event.count if good else 0),
        failure=before.failure + (0 if good else event.count),
        amount=before.amount + (event.amount or 0.0),
    )
