"""A made-up message, to see what a channel makes of one."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Resolution, Severity
from app.domain.device import Device, DeviceStatus
from app.domain.message import TEST_EVENT, Bundling, Message, Note
from app.domain.subject import SubjectKind
from app.domain.telling import TOLD

EVENTS: Mapping[str, AlertEventType | None] = {
    "device.offline": AlertEventType.OPENED,
    "device.online": AlertEventType.RESOLVED,
    # What is on its own again is told under the name of an opening.
    **{f"alert.{kind.value}": kind for kind in TOLD if kind is not AlertEventType.UNGROUPED},
    TEST_EVENT: None,
}
"""What channels are told, by its name on the wire."""

_BEGAN = AlertEventType.OPENED
_ACTORS = {
    AlertEventType.REOPENED: ("olga@example.com", "aisle 3 is still dark"),
    AlertEventType.ACKNOWLEDGED: ("olga@example.com", "on my way"),
    AlertEventType.UNACKNOWLEDGED: ("olga@example.com", None),
    AlertEventType.SEVERITY_CHANGED: (None, "from MEDIUM to HIGH"),
}
LONG_AGO, JUST_NOW = timedelta(minutes=14), timedelta(seconds=2)
_SEVERITIES = (Severity.HIGH, Severity.CRITICAL, Severity.MEDIUM)


def sample_message(event: str, now: datetime, url: str, bundle: int = 0, why: Bundling = Bundling.STORM) -> Message:
    """`event` is one of EVENTS; `bundle` of them together where it is more than none, every fourth over by now."""
    kind = EVENTS[event]
    if kind is None:
        notes: tuple[Note, ...] = ()
    elif bundle:
        notes = tuple(_note(event, kind, place, now, url) for place in range(bundle))
        if kind is not AlertEventType.RESOLVED:
            end = "device.online" if event == "device.offline" else "alert.resolved"
            notes += tuple(_note(end, AlertEventType.RESOLVED, place, now, url) for place in range(3, bundle, 4))
    else:
        notes = (_note(event, kind, 0, now, url, JUST_NOW if kind is _BEGAN else LONG_AGO),)
    return Message(
        id=f"sample-{event}-{bundle}",
        tenant_id="acme",
        tenant_name="Acme",
        timezone="Europe/Berlin",
        now=now,
        channel_name="On call",
        notes=notes,
        bundling=why if bundle and notes else None,
        to="olga@example.com",
        dashboard_url=url,
    )


def _note(event: str, kind: AlertEventType, place: int, now: datetime, url: str, ago: timedelta = LONG_AGO) -> Note:
    alert = _alert(event, kind, place, now, ago)
    actor, reason = _ACTORS.get(kind, (alert.resolved_by, alert.resolution_note))
    return Note(
        event=event,
        type=kind,
        at=alert.first_seen if kind is _BEGAN else now,
        alert=alert,
        url=f"{url}/alerts/{alert.id}",
        device=_device(alert, now),
        actor=actor,
        reason=reason,
        also_told=("#tills", "a PagerDuty service"),
    )


def _alert(event: str, kind: AlertEventType, place: int, now: datetime, ago: timedelta) -> Alert:
    severity, over = _SEVERITIES[place % len(_SEVERITIES)], kind is AlertEventType.RESOLVED
    silence, since = event.startswith("device."), now - ago - timedelta(seconds=place)
    name, silent = f"Till {place + 1}", 120 + (now - since).total_seconds()
    acknowledged = kind is AlertEventType.ACKNOWLEDGED
    status = AlertStatus.RESOLVED if over else AlertStatus.ACKNOWLEDGED if acknowledged else AlertStatus.OPEN
    return Alert(
        id=f"5f1c9a7e{place:04d}",
        tenant_id="acme",
        rule_key="device_offline" if silence else "cpu_high",
        dedup_key=f"sample/{place}",
        subject_kind=SubjectKind.DEVICE,
        subject_id=f"till-{place + 1}",
        severity=severity,
        severity_rank=SEVERITY_RANK[severity],
        status=status,
        live=not over,
        title=f"{'Device offline' if silence else 'CPU high'}: {name}",
        message=f"no heartbeat for {silent:.0f} s, over 120 s" if silence else "CPU 97.25 %, over 90 % for 5 min",
        first_seen=since,
        last_seen=now,
        store_id=f"s-{place % 5 + 1}",
        value=silent if silence else 97.25,
        threshold=120.0 if silence else 90.0,
        unit="s" if silence else "%",
        acknowledged_by="olga@example.com" if acknowledged else None,
        resolved_at=now if over else None,
        resolved_by="olga@example.com" if over and not silence else None,
        resolution=(Resolution.RECOVERED if silence else Resolution.MANUAL) if over else None,
        resolution_note=("last heartbeat 2 s ago, within 120 s" if silence else "a stuck update was ended") if over else None,
        runbook_url="https://wiki.example.com/runbooks/tills",
    )


def _device(alert: Alert, now: datetime) -> Device:
    return Device(
        id=f"acme/{alert.subject_id}",
        tenant_id="acme",
        device_id=alert.subject_id,
        lane=0,
        status=DeviceStatus.OFFLINE if alert.live else DeviceStatus.ONLINE,
        since=alert.first_seen,
        created_at=now - timedelta(days=90),
        offline_after=120,
        wake_after=120,
        last_seen=alert.first_seen - timedelta(seconds=120) if alert.live and alert.unit == "s" else now - timedelta(seconds=2),
        store_id=alert.store_id,
        name=alert.title.partition(": ")[2],
        hostname=f"{alert.subject_id}.local",
    )
