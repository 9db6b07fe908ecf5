"""Silence: when it counts, from when on, and what wakes us next."""

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.absence import observe_absence
from app.domain.device import DeviceStatus
from app.domain.rule import AbsenceCondition, RuleScope
from app.domain.silence import look_at
from tests.domain.making import NOON, a_device, a_rule, at


@pytest.mark.parametrize(
    ("own", "rule_after", "silence", "breach"),
    [
        (120, None, 119.999, False),
        (120, None, 120.0, True),  # by the deadline means before it
        (120, 600, 599.0, False),
        (120, 600, 600.0, True),
        (120, 30, 30.0, True),
    ],
)
def test_the_rules_own_time_wins_over_the_devices(own: int, rule_after: int | None, silence: float, breach: bool) -> None:
    seen = observe_absence(AbsenceCondition(after_sec=rule_after), a_device(offline_after=own), None, at(silence))
    assert seen is not None
    assert seen.breach is breach
    assert seen.good is not breach


def test_the_reason_names_silence_and_bound() -> None:
    seen = observe_absence(AbsenceCondition(), a_device(), None, at(143))
    assert seen is not None
    assert seen.reason == "no heartbeat for 143 s, over 120 s"
    assert seen.since == at(120)
    assert (seen.value, seen.threshold, seen.unit) == (143, 120, "s")


def test_nobody_misses_a_device_that_never_beat() -> None:
    device = a_device(last_seen=None, status=DeviceStatus.UNKNOWN)
    assert observe_absence(AbsenceCondition(), device, None, at(10_000)) is None
    assert look_at(device, [a_rule()], None, at(10_000)).due_at is None


def test_a_retired_device_is_not_missed() -> None:
    assert observe_absence(AbsenceCondition(), a_device(retired_at=at(1)), None, at(10_000)) is None


def test_a_gap_of_ours_moves_the_deadline_to_its_end_plus_the_time_allowed() -> None:
    device = a_device()
    during = look_at(device, [], at(300), at(310))
    assert during.status is DeviceStatus.ONLINE
    assert during.due_at == at(420)
    after = look_at(device, [], at(300), at(420))
    assert (after.status, after.since) == (DeviceStatus.OFFLINE, at(420))


def test_an_outage_begins_at_its_deadline_and_not_when_somebody_looked() -> None:
    look = look_at(a_device(), [], None, at(500))
    assert (look.status, look.since) == (DeviceStatus.OFFLINE, at(120))


def test_a_beat_in_the_millisecond_of_the_deadline_keeps_the_device_online() -> None:
    device = a_device(last_seen=at(120))
    look = look_at(device, [], None, at(120))
    assert look.status is DeviceStatus.ONLINE
    assert look.due_at == at(240)


def test_each_rule_in_scope_brings_its_own_next_look() -> None:
    rules = [
        a_rule(AbsenceCondition(after_sec=600)),
        a_rule(AbsenceCondition(after_sec=30), scope=RuleScope(kinds=("gate",))),
        a_rule(AbsenceCondition(after_sec=60), enabled=False),
    ]
    assert look_at(a_device(), rules, None, at(1)).due_at == at(120)
    assert look_at(a_device(), rules, None, at(130)).due_at == at(600)
    assert look_at(a_device(), rules, None, at(600)).due_at is None
    assert look_at(a_device(kind="gate"), rules, None, at(1)).due_at == at(30)


@given(
    last_seen=some.integers(0, 1_000),
    gap_end=some.none() | some.integers(0, 2_000),
    after=some.integers(1, 500),
    now=some.integers(0, 4_000),
)
def test_a_device_is_offline_exactly_from_its_deadline_on(last_seen: int, gap_end: int | None, after: int, now: int) -> None:
    device = a_device(last_seen=at(last_seen), offline_after=after)
    look = look_at(device, [], None if gap_end is None else at(gap_end), at(now))
    deadline = max(last_seen, gap_end or 0) + after
    assert (look.status is DeviceStatus.OFFLINE) == (now >= deadline)
    assert look.due_at == (at(deadline) if now < deadline else None)
    assert look.since == (at(deadline) if now >= deadline else NOON)
