"""The life of an alert: every transition as a pure function of the alert, who asks, and the time.

OPEN <-> ACKNOWLEDGED, both -> RESOLVED, RESOLVED -> OPEN by a person alone. What does not fit the present state raises
ConflictError with what is there now.
"""

from datetime import datetime, timedelta

import msgspec

from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Change, Resolution, Severity
from app.domain.conditions.observation import Observation, Seen
from app.domain.ids import dedup_key
from app.domain.rule import Rule, ServiceCondition
from app.domain.stages import Verdict
from app.domain.subject import Subject
from app.errors import ConflictError, bad_field

REPEAT_EVERY = timedelta(hours=1)
TOUCH_EVERY = timedelta(seconds=60)
PERSON_RESOLUTIONS = (Resolution.MANUAL, Resolution.FALSE_POSITIVE)


def open_alert(alert_id: str, rule: Rule, subject: Subject, seen: Seen, verdict: Verdict, now: datetime) -> Change:
    """A new alert of a rule on a subject; its record keeps how it came about."""
    value, threshold, unit = (seen.value, seen.threshold, seen.unit) if isinstance(seen, Observation) else (None, None, None)
    reason = verdict.steps[1].reason + _held(rule, now - verdict.first_seen)
    alert = Alert(
        id=alert_id,
        tenant_id=subject.tenant_id,
        rule_key=rule.key,
        dedup_key=dedup_key(rule.key, subject.kind.value, subject.id),
        subject_kind=subject.kind,
        subject_id=subject.id,
        store_id=subject.store_id,
        severity=rule.severity,
        severity_rank=SEVERITY_RANK[rule.severity],
        status=AlertStatus.OPEN,
        live=True,
        title=f"{rule.name}: {subject.name}",
        message=reason,
        first_seen=min(verdict.first_seen, now),
        last_seen=now,
        value=value,
        threshold=threshold,
        unit=unit,
        repeated_at=now,
        flapping=verdict.state.flapping,
        muted_because=verdict.muted,
        runbook_url=rule.runbook_url,
    )
    steps = [{"stage": one.stage, "outcome": one.outcome.value, "reason": one.reason} for one in verdict.steps]
    return Change(type=AlertEventType.OPENED, at=now, before=None, after=alert, reason=reason, detail={"steps": steps})


def repeat(alert: Alert, seen: Observation, now: datetime) -> Change | None:
    """It is still so: noted at most once a minute, told at most once an hour."""
    if now - alert.last_seen < TOUCH_EVERY:
        return None
    after = msgspec.structs.replace(
        alert, last_seen=now, occurrences=alert.occurrences + 1, value=seen.value, message=seen.reason
    )
    if now - (alert.repeated_at or alert.first_seen) < REPEAT_EVERY:
        return Change(type=None, at=now, before=alert, after=after)
    after = msgspec.structs.replace(after, repeated_at=now)
    return Change(type=AlertEventType.REPEATED, at=now, before=alert, after=after, reason=seen.reason)


def change_severity(alert: Alert, severity: Severity, now: datetime) -> Change:
    """Its rule, or the tier of its service, has another severity by now."""
    after = msgspec.structs.replace(alert, severity=severity, severity_rank=SEVERITY_RANK[severity], version=alert.version + 1)
    reason = f"from {alert.severity.name} to {severity.name}"
    return Change(type=AlertEventType.SEVERITY_CHANGED, at=now, before=alert, after=after, reason=reason)


def flap(alert: Alert, flapping: bool, now: datetime) -> Change:
    """It began, or ceased, to go to and fro."""
    after = msgspec.structs.replace(alert, flapping=flapping)
    kind = AlertEventType.FLAPPING if flapping else AlertEventType.FLAPPING_ENDED
    reason = "changes too often: it stays open until it is calm" if flapping else "is calm again"
    return Change(type=kind, at=now, before=alert, after=after, reason=reason)


def acknowledge(alert: Alert, actor: str, note: str | None, until: datetime | None, now: datetime) -> Change:
    if alert.status is not AlertStatus.OPEN:
        raise conflict(alert, "cannot be acknowledged")
    if until is not None and until <= now:
        raise bad_field("until", "must be in the future")
    after = msgspec.structs.replace(
        alert,
        status=AlertStatus.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=actor,
        acknowledged_until=until,
        version=alert.version + 1,
    )
    return Change(type=AlertEventType.ACKNOWLEDGED, at=now, before=alert, after=after, actor=actor, reason=note)


def unacknowledge(alert: Alert, actor: str | None, reason: str | None, now: datetime) -> Change:
    if alert.status is not AlertStatus.ACKNOWLEDGED:
        raise conflict(alert, "is not acknowledged")
    after = _open_again(alert)
    return Change(type=AlertEventType.UNACKNOWLEDGED, at=now, before=alert, after=after, actor=actor, reason=reason)


