"""How reasons name figures, bounds and events."""

import math

from app.domain.operational_event import EventKind, EventOutcome

_NOUNS = {
    EventKind.SALE: ("sale", "sales"),
    EventKind.REFUND: ("refund", "refunds"),
    EventKind.REPRINT: ("reprint", "reprints"),
    EventKind.REDEMPTION: ("redemption", "redemptions"),
    EventKind.WEBHOOK_DELIVERY: ("webhook delivery", "webhook deliveries"),
    EventKind.PAYMENT: ("payment", "payments"),
}
_VERBS = {EventOutcome.SUCCESS: "succeeded", EventOutcome.FAILURE: "failed"}
_MOST_DIGITS = 17


def events(kind: EventKind, count: int) -> str:
    """The noun alone, as it stands after such a count."""
    one, many = _NOUNS[kind]
    return one if count == 1 else many


def counted(kind: EventKind, count: int) -> str:
    return f"{count:,} {events(kind, count)}"


def ended(outcome: EventOutcome) -> str:
    return _VERBS[outcome]


def amount(value: float, unit: str = "", *, beside: float | None = None, digits: int = 4) -> str:
    """A figure with its unit, no more exact than is needed to tell it from the figure `beside` it."""
    value = value or 0.0  # never "-0"
    text = _figure(value, digits)
    while beside is not None and value != beside and digits < _MOST_DIGITS and text == _figure(beside, digits):
        digits += 1
        text = _figure(value, digits)
    return f"{text} {unit}".rstrip()


def percent(share: float, *, beside: float | None = None) -> str:
    """A share (0..1) in percent."""
    return amount(100 * share, "%", beside=None if beside is None else 100 * beside, digits=3)


def duration(seconds: float) -> str:
    """A length of time in the largest unit that it is a whole number of, but up to 90 minutes not in hours."""
    for unit, size, least in (("d", 86_400, 172_800), ("h", 3_600, 7_200), ("min", 60, 60)):
        if seconds >= least and seconds % size == 0:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _figure(value: float, digits: int) -> str:
    if not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:.{digits}g}"
    whole = len(str(int(abs(value))))
    return f"{value:,.{max(digits, whole)}g}"
