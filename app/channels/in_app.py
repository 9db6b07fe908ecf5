"""The way out inside Fleetbeat: a notification for each person, which lists and streams are read from."""

from datetime import timedelta

import structlog

from app.channels.in_app_text import body_of, title_of
from app.domain.alert import SEVERITY_RANK, Severity
from app.domain.channel import InAppConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message
from app.domain.notification import InAppNotification, notification_id
from app.realtime.bus import Bus
from app.store.notifications import NotificationStore

_log = structlog.get_logger(__name__)


class InAppWay:
    """`message.to` is a person's id. However often it is tried, one notification comes of it; it is kept for so long."""

    def __init__(self, store: NotificationStore, bus: Bus, keep: timedelta) -> None:
        self._store = store
        self._bus = bus
        self._keep = keep

    async def send(self, config: InAppConfig, message: Message) -> Answer:
        people = (message.to,) if message.to else config.user_ids
        if not people:
            return Never("it says nobody whom it is for")
        try:
            await self._store.put([_notification(message, user_id, self._keep) for user_id in people])
        except Exception as error:  # noqa: BLE001 - a way raises nothing, and what the database says may hold what it was given
            _log.warning("in_app.not_kept", delivery=message.id, error=type(error).__name__)
            return TryAgain("the database did not take it")
        await self._bus.ring_notifications(list(people))
        return Sent()


def _notification(message: Message, user_id: str, keep: timedelta) -> InAppNotification:
    severities = [note.alert.severity for note in message.notes]
    return InAppNotification(
        id=notification_id(message.id, user_id),
        tenant_id=message.tenant_id,
        user_id=user_id,
        at=message.now,
        title=title_of(message),
        body=body_of(message),
        severity=min(severities, key=SEVERITY_RANK.__getitem__, default=Severity.INFO),
        expire_at=message.now + keep,
        alert_id=message.note.alert.id if message.note is not None else None,
    )
