"""What a webhook says, and how it is signed. Pure."""

import base64
import hashlib
import hmac
from binascii import Error as NoBase64
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.device import Device, DeviceStatus
from app.domain.message import TEST_EVENT, Message, Note

_STANDARD = "whsec_"
_STATUS_BY_EVENT = {"device.offline": DeviceStatus.OFFLINE, "device.online": DeviceStatus.ONLINE}


def body_of(message: Message) -> bytes:
    """JSON. The alert is as it was at the transition, and so is the status of the device that the event is of."""
    note = message.note
    said = {
        "event": TEST_EVENT if note is None else note.event,
        "alert": None if note is None else _alert(note),
        "device": None if note is None or note.device is None else _device(note.device, note.event),
    }
    return msgspec.json.encode(said)


def headers_of(message_id: str, secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The id is the same for every try, the time and the second signature are not."""
    at = str(int(now.timestamp()))
    signed = f"{message_id}.{at}.".encode() + body
    standard = base64.b64encode(hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-Webhook-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
        "X-Webhook-Timestamp": at,
        "X-Webhook-Id": message_id,
        "Idempotency-Key": message_id,
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{standard}",
    }


def _standard_key(secret: str) -> bytes:
    """Standard Webhooks has its keys as `whsec_` and base64; any other secret is the key as it is."""
    if not secret.startswith(_STANDARD):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD), validate=True)
    except NoBase64:
        return secret.encode()


def _alert(note: Note) -> dict[str, Any]:
    alert = note.alert
    return {
        "id": alert.id,
        "tenant_id": alert.tenant_id,
        "rule_key": alert.rule_key,
        "severity": alert.severity.value,
        "status": alert.status.value,
        "title": alert.title,
        "message": alert.message,
        "subject_kind": alert.subject_kind.value,
        "subject_id": alert.subject_id,
        "store_id": alert.store_id,
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": alert.unit,
        "first_seen": _time(alert.first_seen),
        "resolved_at": _time(alert.resolved_at),
        "resolution": None if alert.resolution is None else alert.resolution.value,
        "url": note.url,
        "runbook_url": alert.runbook_url,
    }


def _device(device: Device, event: str) -> dict[str, Any]:
    return {
        "id": device.device_id,
        "name": device.name,
        "hostname": device.hostname,
        "description": device.description,
        "status": _STATUS_BY_EVENT.get(event, device.status).value,
        "last_seen": _time(device.last_seen),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