def resolve(alert: Alert, actor: str | None, reason: str, kind: Resolution, now: datetime) -> Change:
    """Ends an alert: `actor` is None where it ended by itself."""
    if not alert.live:
        raise conflict(alert, "cannot be resolved")
    after = msgspec.structs.replace(
        alert,
        status=AlertStatus.RESOLVED,
        live=False,
        flapping=False,
        # A person ends what may still be bad; only what recovered was seen to the end.
        last_seen=now if kind is Resolution.RECOVERED else alert.last_seen,
        resolved_at=now,
        resolved_by=actor,
        resolution=kind,
        resolution_note=reason,
        version=alert.version + 1,
    )
    return Change(type=AlertEventType.RESOLVED, at=now, before=alert, after=after, actor=actor, reason=reason)


def reopen(alert: Alert, actor: str, reason: str, now: datetime) -> Change:
    """Back to OPEN by a person, who then also ends it, unless its rule is breached anew and recovers."""
    if alert.live:
        raise conflict(alert, "cannot be reopened")
    after = msgspec.structs.replace(
        _open_again(alert),
        live=True,
        last_seen=now,
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        resolution_note=None,
        # Who reopens it wants it told for itself.
        parent_id=None,
        telling_held_until=None,
    )
    return Change(type=AlertEventType.REOPENED, at=now, before=alert, after=after, actor=actor, reason=reason)


def assign(alert: Alert, actor: str, assignee: str | None, now: datetime) -> Change:
    if not alert.live:
        raise conflict(alert, "cannot be assigned")
    if alert.assignee == assignee:
        raise conflict(alert, f"is already assigned to {assignee}" if assignee else "has no assignee already")
    after = msgspec.structs.replace(alert, assignee=assignee, version=alert.version + 1)
    reason = f"assigned to {assignee}" if assignee else "assignment taken back"
    return Change(type=AlertEventType.ASSIGNED, at=now, before=alert, after=after, actor=actor, reason=reason)


def comment(alert: Alert, actor: str, text: str, now: datetime) -> Change:
    return Change(type=AlertEventType.COMMENTED, at=now, before=alert, after=alert, actor=actor, reason=text)


def held(opened: Change, until: datetime | None) -> Change:
    """An opening whose telling waits until then."""
    return msgspec.structs.replace(opened, after=msgspec.structs.replace(opened.after, telling_held_until=until))


def fold(alert: Alert, parent: Alert, now: datetime) -> Change:
    """Under the one alert that is told for all that share its fate."""
    after = msgspec.structs.replace(alert, parent_id=parent.id)
    reason = f"one of many: {parent.message}"
    return Change(type=AlertEventType.GROUPED, at=now, before=alert, after=after, reason=reason, detail={"parentId": parent.id})


def unfold(alert: Alert, reason: str, held_until: datetime | None, now: datetime) -> Change:
    """On its own again; `held_until` as for one that opens."""
    after = msgspec.structs.replace(alert, parent_id=None, telling_held_until=held_until)
    detail: dict[str, object] = {"parentId": alert.parent_id}
    return Change(type=AlertEventType.UNGROUPED, at=now, before=alert, after=after, reason=reason, detail=detail)


def correct(alert: Alert, reason: str, now: datetime) -> list[Change]:
    """An outage that was none: noted once, and ended if it is live. What a person said of its end stays."""
    if alert.details is not None and alert.details.get("disproved"):
        return []
    by_itself = not alert.live and alert.resolved_by is None
    after = msgspec.structs.replace(
        alert,
        details={**(alert.details or {}), "disproved": True},
        resolution=Resolution.LATE_HEARTBEATS if by_itself else alert.resolution,
        resolution_note=reason if by_itself else alert.resolution_note,
    )
    corrected = Change(type=AlertEventType.CORRECTED, at=now, before=alert, after=after, reason=reason)
    return [corrected, resolve(after, None, reason, Resolution.LATE_HEARTBEATS, now)] if after.live else [corrected]


def require_version(alert: Alert, version: int | None) -> None:
    """Refuses a change made on a stale view."""
    if version is not None and version != alert.version:
        raise conflict(alert, f"has moved on from version {version}")


def conflict(alert: Alert, what: str) -> ConflictError:
    """A refusal that says what is there now, and by whom."""
    by = {
        AlertStatus.OPEN: "",
        AlertStatus.ACKNOWLEDGED: f" by {alert.acknowledged_by}",
        AlertStatus.RESOLVED: f" by {alert.resolved_by or 'itself'}",
    }[alert.status]
    current: dict[str, object] = {
        "status": alert.status.name,
        "version": alert.version,
        "assignee": alert.assignee,
        "acknowledgedBy": alert.acknowledged_by,
        "resolvedBy": alert.resolved_by,
    }
    return ConflictError(f"alert {alert.id} {what}: it is {alert.status.name}{by} at version {alert.version}", current)


def _held(rule: Rule, held: timedelta) -> str:
    """For how long it has been so, where the rule waited for that and its condition does not say it."""
    seconds = held.total_seconds()
    if rule.for_sec == 0 or seconds < 1 or isinstance(rule.condition, ServiceCondition):
        return ""
    return f" for {seconds:.0f} s" if seconds < 120 else f" for {seconds / 60:.0f} min"


def _open_again(alert: Alert) -> Alert:
    return msgspec.structs.replace(
        alert,
        status=AlertStatus.OPEN,
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_until=None,
        version=alert.version + 1,
    )
