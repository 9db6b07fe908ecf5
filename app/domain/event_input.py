"""An operational event as it was sent, and what may be wrong with it. Pure."""

import math
from datetime import datetime, timedelta

import msgspec

from app.domain.beat_input import FUTURE
from app.domain.ids import is_device_id
from app.domain.operational_event import EventKind, EventOutcome
from app.errors import FieldError

KEPT = timedelta(days=30)
"""For how long an event is kept, and known by its reference. One from longer ago is refused: it could count twice."""

MOST_AT_ONCE = 1_000_000
"""Most events that one may stand for."""

LARGEST_AMOUNT = 1e15
"""Cents of any currency; sums of such amounts stay finite."""

LONGEST_STORE_ID = 64
LONGEST_REFERENCE = 200


class EventInput(msgspec.Struct, kw_only=True):
    """An event as it was sent; the names of `OperationalEventInput`. `at` None is now."""

    kind: EventKind
    outcome: EventOutcome = EventOutcome.SUCCESS
    at: datetime | None = None
    device_id: str | None = None
    store_id: str | None = None
    tenant_id: str | None = None
    amount: float | None = None
    count: int = 1
    reference: str | None = None


def check_event(event: EventInput, path: str, now: datetime) -> list[FieldError]:
    """Every bad field of the event at `path`."""
    errors: list[FieldError] = []
    if event.device_id is not None and not is_device_id(event.device_id):
        errors.append(_bad_text(f"{path}.deviceId", 128))
    for name, text, longest in (
        ("storeId", event.store_id, LONGEST_STORE_ID),
        ("reference", event.reference, LONGEST_REFERENCE),
    ):
        if text is not None and not (len(text) <= longest and is_line(text)):
            errors.append(_bad_text(f"{path}.{name}", longest))
    if event.amount is not None and not math.isfinite(event.amount):
        errors.append(FieldError(f"{path}.amount", f"is {event.amount}; must be a finite number"))
    elif event.amount is not None and abs(event.amount) > LARGEST_AMOUNT:
        errors.append(FieldError(f"{path}.amount", f"is {event.amount:g}; must be within ±{LARGEST_AMOUNT:g}"))
    if not 1 <= event.count <= MOST_AT_ONCE:
        errors.append(FieldError(f"{path}.count", f"is {event.count}; must be 1 to {MOST_AT_ONCE:,}"))
    if event.at is not None and not now - KEPT < event.at <= now + FUTURE:
        there = f"is {event.at.isoformat()}; it is {now.isoformat()} here: at most 5 min ahead and less than 30 days back"
        errors.append(FieldError(f"{path}.at", there))
    return errors


def is_line(text: str) -> bool:
    """One printable line with something in it; blanks at the ends would make two look like one."""
    return bool(text) and text.isprintable() and text == text.strip()


def _bad_text(path: str, longest: int) -> FieldError:
    return FieldError(path, f"must have 1 to {longest} printable characters, no blank at either end")
