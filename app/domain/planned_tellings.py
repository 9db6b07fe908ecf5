"""What is still to be told of an alert, and when. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from app.domain.alert import Alert
from app.domain.delivery import MOST_ATTEMPTS, Delivery, DeliveryStatus
from app.domain.explanation import PlannedStep
from app.domain.message import Bundling

Bundles = Mapping[str, Delivery]
"""By id, those that the deliveries are in."""

MOST_NAMED = 3
"""Recipients that a sentence names; the rest are counted."""

FATE = "others seem to share its fate"

_OVER = {
    Bundling.QUIET_HOURS: "the quiet hours of {who} are over",
    Bundling.DIGEST: "the digest of {who} is due",
    Bundling.STORM: "it is the turn of {who}",
}


def planned_tellings(alert: Alert, deliveries: Sequence[Delivery], bundles: Bundles, now: datetime) -> list[PlannedStep]:
    """Soonest first; what goes the same way at the same time is one step. `deliveries` are oldest first."""
    found: dict[tuple[datetime, str, str], list[str]] = {}
    for at, before, after, recipient in _plans(alert, deliveries, bundles, now):
        found.setdefault((at, before, after), []).append(recipient)
    steps = [PlannedStep(at=at, what=f"{before} {names(to)}{after}") for (at, before, after), to in found.items()]
    return sorted(steps, key=lambda step: step.at)


def names(recipients: Sequence[str]) -> str:
    """The first of them by what is shown of them, which may be the same for two."""
    more = f" and {len(recipients) - MOST_NAMED} more" if len(recipients) > MOST_NAMED else ""
    return ", ".join(sorted(recipients)[:MOST_NAMED]) + more


def going(delivery: Delivery, bundles: Bundles) -> Delivery:
    """The row by which it goes: that of the bundle, for what is in one."""
    return bundles.get(delivery.bundle_id or "", delivery)


def waits_for_fate(alert: Alert, at: datetime, now: datetime) -> bool:
    until = alert.telling_held_until
    return until is not None and now < until <= at and alert.live


def _plans(
    alert: Alert, deliveries: Sequence[Delivery], bundles: Bundles, now: datetime
) -> Iterator[tuple[datetime, str, str, str]]:
    """When, what before the recipient's name, what after it, and that."""
    before: dict[tuple[str, str, str], tuple[datetime, str]] = {}
    for one in deliveries:
        row = going(one, bundles)
        if row.is_finished or row.status is DeliveryStatus.SENDING:
            continue
        if row.next_attempt_at is not None:
            at = max(row.next_attempt_at, now)
            before[one.line] = (at, one.event)
            yield at, f"{one.event} goes to", _why(alert, one, row, now), one.recipient
        elif one.line in before:
            at, first = before[one.line]
            at = at if one.not_before is None else max(at, one.not_before)
            yield at, f"{one.event} goes to", f", at the earliest: it follows {first}", one.recipient


def _why(alert: Alert, one: Delivery, row: Delivery, now: datetime) -> str:
    if row.error is not None:
        return f" again: try {row.attempts + 1} of {MOST_ATTEMPTS}, after: {row.error}"
    at = row.next_attempt_at or now
    if waits_for_fate(alert, at, now):
        return f" unless it is folded until then: {FATE}"
    if one.held is not None and at > now:
        matters = "" if one.ends else ", if it is still live"
        return f": {_OVER[one.held].format(who=one.user_id or one.recipient)}{matters}"
    return "" if at <= now else ", with what else there is to tell: it was told something just now"
