"""Messages as the courier makes them."""

from datetime import timedelta
from typing import Any

from app.domain.alert import Alert, AlertEventType, AlertStatus, Resolution
from app.domain.device import Device, DeviceStatus
from app.domain.message import Bundling, Message, Note
from tests.alerts.world import an_alert
from tests.cast import NOW

URL = "https://fleet.example.com/alerts/alert-1"
RUNBOOK = "https://wiki.example.com/till?a=1&b=2"
LATER = NOW + timedelta(minutes=12)


def till(**fields: Any) -> Device:
    given: dict[str, Any] = {"status": DeviceStatus.ONLINE, "name": "Till 1", "hostname": "till-1.local", **fields}
    return Device(
        id="acme|pos-1",
        tenant_id="acme",
        device_id="pos-1",
        lane=0,
        since=NOW,
        created_at=NOW,
        offline_after=120,
        wake_after=120,
        last_seen=NOW - timedelta(seconds=130),
        **given,
    )


def offline(**fields: Any) -> Alert:
    given = {"id": "alert-1", "value": 130.0, "threshold": 120.0, "unit": "s", "store_id": "north", **fields}
    return an_alert(**given)


def over(alert: Alert | None = None, **fields: Any) -> Alert:
    """As the alert is at its end."""
    ended = {"status": AlertStatus.RESOLVED, "resolved_at": LATER, "resolution": Resolution.RECOVERED}
    return offline(**{**({} if alert is None else {"id": alert.id, "title": alert.title}), **ended, **fields})


def a_note(alert: Alert | None = None, **fields: Any) -> Note:
    given: dict[str, Any] = {"event": "device.offline", "type": AlertEventType.OPENED, "at": NOW, "url": URL, **fields}
    return Note(alert=alert or offline(), **given)


def the_end(**fields: Any) -> Note:
    return a_note(**{"alert": over(), "event": "device.online", "type": AlertEventType.RESOLVED, "at": LATER, **fields})


def a_message(*notes: Note, **fields: Any) -> Message:
    given: dict[str, Any] = {
        "id": "alert-1-7-channel-1",
        "tenant_id": "acme",
        "tenant_name": "Acme",
        "timezone": "UTC",
        "now": NOW,
        "channel_name": "Pager",
        "dashboard_url": "https://fleet.example.com/alerts",
        **fields,
    }
    return Message(notes=notes, **given)


def a_storm(count: int, **fields: Any) -> Message:
    notes = [a_note(offline(id=f"alert-{number}", title=f"Device offline: Till {number}")) for number in range(count)]
    return a_message(*notes, **{"bundling": Bundling.STORM, **fields})
