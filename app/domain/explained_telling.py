"""Whether a person was told of an alert: by what and when, or why not. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from app.domain.alert import Alert, AlertEventType
from app.domain.delivery import MOST_ATTEMPTS, Delivery, DeliveryStatus
from app.domain.explanation import Detail, Explanation, ExplanationStep, clock
from app.domain.message import Bundling
from app.domain.planned_tellings import FATE, Bundles, going, waits_for_fate
from app.domain.telling import Person, why_quiet

STAGE = "told"
NOT_TOLD = "NOT_TOLD"
_OF_OTHERS = (STAGE, AlertEventType.NOTIFIED.value, AlertEventType.DELIVERY_DEAD.value)

_HELD = {
    Bundling.QUIET_HOURS: "their quiet hours last until then",
    Bundling.DIGEST: "their digest comes then",
    Bundling.STORM: "it comes with others then",
}
_TOGETHER = {
    Bundling.QUIET_HOURS: " at the end of their quiet hours",
    Bundling.DIGEST: " in their digest",
    Bundling.STORM: " in one message with others",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked about, and all that is known of telling them of one alert.

    `deliveries` are those that are for them, oldest first; `names` are of the channels that whoever asks may know by name.
    `own` is None where they have no channel of their own that is used in this tenant. Before `kept_since` nothing is known.
    """

    user_id: str
    is_member: bool
    deliveries: tuple[Delivery, ...] = ()
    bundles: Bundles = msgspec.field(default_factory=dict)
    names: Mapping[str, str] = msgspec.field(default_factory=dict)
    own: Person | None = None
    kept_since: datetime | None = None


def is_for(delivery: Delivery, user_id: str, email: str | None) -> bool:
    """Whether a delivery is for a person: by their own channel, or by a shared one that names them."""
    if delivery.user_id is not None:
        return delivery.user_id == user_id
    address = delivery.address.casefold()
    return address != "" and address in (user_id.casefold(), (email or "").casefold())


def with_answer(record: Explanation, alert: Alert, asked: Asked, opened_at: datetime, now: datetime) -> Explanation:
    """A record that tells of one person what it tells of everybody otherwise: the answer first, and a step for each delivery."""
    if asked.deliveries:
        told = [_of_delivery(alert, one, asked, now) for one in asked.deliveries]
        answer = _answer(asked, told)
    else:
        why = _why_none(alert, asked, opened_at)
        answer = f"{asked.user_id} was not told: {why}"
        told = [ExplanationStep(at=opened_at, stage=STAGE, outcome=NOT_TOLD, reason=f"{why}, as of {clock(now)}")]
    others = [step for step in record.steps if step.stage not in _OF_OTHERS]
    return Explanation(summary=f"{answer}. {record.summary}", steps=(*others, *told), next=record.next)


def _answer(asked: Asked, steps: Sequence[ExplanationStep]) -> str:
    outcomes = [step.outcome for step in steps]
    for status, verdict in _VERDICTS.items():
        if status.name in outcomes:
            return f"{asked.user_id} {verdict}: {steps[outcomes.index(status.name)].reason}"
    return f"{asked.user_id} was not told: {steps[0].reason}"


_VERDICTS = {
    DeliveryStatus.SENT: "was told",
    DeliveryStatus.SENDING: "is being told",
    DeliveryStatus.PENDING: "is not told yet",
    DeliveryStatus.DEAD: "could not be told",
    DeliveryStatus.FAILED: "could not be told",
}


def _of_delivery(alert: Alert, one: Delivery, asked: Asked, now: datetime) -> ExplanationStep:
    row = going(one, asked.bundles)
    status = one.status if one.is_finished else row.status
    words = f"{one.event} by {_way(one, asked)} {_fate(alert, one, row, now)}"
    at = one.sent_at or one.created_at
    return ExplanationStep(
        at=at, stage=STAGE, outcome=status.name, reason=f"{words}, on {clock(at)}", detail=_detail(one, row, asked)
    )


def _way(one: Delivery, asked: Asked) -> str:
    """The name of a channel where whoever asks may know it, and what anybody may see of the recipient."""
    name = asked.names.get(one.channel_id)
    kind = "their own channel" if one.user_id is not None else "channel"
    return f"{kind} {name} ({one.recipient})" if name is not None else f"{kind} ({one.recipient})"


def _fate(alert: Alert, one: Delivery, row: Delivery, now: datetime) -> str:
    """What became of it; a bundle that is still on its way speaks for what is in it."""
    if one.status is DeliveryStatus.SENT:
        together = "" if one.bundle_id is None else _TOGETHER[row.bundling or Bundling.STORM]
        tries = f", after {one.attempts} tries" if one.attempts > 1 else ""
        return f"was sent{together}{tries}"
    if one.status is DeliveryStatus.SKIPPED:
        return f"was not told: {one.skipped_because}"
    if one.status in (DeliveryStatus.DEAD, DeliveryStatus.FAILED):
        behind = "a fallback tells it instead" if one.status is DeliveryStatus.FAILED else "nobody stands in"
        return f"was given up after {one.attempts} tries: {one.error}; {behind}"
    if row.status is DeliveryStatus.SENDING:
        return "is being sent"
    return _waits(alert, one, row, now)


def _waits(alert: Alert, one: Delivery, row: Delivery, now: datetime) -> str:
    at = row.next_attempt_at
    if at is None:
        return "waits for the telling before it"
    if row.error is not None:
        return (
            f"failed {row.attempts} times, at last with: {row.error}; try {row.attempts + 1} of {MOST_ATTEMPTS} is on {clock(at)}"
        )
    if waits_for_fate(alert, at, now):
        return f"is held until {clock(at)}: {FATE}"
    if one.held is not None and at > now:
        return f"is held until {clock(at)}: {_HELD[one.held]}"
    return "is to go out now" if at <= now else f"waits for its turn until {clock(at)}"


def _detail(one: Delivery, row: Delivery, asked: Asked) -> Detail:
    known = one.channel_id in asked.names
    attempts = one.attempts if one.is_finished else row.attempts
    found: Detail = {
        "deliveryId": one.id,
        "channelId": one.channel_id if known else None,
        "recipient": one.recipient,
        "event": one.event,
        "attempts": attempts,
        "error": one.error or (None if one.is_finished else row.error),
        "skippedBecause": one.skipped_because,
        "held": None if one.held is None else one.held.name,
        "heldUntil": None if one.not_before is None else one.not_before.isoformat(),
        "nextAttemptAt": None if row.is_finished or row.next_attempt_at is None else row.next_attempt_at.isoformat(),
        "sentAt": None if one.sent_at is None else one.sent_at.isoformat(),
    }
    return {name: value for name, value in found.items() if value is not None}


def _why_none(alert: Alert, asked: Asked, opened_at: datetime) -> str:
    """Why there is no delivery for them."""
    if not asked.is_member:
        return f"{asked.user_id} is not a member of tenant {alert.tenant_id}, whose members alone are told"
    if (quiet := why_quiet(alert)) is not None:
        return f"nobody is: {quiet}"
    if asked.kept_since is not None and opened_at < asked.kept_since:
        return f"what was told before {clock(asked.kept_since)} is not kept any more"
    if asked.own is None:
        return "no channel of their own, and no shared channel names them"
    if not any(channel.enabled for channel in asked.own.channels):
        return "each of their own channels is off, and no shared channel names them"
    if all(channel.created_at > opened_at for channel in asked.own.channels):
        return f"their own channels were made after it opened on {clock(opened_at)}"
    return f"they had no channel in use when it opened on {clock(opened_at)}, and no shared channel named them"
