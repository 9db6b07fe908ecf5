"""The document of a configuration: what is written is read again as it was, and every fault in one is named by its path."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.config_yaml import MOST_BYTES, read_yaml, write_yaml
from app.domain.config_document import Change, Config, read_config, threshold_changes, write_config
from app.domain.config_plan import Book, rule_changes, wanted_rules
from app.domain.faults import Faults
from app.domain.rule import Rule
from app.domain.rule_tests import RuleTest
from app.domain.tenant import Tenant
from app.tenant_changes import check_settings
from tests.cast import NOW
from tests.config.generating import DEFAULTS, books, tenants

TENANT = Tenant(id="acme", name="Acme", created_at=NOW)
COLD = {"key": "cold", "name": "Cold", "severity": "LOW", "condition": {"absence": {}}}


def read(text: str) -> tuple[Config, Faults]:
    faults = Faults()
    plain = read_yaml(text, faults)
    return (Config() if faults.found else read_config(plain, faults)), faults


def changes(config: Config, tenant: Tenant, rules: list[Rule], faults: Faults) -> list[Change]:
    book = Book(tenant_id="acme", now=NOW, own={rule.key: rule for rule in rules}, defaults=DEFAULTS)
    return [*threshold_changes(config, tenant), *rule_changes(config, book, wanted_rules(config, book, faults))]


def wrong_with(document: dict[str, Any]) -> dict[str, str]:
    """Every fault of a document, by its path."""
    config, faults = read(write_yaml(document))
    check_settings({name: value for name, value in (config.thresholds or {}).items() if value is not None}, "thresholds", faults)
    changes(config, TENANT, [], faults)
    return {fault.path: fault.message for fault in faults.found}


@settings(max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(tenant=tenants, rules=books)
def test_what_is_exported_changes_nothing_when_it_is_imported(tenant: Tenant, rules: list[Rule]) -> None:
    config, faults = read(write_yaml(write_config(tenant, rules)))
    assert changes(config, tenant, rules, faults) == []
    assert faults.found == []


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(tenant=tenants, rules=books, others=books)
def test_importing_brings_a_tenant_to_what_another_one_exported(tenant: Tenant, rules: list[Rule], others: list[Rule]) -> None:
    document = write_config(tenant, rules)
    config, faults = read(write_yaml(document))
    book = {rule.key: rule for rule in others}
    for change in changes(config, TENANT, others, faults):
        if change.wanted is not None:
            book[change.key] = change.wanted
        elif change.was is not None:
            del book[change.key]
    assert faults.found == []
    assert write_config(tenant, book.values()) == document


def test_a_document_reads_as_a_person_would_write_it() -> None:
    text = """
      version: 1
      thresholds: {offlineAfterSec: 60, syncLagWarnSec: null}
      rules:
        - key: night_sales
          name: Sales at night
          severity: LOW
          condition: {outsideHours: {event: SALE, opens: 06:00, closes: 22:00, days: [1, 2]}}
          scope: {storeIds: [north, north, no]}
      overrides:
        cpu_high: {severity: HIGH, maxAlertsPerHour: null}
    """
    config, faults = read(text)
    made = changes(config, TENANT, [], faults)
    assert faults.found == []
    assert [(change.kind, change.key, change.action) for change in made] == [
        ("threshold", "offlineAfterSec", "update"),
        ("override", "cpu_high", "create"),
        ("rule", "night_sales", "create"),
    ]
    assert made[1].after == {"severity": "HIGH", "maxAlertsPerHour": None}
    assert made[2].after["scope"]["storeIds"] == ["north", "no"]
    assert made[2].after["condition"]["outsideHours"]["closes"] == "22:00"


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({}, "version", "should be 1"),
        ({"version": 2}, "version", "should be 1"),
        ({"version": True}, "version", "should be 1"),
        ({"rule": []}, "rule", "is not known; there are version, thresholds, rules, overrides"),
        ({"thresholds": []}, "thresholds", "should be fields with their values, not a list"),
        ({"thresholds": {"offlineAfter": 1}}, "thresholds.offlineAfter", "is not known; there are offlineAfterSec"),
        ({"thresholds": {"offlineAfterSec": 1.5}}, "thresholds.offlineAfterSec", "should be a whole number, not 1.5"),
        ({"thresholds": {"offlineAfterSec": True}}, "thresholds.offlineAfterSec", "should be a whole number, not true"),
        ({"thresholds": {"offlineAfterSec": 0}}, "thresholds.offlineAfterSec", "should be 1 to 604800, not 0"),
        ({"thresholds": {"cooldownSec": None}}, "thresholds.cooldownSec", "should be a whole number, not null"),
        ({"thresholds": {"sharedFateRatio": 2}}, "thresholds.sharedFateRatio", "should be 0.01 to 1, not 2"),
        ({"rules": None}, "rules", "should be a list of rules"),
        ({"rules": ["cold"]}, "rules[0]", "should be fields with their values, not 'cold'"),
        ({"rules": [{}]}, "rules[0].key", "is missing"),
        ({"rules": [{}]}, "rules[0].condition", "is missing"),
        ({"rules": [COLD, COLD]}, "rules[1].key", "is there already"),
        ({"rules": [COLD] * 501}, "rules", "has 501 rules; at most 500"),
        ({"rules": [{**COLD, "key": "Not a slug"}]}, "rules[0].key", "should be a slug"),
        ({"rules": [{**COLD, "for_sec": 1}]}, "rules[0].for_sec", "is not known; there are key, name"),
        ({"rules": [{**COLD, "forSec": "1"}]}, "rules[0].forSec", "should be a whole number, not '1'"),
        ({"rules": [{**COLD, "forSec": -1}]}, "rules[0].forSec", "should be 0 to 604800, not -1"),
        (
            {"rules": [{**COLD, "severity": "loud"}]},
            "rules[0].severity",
            "should be CRITICAL, HIGH, MEDIUM, LOW, INFO, not 'loud'",
        ),
        ({"rules": [{**COLD, "scope": {"kinds": "pos"}}]}, "rules[0].scope.kinds", "should be a list, not 'pos'"),
        ({"rules": [{**COLD, "scope": {"kinds": ["pos", 7]}}]}, "rules[0].scope.kinds[1]", "should be text, not 7"),
        ({"rules": [{**COLD, "scope": {"serviceKeys": ["a"]}}]}, "rules[0].scope.serviceKeys", "is for rules about services"),
        ({"rules": [{**COLD, "condition": {}}]}, "rules[0].condition", "should have exactly one family: absence, metric"),
        ({"rules": [{**COLD, "condition": {"magic": {}}}]}, "rules[0].condition.magic", "is not known; there are absence"),
        (
            {"rules": [{**COLD, "condition": {"ratio": {"event": "PAYMENT", "threshold": 7, "windowSec": 300}}}]},
            "rules[0].condition.ratio.threshold",
            "should be 0 to 1, not 7",
        ),
        (
            {"rules": [{**COLD, "condition": {"service": {"severityStep": 1}}}]},
            "rules[0].condition.service.severityStep",
            "is not known; there are service, status, latencyMs",
        ),
        ({"overrides": []}, "overrides", "should be the keys of rules of the platform"),
        ({"overrides": {"cpu_high": {}}}, "overrides.cpu_high", "should have at least one field"),
        ({"overrides": {"cold": {"forSec": 1}}}, "overrides.cold", "is no rule of the platform"),
        ({"overrides": {"cpu_high": {"forSec": None}}}, "overrides.cpu_high.forSec", "should be a whole number, not null"),
        ({"overrides": {"cpu_high": {"forSec": -1}}}, "overrides.cpu_high.forSec", "should be 0 to 604800, not -1"),
        ({"overrides": {"cpu_high": {"key": "x"}}}, "overrides.cpu_high.key", "is not known"),
        (
            {"rules": [{**COLD, "key": "cpu_high"}], "overrides": {"cpu_high": {"forSec": 1}}},
            "rules[0].key",
            "is among the overrides too",
        ),
    ],
)
def test_a_fault_is_named_by_its_path_with_what_would_be_right(document: dict[str, Any], path: str, message: str) -> None:
    wrong = wrong_with({"version": 1, **document} if document else document)
    assert message in wrong[path]


def test_every_fault_is_named_at_once() -> None:
    bad = {**COLD, "severity": "loud", "forSec": -1, "scope": {"tags": [""]}, "name": "", "x": 1}
    document = {
        "version": 1,
        "thresholds": {"cooldownSec": -1, "y": 1},
        "rules": [bad, {**COLD, "key": "b", "condition": 1, "cooldownSec": -1}, COLD],
        "overrides": {"cpu_high": {"cooldownSec": -1, "z": 1}, "nothing": {"forSec": 1}},
    }
    assert set(wrong_with(document)) == {
        "thresholds.cooldownSec",
        "thresholds.y",
        "rules[0].severity",
        "rules[0].forSec",
        "rules[0].scope.tags[0]",
        "rules[0].name",
        "rules[0].x",
        "rules[1].condition",
        "rules[1].cooldownSec",
        "rules[2].key",
        "overrides.cpu_high.cooldownSec",
        "overrides.cpu_high.z",
        "overrides.nothing",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "expected ',' or ']' in line 2, column 1"),
        ("a: 1\na: 2", "'a' stands there twice in line 2, column 1"),
        ("? [1]\n: 2", "a name has to be text"),
        ("a: &x [1]\nb: [*x, *x]", "anchors and aliases are not taken in line 1, column 4"),
        ("a: !!python/object/apply:os.system [id]", "tags are not taken in line 1, column 4"),
        ("a: !!bool 7", "tags are not taken"),
        ("[" * 100_000, "it is more than 20 levels deep"),
        ("--- 1\n--- 2", "only one document is taken"),
        ("a: \x00", "unacceptable character"),
        ("a: \ud800", "surrogates not allowed"),
        ("a: " + "9" * 5_000, "digits"),
        ("a" * (MOST_BYTES + 1), "should have at most 1,000,000 bytes"),
        ("é" * (MOST_BYTES // 2 + 1), "should have at most 1,000,000 bytes"),
        ("", "should have the fields version, thresholds, rules and overrides"),
        ("- 1", "should have the fields"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_document_is_refused(text: str, message: str) -> None:
    [fault] = read(text)[1].found
    assert (fault.path, message in fault.message) == ("document", True)


def with_tests(*history: dict[str, Any], expect: Any = ()) -> dict[str, Any]:
    return {**COLD, "tests": [{"history": list(history), "expect": list(expect)}]}


def test_the_tests_of_a_rule_are_read() -> None:
    beat = {"at": 0, "beat": {"deviceId": "pos-1", "cpuUsage": 95, "metrics": [{"name": "fan", "value": 1}]}}
    event = {"at": 60, "event": {"kind": "PAYMENT", "outcome": "FAILURE", "count": 9, "storeId": "north"}}
    service = {"at": 60, "service": {"key": "database", "status": "UNHEALTHY", "latencyMs": 7}}
    alert = {"subject": "pos-1", "firedAt": 120, "resolvedAt": None}
    config, faults = read(write_yaml({"version": 1, "rules": [with_tests(beat, event, service, expect=[alert])]}))
    assert faults.found == []
    assert config.rules is not None
    [test] = config.rules[0].tests
    assert isinstance(test, RuleTest)
    assert [step.at for step in test.history] == [0, 60, 60]
    assert test.history[0].beat is not None
    assert (test.history[0].beat.cpu_usage, test.expect[0].subject) == (95.0, "pos-1")


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"at": 0}, "history[0]"),
        ({"at": 0, "beat": {"deviceId": "a"}, "event": {"kind": "SALE"}}, "history[0]"),
        ({"at": -1, "beat": {"deviceId": "a"}}, "history[0].at"),
        ({"at": "0", "beat": {"deviceId": "a"}}, "history[0].at"),
        ({"at": 0, "beat": {"deviceId": ""}}, "history[0].beat.deviceId"),
        ({"at": 0, "beat": {"deviceId": "a", "cpu": 1}}, "history[0].beat.cpu"),
        ({"at": 0, "event": {"kind": "GIFT"}}, "history[0].event.kind"),
        ({"at": 0, "event": {"kind": "SALE", "count": 0}}, "history[0].event.count"),
        ({"at": 0, "service": {"key": "a"}}, "history[0].service.status"),
    ],
)
def test_a_bad_step_of_a_test_is_named(step: dict[str, Any], path: str) -> None:
    assert f"rules[0].tests[0].{path}" in wrong_with({"version": 1, "rules": [with_tests(step)]})


def test_what_a_test_expects_is_in_order_of_time() -> None:
    beats = [{"at": at, "beat": {"deviceId": "a"}} for at in (60, 30)]
    rule = with_tests(*beats, expect=[{"subject": "a", "firedAt": 60, "resolvedAt": 30}, {"subject": "a", "firedAt": 1}])
    wrong = wrong_with({"version": 1, "rules": [rule]})
    assert set(wrong) == {"rules[0].tests[0].expect[1].resolvedAt"}
    rule["tests"][0]["expect"].pop()
    wrong = wrong_with({"version": 1, "rules": [rule]})
    assert set(wrong) == {"rules[0].tests[0].history[1].at", "rules[0].tests[0].expect[0].resolvedAt"}
