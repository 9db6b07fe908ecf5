"""Silence: whether a device is offline at a given time, and when it next has to be looked at. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.conditions.absence import absence_deadline
from app.domain.device import Device, DeviceStatus, deadline
from app.domain.rule import AbsenceCondition, Rule, in_scope

GAP = timedelta(seconds=3)
"""So long without a sign of life of any intake nobody is judged, and it was a gap of ours, in which no device could be heard."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a device found. `since` of an outage is its deadline, not the time when somebody looked."""

    status: DeviceStatus
    since: datetime
    due_at: datetime | None


def absence_rules(rules: Sequence[Rule], device: Device) -> list[Rule]:
    """The enabled absence rules that are for this device."""
    return [
        rule for rule in rules if rule.enabled and isinstance(rule.condition, AbsenceCondition) and in_scope(rule.scope, device)
    ]


def look_at(device: Device, rules: Sequence[Rule], gap_end: datetime | None, now: datetime) -> Look:
    """The verdict on a device's connectivity, from its last beat, its rules and our own gaps alone."""
    bound = deadline(device, gap_end)
    if bound is None or device.last_seen is None:
        return Look(device.status, device.since, None)
    bounds = [bound]
    for rule in absence_rules(rules, device):
        if isinstance(rule.condition, AbsenceCondition):
            of_rule = absence_deadline(rule.condition, device, gap_end)
            bounds += [] if of_rule is None else [of_rule]
    due_at = min((at for at in bounds if at > now), default=None)
    status = DeviceStatus.OFFLINE if now >= bound else DeviceStatus.ONLINE
    if status is device.status:
        return Look(status, device.since, due_at)
    return Look(status, bound if status is DeviceStatus.OFFLINE else device.last_seen, due_at)
