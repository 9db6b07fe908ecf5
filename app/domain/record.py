"""The record of a transaction: its changes as events, each at its place in the lane. Pure."""

from collections.abc import Sequence

from app.domain.alert import AlertEvent, Change
from app.domain.alert_filter import filterable


def record_of(lane: int, seq: int, changes: Sequence[Change]) -> list[AlertEvent]:
    """The events behind `seq`; changes without a type leave no record."""
    recorded = [change for change in changes if change.type is not None]
    return [_event(lane, seq + place, change) for place, change in enumerate(recorded, start=1)]


def _event(lane: int, seq: int, change: Change) -> AlertEvent:
    if change.type is None:
        raise ValueError("a change without a type leaves no record")
    before = change.before
    return AlertEvent(
        id=f"{lane}-{seq}",
        lane=lane,
        seq=seq,
        tenant_id=change.after.tenant_id,
        alert_id=change.after.id,
        type=change.type,
        at=change.at,
        alert=change.after,
        before=None if before is None else filterable(before),
        actor=change.actor,
        reason=change.reason,
        detail=change.detail,
    )
