"""What happened to an alert, and why, told from its record. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from app.domain.alert import Alert, AlertEvent, AlertEventType, Severity
from app.domain.explanation import Explanation, ExplanationStep, PlannedStep, clock

ITSELF = "fleetbeat"
"""Who acts where nobody did."""


def explain_record(
    alert: Alert, events: Sequence[AlertEvent], planned: Sequence[PlannedStep], now: datetime, *, told: str | None = None
) -> Explanation:
    """How it came about and what became of it; `events` are oldest first. With `told`, also whether that person was told."""
    steps = [step for event in events for step in _of_event(event)]
    if alert.muted_because is not None:
        who = told or "nobody"
        reason = f"{'not told' if told else 'nobody was told'}: {alert.muted_because}, when it opened on {clock(_opened_at(alert, events))}"
        steps.append(ExplanationStep(at=_opened_at(alert, events), stage="told", outcome=who, reason=reason))
    return Explanation(summary=_summary(alert, now), steps=tuple(steps), next=tuple(planned))


def _summary(alert: Alert, now: datetime) -> str:
    began = f"{alert.title}: {alert.message}, since {clock(alert.first_seen)}"
    if alert.resolved_at is not None:
        who = alert.resolved_by or "by itself"
        why = f": {alert.resolution_note}" if alert.resolution_note else ""
        kind = "" if alert.resolution is None else f" as {alert.resolution.name}"
        return f"{began}; it ended on {clock(alert.resolved_at)}, {who}{kind}{why}"
    lasts = (now - alert.first_seen).total_seconds()
    held = "" if alert.acknowledged_by is None else f" by {alert.acknowledged_by}"
    return f"{began}; it is {alert.status.name}{held} as {alert.severity.name}, for {lasts:.0f} s now"


def _of_event(event: AlertEvent) -> Iterator[ExplanationStep]:
    if event.type is AlertEventType.OPENED:
        for stage in _kept_steps(event.detail):
            yield ExplanationStep(at=event.at, stage=stage["stage"], outcome=stage["outcome"].upper(), reason=stage["reason"])
    words = _WORDS.get(event.type, _in_general)(event)
    yield ExplanationStep(
        at=event.at,
        stage=event.type.value,
        outcome=event.actor or ITSELF,
        reason=f"{words}, on {clock(event.at)}",
        detail=None if event.type is AlertEventType.OPENED else event.detail,
    )


def _kept_steps(detail: Mapping[str, object] | None) -> list[dict[str, str]]:
    steps = (detail or {}).get("steps")
    return steps if isinstance(steps, list) else []


def _opened(event: AlertEvent) -> str:
    alert = event.alert
    return f"opened as {alert.severity.name}: {event.reason}; bad since {clock(alert.first_seen)}"


def _acknowledged(event: AlertEvent) -> str:
    until = event.alert.acknowledged_until
    return f"acknowledged by {event.actor}{_until(until)}{_note(event)}"


def _severity(event: AlertEvent) -> str:
    before: Severity | None = None if event.before is None else event.before.severity
    was = "" if before is None else f" from {before.name}"
    return f"severity{was} to {event.alert.severity.name}{_note(event)}"


def _resolved(event: AlertEvent) -> str:
    alert = event.alert
    kind = "" if alert.resolution is None else f" as {alert.resolution.name}"
    lasted = (event.at - alert.first_seen).total_seconds()
    return f"resolved by {event.actor or 'itself'}{kind} after {lasted:.0f} s{_note(event)}"


def _repeated(event: AlertEvent) -> str:
    return f"still bad, seen {event.alert.occurrences} times since {clock(event.alert.first_seen)}{_note(event)}"


def _in_general(event: AlertEvent) -> str:
    return f"{event.type.value.replace('_', ' ')} by {event.actor or 'itself'}{_note(event)}"


_WORDS: Mapping[AlertEventType, Callable[[AlertEvent], str]] = {
    AlertEventType.OPENED: _opened,
    AlertEventType.ACKNOWLEDGED: _acknowledged,
    AlertEventType.SEVERITY_CHANGED: _severity,
    AlertEventType.RESOLVED: _resolved,
    AlertEventType.REPEATED: _repeated,
}


def _until(at: datetime | None) -> str:
    return "" if at is None else f" until {clock(at)}"


def _note(event: AlertEvent) -> str:
    return f": {event.reason}" if event.reason else ""


def _opened_at(alert: Alert, events: Sequence[AlertEvent]) -> datetime:
    return next((event.at for event in events if event.type is AlertEventType.OPENED), alert.first_seen)
