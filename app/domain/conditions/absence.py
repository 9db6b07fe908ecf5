"""Absence: a device that has stopped to beat."""

from datetime import datetime, timedelta

from app.domain.conditions.observation import Observation
from app.domain.device import Device, silent_since
from app.domain.rule import AbsenceCondition


def absence_after(condition: AbsenceCondition, device: Device) -> int:
    """Seconds of silence that this rule allows this device."""
    return device.offline_after if condition.after_sec is None else condition.after_sec


def absence_deadline(condition: AbsenceCondition, device: Device, gap_end: datetime | None) -> datetime | None:
    """When the rule is breached if no beat comes by then; None before the first beat and after retirement."""
    since = silent_since(device, gap_end)
    if since is None or device.retired_at is not None:
        return None
    return since + timedelta(seconds=absence_after(condition, device))


def observe_absence(condition: AbsenceCondition, device: Device, gap_end: datetime | None, now: datetime) -> Observation | None:
    """Whether the device is past its deadline at `now`; None for one that never beat, which nobody can miss."""
    bound = absence_deadline(condition, device, gap_end)
    if bound is None or device.last_seen is None:
        return None
    after = absence_after(condition, device)
    silence = (now - device.last_seen).total_seconds()
    if now >= bound:
        reason = f"no heartbeat for {silence:.0f} s, over {after} s"
        return Observation(
            at=now, breach=True, good=False, reason=reason, since=bound, value=silence, threshold=after, unit="s", still=True
        )
    reason = f"last heartbeat {max(silence, 0):.0f} s ago, within {after} s"
    return Observation(
        at=now,
        breach=False,
        good=True,
        reason=reason,
        since=device.last_seen,
        value=silence,
        threshold=after,
        unit="s",
        still=True,
    )
