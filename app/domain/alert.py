"""An alert, its transitions, and the record of them."""

from datetime import datetime
from enum import Enum

import msgspec

from app.domain.ids import device_key
from app.domain.subject import SubjectKind


class Severity(Enum):
    """In falling order."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}
"""0 for CRITICAL; what lists by severity are sorted by."""


class AlertStatus(Enum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(Enum):
    """Why an alert ended; a person may say MANUAL or FALSE_POSITIVE."""

    RECOVERED = "recovered"
    MANUAL = "manual"
    FALSE_POSITIVE = "false_positive"
    RULE_CHANGED = "rule_changed"
    NO_DATA = "no_data"
    DEVICE_RETIRED = "device_retired"
    LATE_HEARTBEATS = "late_heartbeats"


class AlertEventType(Enum):
    OPENED = "opened"
    REPEATED = "repeated"
    SEVERITY_CHANGED = "severity_changed"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    FLAPPING = "flapping"
    FLAPPING_ENDED = "flapping_ended"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    GROUPED = "grouped"
    UNGROUPED = "ungrouped"
    CORRECTED = "corrected"
    NOTIFIED = "notified"
    DELIVERY_DEAD = "delivery_dead"
    # The stream's own, never kept: they carry a cursor and no alert.
    RESYNC = "resync"
    BOOKMARK = "bookmark"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `version` moves with status, severity and assignee alone; `live` is true until it is resolved.

    `parent_id` is the alert that it is folded under; nobody is told of it then. `telling_held_until`: before that time nobody
    is told, because others seem to share its fate.
    """

    id: str
    tenant_id: str
    rule_key: str
    dedup_key: str
    subject_kind: SubjectKind
    subject_id: str
    severity: Severity
    severity_rank: int
    status: AlertStatus
    live: bool
    title: str
    message: str
    first_seen: datetime
    last_seen: datetime
    occurrences: int = 1
    version: int = 1
    store_id: str | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_until: datetime | None = None
    assignee: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution: Resolution | None = None
    resolution_note: str | None = None
    repeated_at: datetime | None = None
    flapping: bool = False
    muted_because: str | None = None
    runbook_url: str | None = None
    source: str = "rule"
    details: dict[str, object] | None = None
    parent_id: str | None = None
    telling_held_until: datetime | None = None


def device_of(alert: Alert) -> str | None:
    """The key of the device that an alert is about; None where it is about something else."""
    return device_key(alert.tenant_id, alert.subject_id) if alert.subject_kind is SubjectKind.DEVICE else None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A transition that was decided and is still to be written. `type` is None for what changes lazily, without a record."""

    type: AlertEventType | None
    at: datetime
    before: Alert | None
    after: Alert
    actor: str | None = None
    reason: str | None = None
    detail: dict[str, object] | None = None


class Filterable(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that filters look at, as they were before a transition, so that a list sees an alert leave."""

    status: AlertStatus
    severity: Severity
    assignee: str | None = None
    folded: bool = False


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One transition as it is kept: its place (`lane`, `seq`), and the alert as it then was."""

    id: str
    lane: int
    seq: int
    tenant_id: str
    alert_id: str
    type: AlertEventType
    at: datetime
    alert: Alert
    before: Filterable | None = None
    actor: str | None = None
    reason: str | None = None
    detail: dict[str, object] | None = None
