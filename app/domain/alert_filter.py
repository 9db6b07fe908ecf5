"""Which alerts a list or a stream shows: one definition, asked of an alert here and of MongoDB in `store.alert_lists`."""

from datetime import datetime

import msgspec

from app.domain.alert import Alert, AlertEvent, AlertStatus, Filterable, Severity


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """An alert is shown that matches every list that is not empty.

    `search` is looked for, whatever its case, in title, message, subject and rule key; `start` and `end` bound `first_seen`.
    """

    tenant_id: str | None = None
    status: tuple[AlertStatus, ...] = ()
    severity: tuple[Severity, ...] = ()
    rule_keys: tuple[str, ...] = ()
    store_ids: tuple[str, ...] = ()
    device_ids: tuple[str, ...] = ()
    assignee: str | None = None
    search: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def matches(chosen: AlertFilter, alert: Alert) -> bool:
    return _as(chosen, alert, Filterable(status=alert.status, severity=alert.severity, assignee=alert.assignee))


def event_matches(chosen: AlertFilter, event: AlertEvent) -> bool:
    """Whether the alert matches after the transition, or did before it: so that a list sees it leave."""
    return matches(chosen, event.alert) or (event.before is not None and _as(chosen, event.alert, event.before))


def _as(chosen: AlertFilter, alert: Alert, fields: Filterable) -> bool:
    return (
        (chosen.tenant_id is None or alert.tenant_id == chosen.tenant_id)
        and (not chosen.status or fields.status in chosen.status)
        and (not chosen.severity or fields.severity in chosen.severity)
        and (not chosen.rule_keys or alert.rule_key in chosen.rule_keys)
        and (not chosen.store_ids or alert.store_id in chosen.store_ids)
        and (not chosen.device_ids or alert.subject_id in chosen.device_ids)
        and (chosen.assignee is None or fields.assignee == chosen.assignee)
        and (chosen.start is None or alert.first_seen >= chosen.start)
        and (chosen.end is None or alert.first_seen < chosen.end)
        and (not chosen.search or _found(chosen.search, alert))
    )


def _found(search: str, alert: Alert) -> bool:
    sought = search.casefold()
    return any(sought in text.casefold() for text in (alert.title, alert.message, alert.subject_id, alert.rule_key))
