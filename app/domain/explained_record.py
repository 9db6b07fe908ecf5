"""What happened to an alert, and why, told from its record. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from app.domain.alert import Alert, AlertEvent, AlertEventType, Severity
from app.domain.explanation import Explanation, ExplanationStep, PlannedStep, clock
from app.domain.planned_tellings import FATE, names
from app.domain.telling import BEGINS, why_quiet

ITSELF = "fleetbeat"
"""Who acts where nobody did."""


def explain_record(alert: Alert, events: Sequence[AlertEvent], planned: Sequence[PlannedStep], now: datetime) -> Explanation:
    """How it came about and what became of it; `events` are oldest first."""
    steps = [step for event in events for step in _of_event(event)]
    in_order = sorted(planned, key=lambda step: step.at)
    return Explanation(summary=_summary(alert, now), steps=tuple(steps), next=tuple(in_order))


def opened_at(alert: Alert, events: Sequence[AlertEvent]) -> datetime:
    return next((event.at for event in events if event.type is AlertEventType.OPENED), alert.first_seen)


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
    if event.type in BEGINS:
        yield from _told(event)


def _told(event: AlertEvent) -> Iterator[ExplanationStep]:
    """Who was to hear of a beginning, or why nobody was."""
    detail = event.detail or {}
    told, nobody, until = _texts(detail.get("told")), detail.get("nobody"), event.alert.telling_held_until
    if (quiet := why_quiet(event.alert) or nobody) is not None:
        outcome, words = "nobody", f"nobody was told: {quiet}, when it {event.type.value}"
    elif told:
        held = f", not before {clock(until)}: {FATE}" if until is not None and until > event.at else ""
        outcome, words = names(told), f"to be told: {names(told)}{held}"
    else:
        return
    yield ExplanationStep(at=event.at, stage="told", outcome=outcome, reason=f"{words}, on {clock(event.at)}")


def _texts(listed: object) -> list[str]:
    return [str(one) for one in listed] if isinstance(listed, list | tuple) else []


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


def _notified(event: AlertEvent) -> str:
    return f"told: {event.reason}{_after(event)}"


def _given_up(event: AlertEvent) -> str:
    return f"given up{_after(event)}: {event.reason}"


def _after(event: AlertEvent) -> str:
    attempts = (event.detail or {}).get("attempts")
    return f" after {attempts} tries" if isinstance(attempts, int) and attempts > 1 else ""


def _in_general(event: AlertEvent) -> str:
    return f"{event.type.value.replace('_', ' ')} by {event.actor or 'itself'}{_note(event)}"


_WORDS: Mapping[AlertEventType, Callable[[AlertEvent], str]] = {
    AlertEventType.OPENED: _opened,
    AlertEventType.ACKNOWLEDGED: _acknowledged,
    AlertEventType.SEVERITY_CHANGED: _severity,
    AlertEventType.RESOLVED: _resolved,
    AlertEventType.REPEATED: _repeated,
    AlertEventType.NOTIFIED: _notified,
    AlertEventType.DELIVERY_DEAD: _given_up,
}


def _until(at: datetime | None) -> str:
    return "" if at is None else f" until {clock(at)}"


def _note(event: AlertEvent) -> str:
    return f": {event.reason}" if event.reason else ""
