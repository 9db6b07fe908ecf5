"""Tests that a rule brings along: a made-up history, and the alerts that the rule should open in it."""

from collections.abc import Callable, Sequence

import msgspec

from app.domain.beat import HealthStatus
from app.domain.faults import WEEK, Faults
from app.domain.ids import is_device_id
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.plain import UNREADABLE, read
from app.domain.rule import Rule

MOST_TESTS = 20
"""Tests of one rule."""

MOST_STEPS = 1_000
"""Steps in the history of one test, and alerts that it expects."""

LONGEST_SEC = 4 * WEEK


class GivenGauge(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: float


class GivenBeat(msgspec.Struct, frozen=True, kw_only=True):
    """A heartbeat, in the names and units of `HeartbeatInput`."""

    device_id: str
    store_id: str | None = None
    kind: str | None = None
    status: str | None = None
    error_rate5m: float | None = None
    request_latency_p95: float | None = None
    sync_lag_sec: float | None = None
    memory_usage: float | None = None
    cpu_usage: float | None = None
    disk_usage: float | None = None
    metrics: tuple[GivenGauge, ...] = ()


class GivenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An operational event, or `count` of the same."""

    kind: EventKind
    outcome: EventOutcome = EventOutcome.SUCCESS
    count: int = 1
    device_id: str | None = None
    store_id: str | None = None


class GivenCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of a service found."""

    key: str
    status: HealthStatus
    latency_ms: float | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What came `at` so many seconds after the beginning: one of the three."""

    at: int
    beat: GivenBeat | None = None
    event: GivenEvent | None = None
    service: GivenCheck | None = None


class ExpectedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of a subject, in seconds after the beginning; `resolved_at` None is still live at the end."""

    subject: str
    fired_at: int
    resolved_at: int | None


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """A history, in order of time, and every alert that the rule opens in it."""

    history: tuple[Step, ...]
    expect: tuple[ExpectedAlert, ...]
    name: str | None = None


Check = Callable[[Rule, Sequence[RuleTest]], list[str]]
"""Runs a rule's tests, and says what came out otherwise than expected: a sentence each, none where all is as it should be."""


def read_tests(value: object, path: str, faults: Faults) -> tuple[RuleTest, ...]:
    """The tests of a rule; empty where one could not be read."""
    found = read(value, tuple[RuleTest, ...], path, faults)
    if found is UNREADABLE:
        return ()
    tests: tuple[RuleTest, ...] = found
    faults.require(len(tests) <= MOST_TESTS, path, f"has {len(tests)} tests; at most {MOST_TESTS}")
    for index, test in enumerate(tests[:MOST_TESTS]):
        _check_test(test, f"{path}[{index}]", faults)
    return tests


def _check_test(test: RuleTest, path: str, faults: Faults) -> None:
    if test.name is not None:
        faults.title(f"{path}.name", test.name, 200)
    for name, values in (("history", test.history), ("expect", test.expect)):
        faults.require(len(values) <= MOST_STEPS, f"{path}.{name}", f"has {len(values)} entries; at most {MOST_STEPS}")
    before = 0
    for index, step in enumerate(test.history[:MOST_STEPS]):
        _check_step(step, f"{path}.history[{index}]", faults)
        faults.require(step.at >= before, f"{path}.history[{index}].at", "should not be before the step before it")
        before = max(before, step.at)
    for index, alert in enumerate(test.expect[:MOST_STEPS]):
        _check_expected(alert, f"{path}.expect[{index}]", faults)


def _check_step(step: Step, path: str, faults: Faults) -> None:
    faults.between(f"{path}.at", step.at, 0, LONGEST_SEC)
    said = [one for one in (step.beat, step.event, step.service) if one is not None]
    faults.require(len(said) == 1, path, "should have exactly one of beat, event, service")
    if step.beat is not None:
        faults.require(is_device_id(step.beat.device_id), f"{path}.beat.deviceId", "should be 1 to 128 printable characters")
    if step.event is not None:
        faults.between(f"{path}.event.count", step.event.count, 1, 1_000_000)
    if step.service is not None:
        faults.title(f"{path}.service.key", step.service.key, 100)


def _check_expected(alert: ExpectedAlert, path: str, faults: Faults) -> None:
    faults.title(f"{path}.subject", alert.subject, 200)
    faults.between(f"{path}.firedAt", alert.fired_at, 0, LONGEST_SEC)
    if alert.resolved_at is not None:
        faults.between(f"{path}.resolvedAt", alert.resolved_at, 0, LONGEST_SEC)
        faults.require(alert.resolved_at >= alert.fired_at, f"{path}.resolvedAt", "should not be before firedAt")
