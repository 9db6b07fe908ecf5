"""A parent: the one alert that is told for many which share their fate. Pure."""

from datetime import datetime

import msgspec

from app.domain import lifecycle
from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Change
from app.domain.fate import SOURCE, Fate, Group
from app.domain.ids import dedup_key
from app.domain.rule import Rule
from app.domain.subject import SubjectKind


def group_of(parent: Alert) -> Group:
    return Group(parent.tenant_id, parent.subject_kind, parent.subject_id)


def parent_key(rule_key: str, group: Group) -> str:
    return dedup_key(rule_key, group.kind.value, group.id)


def open_parent(alert_id: str, rule: Rule, group: Group, fate: Fate, now: datetime) -> Change:
    """Of the rule that its members breach, with that rule's severity."""
    [store_id] = fate.store_ids if len(fate.store_ids) == 1 else [None]
    alert = Alert(
        id=alert_id,
        tenant_id=group.tenant_id,
        rule_key=rule.key,
        dedup_key=parent_key(rule.key, group),
        subject_kind=group.kind,
        subject_id=group.id,
        store_id=group.id if group.kind is SubjectKind.STORE else store_id,
        severity=rule.severity,
        severity_rank=SEVERITY_RANK[rule.severity],
        status=AlertStatus.OPEN,
        live=True,
        title=_title(group, fate.missed, fate.total),
        message=fate.reason,
        first_seen=min(fate.start, now),
        last_seen=now,
        value=fate.missed,
        unit="devices",
        repeated_at=now,
        runbook_url=rule.runbook_url,
        source=SOURCE,
        details={"missed": fate.missed, "total": fate.total},
    )
    return Change(type=AlertEventType.OPENED, at=now, before=None, after=alert, reason=fate.reason)


def recount(parent: Alert, missing: int, total: int, now: datetime) -> Change | None:
    """How many they are by now: noted lazily, at most once a minute."""
    if now - parent.last_seen < lifecycle.TOUCH_EVERY:
        return None
    group = group_of(parent)
    after = msgspec.structs.replace(
        parent,
        last_seen=now,
        occurrences=parent.occurrences + 1,
        value=missing,
        title=_title(group, missing, total),
        message=f"{missing} of {total} devices of {group.name} are offline",
        details={"missed": missing, "total": total},
    )
    return Change(type=None, at=now, before=parent, after=after)


def _title(group: Group, missing: int, total: int) -> str:
    return f"{group.kind.value.capitalize()} {group.id}: {missing} of {total} devices offline"
