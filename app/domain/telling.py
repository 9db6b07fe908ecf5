"""Which channels are told of a transition of an alert, and when. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.alert import Alert, AlertEvent, AlertEventType, Resolution
from app.domain.channel import Channel, wants
from app.domain.delivery import NOT_OPENED, Delivery, DeliveryStatus, NotYet, Skip, skipped
from app.domain.fate import is_told
from app.domain.rule import AbsenceCondition, Rule
from app.domain.subject import SubjectKind

BEGINS = (AlertEventType.OPENED, AlertEventType.UNGROUPED, AlertEventType.REOPENED)
"""From here on somebody should know: what was folded and is on its own again was told nobody."""

TOLD = (*BEGINS, AlertEventType.RESOLVED)
_HEARD_OF_AGAIN = (Resolution.RECOVERED, Resolution.LATE_HEARTBEATS)

Past = Mapping[tuple[str, str], Delivery]
"""By alert and channel: the newest telling."""


def tellings(
    event: AlertEvent, channels: Sequence[Channel], rule: Rule | None, past: Past, now: datetime, keep: timedelta
) -> Iterator[Delivery]:
    """The deliveries that a transition causes, one for each enabled channel of its tenant."""
    for channel in channels:
        before = past.get((event.alert_id, channel.id))
        if event.type is AlertEventType.UNGROUPED and before is not None and before.status is not DeliveryStatus.SKIPPED:
            continue  # it was told, or is about to be
        if event.type is AlertEventType.RESOLVED and before is None:
            continue  # the channel is younger than the alert
        delivery = Delivery(
            id=f"{event.alert_id}-{event.seq}-{channel.id}",
            tenant_id=event.tenant_id,
            lane=event.lane,
            seq=event.seq,
            event=event_name(event, rule),
            channel_id=channel.id,
            recipient=channel.target,
            reason="every enabled channel of the tenant is told",
            status=DeliveryStatus.PENDING,
            created_at=now,
            expire_at=now + keep,
            alert_id=event.alert_id,
            ends=event.type is AlertEventType.RESOLVED,
        )
        yield _ending(delivery, before, now) if delivery.ends else _opening(delivery, event.alert, channel, before, now)


def event_name(event: AlertEvent, rule: Rule | None) -> str:
    """`device.…` where a device fell silent or was heard of again; a person's end of an alert brings no device back."""
    silence = event.alert.subject_kind is SubjectKind.DEVICE and rule is not None and isinstance(rule.condition, AbsenceCondition)
    if event.type is AlertEventType.RESOLVED:
        return "device.online" if silence and event.alert.resolution in _HEARD_OF_AGAIN else "alert.resolved"
    return "device.offline" if silence else "alert.opened"


def before_sending(delivery: Delivery, alert: Alert | None, channel: Channel | None, now: datetime) -> Skip | NotYet | None:
    """What has changed since the delivery was written; None sends it. What may have gone out already is not taken back."""
    if channel is None:
        return Skip("the channel was deleted")
    if not channel.enabled:
        return Skip("the channel is switched off")
    if delivery.alert_id is None or delivery.ends or delivery.attempts > 1:
        return None
    if alert is None:
        return Skip("the alert is gone")
    if is_told(alert, now):
        return None
    if alert.live and alert.parent_id is None and alert.muted_because is None and alert.telling_held_until is not None:
        return NotYet(alert.telling_held_until)
    return Skip(why_quiet(alert) or "it was over before it was to be told")


def why_quiet(alert: Alert) -> str | None:
    """Why nobody is told of an alert, whatever channels they have."""
    if alert.parent_id is not None:
        return f"told with alert {alert.parent_id}, which it is folded under"
    return None if alert.muted_because is None else f"muted: {alert.muted_because}"


def _opening(delivery: Delivery, alert: Alert, channel: Channel, before: Delivery | None, now: datetime) -> Delivery:
    if (quiet := why_quiet(alert)) is not None:
        return skipped(delivery, quiet)
    if not wants(channel, alert.severity):
        return skipped(delivery, f"the channel does not want severity {alert.severity.name}")
    return _due(delivery, before, max(now, alert.telling_held_until or now))


def _ending(delivery: Delivery, before: Delivery | None, now: datetime) -> Delivery:
    if before is None or before.status is DeliveryStatus.SKIPPED:
        return skipped(delivery, NOT_OPENED)
    return _due(delivery, before, now)


def _due(delivery: Delivery, before: Delivery | None, at: datetime) -> Delivery:
    """It waits for the one before it, if that is still on its way."""
    if before is not None and not before.is_finished:
        return delivery
    return msgspec.structs.replace(delivery, next_attempt_at=at)
