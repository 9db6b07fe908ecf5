"""Which alerts a list or a stream shows: one definition, asked of an alert here and of MongoDB in `store.alert_lists`."""

import re
from datetime import datetime
from functools import lru_cache

import msgspec

from app.domain.alert import Alert, AlertEvent, AlertStatus, Filterable, Severity
from app.domain.search import literal
from app.domain.subject import SubjectKind
from app.errors import BadInputError, FieldError

MOST_IN_LIST = 200
LONGEST_TEXT = 200


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """An alert is shown that matches every list that is not empty.

    `search` is looked for, whatever its case, in title, message, subject and rule key; `start` and `end` bound `first_seen`.
    Without `include_suppressed` alerts that are folded under a parent are left out.
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
    include_suppressed: bool = True


def filter_errors(chosen: AlertFilter) -> list[FieldError]:
    """Every bad field, by its name on the wire."""
    lists = {
        "status": chosen.status,
        "severity": chosen.severity,
        "ruleKeys": chosen.rule_keys,
        "storeIds": chosen.store_ids,
        "deviceIds": chosen.device_ids,
    }
    texts = {"assignee": chosen.assignee or "", "search": chosen.search or ""}
    errors = [
        FieldError(f"filter.{name}", f"has {len(values)} entries; at most {MOST_IN_LIST}")
        for name, values in lists.items()
        if len(values) > MOST_IN_LIST
    ]
    errors += [
        FieldError(f"filter.{name}", f"has {len(text)} characters; at most {LONGEST_TEXT}")
        for name, text in texts.items()
        if len(text) > LONGEST_TEXT
    ]
    if chosen.start is not None and chosen.end is not None and chosen.start >= chosen.end:
        errors.append(FieldError("filter.range", "must begin before it ends"))
    return errors


def require_good_filter(chosen: AlertFilter) -> None:
    if errors := filter_errors(chosen):
        raise BadInputError(errors)


def matches(chosen: AlertFilter, alert: Alert) -> bool:
    return _as(chosen, alert, filterable(alert))


def filterable(alert: Alert) -> Filterable:
    """What may change of an alert among what filters look at."""
    return Filterable(status=alert.status, severity=alert.severity, assignee=alert.assignee, folded=alert.parent_id is not None)


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
        and (not chosen.device_ids or (alert.subject_kind is SubjectKind.DEVICE and alert.subject_id in chosen.device_ids))
        and (chosen.include_suppressed or not fields.folded)
        and (chosen.assignee is None or fields.assignee == chosen.assignee)
        and (chosen.start is None or alert.first_seen >= chosen.start)
        and (chosen.end is None or alert.first_seen < chosen.end)
        and (not chosen.search or _found(chosen.search, alert))
    )


def _found(search: str, alert: Alert) -> bool:
    sought = _sought(search)
    return any(sought.search(text) for text in (alert.title, alert.message, alert.subject_id, alert.rule_key))


@lru_cache(maxsize=256)
def _sought(search: str) -> re.Pattern[str]:
    return re.compile(literal(search))
