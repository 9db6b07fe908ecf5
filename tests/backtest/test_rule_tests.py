"""The tests that rules bring along: what passes, what fails, and what is said of it; and the command that runs them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.beat import HealthStatus
from app.domain.operational_event import EventKind
from app.domain.rule import (
    AbsenceCondition,
    Condition,
    OutsideHoursCondition,
    RatioCondition,
    RuleScope,
    ServiceCondition,
    SpikeCondition,
)
from app.domain.rule_tests import RuleTest
from app.domain.rule_trials import run_tests
from tests.domain.making import a_rule, cpu_over


def tried(condition: Condition, history: list[dict[str, Any]], *expect: tuple[str, int, int | None], **rule: Any) -> list[str]:
    """History and expectation as a document has them, by the names of the domain."""
    expected = [{"subject": subject, "fired_at": fired, "resolved_at": ended} for subject, fired, ended in expect]
    test = msgspec.convert({"history": history, "expect": expected}, RuleTest)
    return run_tests(a_rule(condition, **rule), [test])


def cpu(at: int, value: float | None, **fields: Any) -> dict[str, Any]:
    return {"at": at, "beat": {"device_id": "till-1", "cpu_usage": value, **fields}}


def sold(at: int, count: int, outcome: str = "success", **fields: Any) -> dict[str, Any]:
    return {"at": at, "event": {"kind": "sale", "count": count, "outcome": outcome, **fields}}


def checked(at: int, status: str) -> dict[str, Any]:
    return {"at": at, "service": {"key": "api", "status": status}}


MINUTES = [cpu(at, 95) for at in range(0, 400, 60)]


def test_a_wait_and_a_recovery_are_kept_to_the_second() -> None:
    history = [*MINUTES, cpu(430, 85), cpu(460, 40)]
    assert tried(cpu_over(90, recovery_threshold=80), history, ("till-1", 300, 460), for_sec=300) == []


def test_silence_fires_at_its_deadline() -> None:
    history = [cpu(0, None), cpu(500, None)]
    assert tried(AbsenceCondition(), history, ("till-1", 120, 500)) == []
    assert tried(AbsenceCondition(after_sec=300), history, ("till-1", 300, 500)) == []


def test_a_share_of_events() -> None:
    history = [sold(0, 60, store_id="north"), sold(10, 20, "failure", store_id="north"), sold(20, 60, store_id="north")]
    condition = RatioCondition(event=EventKind.SALE, threshold=0.2, window_sec=900)
    assert tried(condition, history, ("north", 10, 20)) == []


def test_a_spike_beside_an_hour_as_usual() -> None:
    usual = [sold(at, 2) for at in range(0, 7_200, 300)]
    condition = SpikeCondition(event=EventKind.SALE, factor=3, window_sec=900, min_count=5)
    assert tried(condition, [*usual, sold(7_200, 40)], ("tenant", 7_200, None)) == []


def test_sales_while_the_shop_is_closed() -> None:
    """The beginning is a Monday at midnight; half a minute after the opening it is over."""
    condition = OutsideHoursCondition(event=EventKind.SALE, opens="01:00", closes="22:00")
    assert tried(condition, [sold(600, 1, store_id="north"), sold(4_000, 1, store_id="north")], ("north", 600, 3_630)) == []


def test_a_service_in_trouble() -> None:
    condition = ServiceCondition(status=(HealthStatus.UNHEALTHY,))
    history = [checked(0, "healthy"), checked(30, "unhealthy"), checked(60, "unhealthy"), checked(120, "healthy")]
    assert tried(condition, history, ("api", 60, 120), for_sec=30) == []


def test_who_is_not_in_scope_says_nothing() -> None:
    scope = RuleScope(kinds=("POS",), tags=("new",))
    assert tried(cpu_over(90), [cpu(0, 95)], scope=scope) == []
    assert tried(cpu_over(90), [cpu(0, 95, kind="POS")], ("till-1", 0, None), scope=scope) == []


def test_everything_that_differs_is_said() -> None:
    said = tried(cpu_over(90), [cpu(5, 95), cpu(30, 20)], ("till-1", 10, 30), ("till-2", 5, None))
    assert said == [
        "test 1: till-1 should fire at 10 s, and does not (it fires at 5 s)",
        "test 1: till-2 should fire at 5 s, and does not",
        "test 1: till-1 fires at 5 s, which is not expected",
    ]
    assert tried(cpu_over(90), [cpu(5, 95), cpu(30, 20)], ("till-1", 5, 40)) == [
        "test 1: till-1, fired at 5 s, should end at 40 s, and does end at 30 s"
    ]


def test_a_rule_that_cannot_be_evaluated_has_failed() -> None:
    nowhere = OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00", timezone="Moon/Base")
    [said] = tried(nowhere, [sold(0, 1)])
    assert said.startswith("test 1: the rule cannot be evaluated: ")


DOCUMENT = """
version: 1
rules:
  - key: hot
    name: Hot
    severity: HIGH
    condition: {metric: {metric: cpuUsage, comparison: GT, threshold: 90}}
    cooldownSec: 0
    tests:
      - name: fires and ends
        history:
          - {at: 0, beat: {deviceId: till-1, cpuUsage: 95}}
          - {at: 30, beat: {deviceId: till-1, cpuUsage: 20}}
        expect: [{subject: till-1, firedAt: 0, resolvedAt: %s}]
"""


def run(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app.cli", "rules", "test", str(path)]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "160"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(
    ("ended", "code", "says"), [("30", 0, "1 tests, 0 failed"), ("40", 1, "should end at 40 s, and does end at 30 s")]
)
def test_the_command_runs_the_tests_of_a_document(tmp_path: Path, ended: str, code: int, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(DOCUMENT % ended)
    done = run(path)
    assert (done.returncode, done.stderr) == (code, "")
    assert says in done.stdout


def test_a_document_that_is_not_right_is_said_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 2\nrules: 7\n")
    done = run(path)
    assert done.returncode == 1
    assert "version: should be 1" in done.stdout
    assert "rules: should be a list" in done.stdout
