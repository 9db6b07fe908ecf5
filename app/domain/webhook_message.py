"""What a webhook says, and how it is signed. Pure."""

import base64
import hashlib
import hmac
from binascii import Error as NoBase64
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.channel import WebhookConfig, WebhookFormat
from app.domain.device import Device, DeviceStatus
from app.domain.message import TEST_EVENT, Note

_STANDARD = "whsec_"
_STATUS_BY_EVENT = {"device.offline": DeviceStatus.OFFLINE, "device.online": DeviceStatus.ONLINE}
_MACHINE_EVENTS = {"device.offline": "machine.offline", "device.online": "machine.online"}


def has_word_for(form: WebhookFormat | None, event: str) -> bool:
    """MACHINE knows of machines that go offline and come back, and of tests."""
    return form is not WebhookFormat.MACHINE or event in _MACHINE_EVENTS or event == TEST_EVENT


def body_of(form: WebhookFormat, note: Note | None) -> bytes:
    """JSON; without a note a test. The alert is as it was at the transition, and so is the status of the device that the event
    is of. A MACHINE body of what the format has no word for is a ValueError."""
    if form is WebhookFormat.MACHINE:
        return msgspec.json.encode(_machine(note))
    if note is None:
        return msgspec.json.encode({"event": TEST_EVENT, "alert": None, "device": None})
    said = {
        "event": note.event,
        "at": _time(note.at),
        "actor": note.actor,
        "reason": note.reason,
        "alert": _alert(note),
        "device": None if note.device is None else _device(note.device, note.event),
    }
    return msgspec.json.encode(said)


def headers_of(message_id: str, config: WebhookConfig, body: bytes, now: datetime) -> dict[str, str]:
    """The id is the same for every try, the time and the standard signatures are not. Until its overlap ends, the secret
    before this one signs too."""
    at = str(int(now.timestamp()))
    signed = f"{message_id}.{at}.".encode() + body
    before = config.previous_secret if config.previous_until is not None and now < config.previous_until else None
    secrets = [config.secret] if before is None else [config.secret, before]
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Signature": _plain(config.secret, body),
        "X-Webhook-Timestamp": at,
        "X-Webhook-Id": message_id,
        "Idempotency-Key": message_id,
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(_standard(secret, signed) for secret in secrets),
    }
    return headers if before is None else {**headers, "X-Webhook-Signature-Previous": _plain(before, body)}


def _plain(secret: str, body: bytes) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _standard(secret: str, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()).decode()}"


def _standard_key(secret: str) -> bytes:
    """Standard Webhooks has its keys as `whsec_` and base64, padded or not; any other secret is the key as it is."""
    if not secret.startswith(_STANDARD):
        return secret.encode()
    text = secret.removeprefix(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or secret.encode()
    except NoBase64:
        return secret.encode()


def _machine(note: Note | None) -> dict[str, Any]:
    if note is None:
        return {"event": TEST_EVENT, "machine": None}
    if note.event not in _MACHINE_EVENTS:
        raise ValueError(f"the format MACHINE has no word for {note.event}")
    device = note.device or _gone(note)
    return {"event": _MACHINE_EVENTS[note.event], "machine": _device(device, note.event)}


def _gone(note: Note) -> Device:
    """What is left of a device that was deleted since."""
    return Device(
        id=note.alert.subject_id,
        tenant_id=note.alert.tenant_id,
        device_id=note.alert.subject_id,
        lane=0,
        status=_STATUS_BY_EVENT[note.event],
        since=note.at,
        created_at=note.at,
        offline_after=0,
        wake_after=0,
    )


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
