"""Channels, notifications and messages of people."""

from datetime import datetime, timedelta
from typing import Any

from app.domain.alert import AlertEventType, Severity
from app.domain.channel import Channel, ChannelKind
from app.domain.message import Message, Note
from app.domain.notification import InAppNotification
from tests.alerts.world import an_alert
from tests.cast import NOW


def own_channel(name: str = "phone", owner_id: str = "vera", at: datetime = NOW, **fields: Any) -> Channel:
    """A person's own; its config is of no matter here."""
    given = {"tenant_id": "acme", "kind": ChannelKind.WEBHOOK, "target": f"{name} of {owner_id}", "sealed": "", **fields}
    return Channel(id=f"{owner_id}-{name}", name=name, owner_id=owner_id, created_at=at, **given)


def told(number: int = 1, user_id: str = "vera", **fields: Any) -> InAppNotification:
    given = {
        "tenant_id": "acme",
        "at": NOW + timedelta(seconds=number),
        "title": f"Trouble {number}",
        "body": "It is bad",
        "severity": Severity.HIGH,
        "expire_at": NOW + timedelta(days=90),
        **fields,
    }
    return InAppNotification(id=f"{number}:{user_id}", user_id=user_id, **given)


def a_message(*notes: Note, **fields: Any) -> Message:
    given = {"id": "delivery-1", "tenant_id": "acme", "tenant_name": "Acme", "timezone": "Europe/Berlin", "to": "vera", **fields}
    return Message(now=NOW, channel_name="Inbox", notes=notes, **given)


def a_note(kind: AlertEventType = AlertEventType.OPENED, **alert: Any) -> Note:
    return Note(event="alert.opened", type=kind, at=NOW, alert=an_alert(**alert), url="https://fleet.example.com/alerts/1")
