"""Importing a configuration: all of it or nothing, said before it is done, and what is live follows."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from app.audit import audit_log
from app.clock import ManualClock
from app.config_exchange import Import, export_config, import_config
from app.config_yaml import read_yaml, write_yaml
from app.context import Context
from app.domain.alert import Resolution, Severity
from app.domain.faults import Faults
from app.domain.rule import AbsenceCondition, Rule
from app.domain.rule_input import RulePatch
from app.domain.rule_tests import Check, RuleTest
from app.domain.tenant import EVERY_TENANT
from app.errors import FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.rule_changes import create_rule, update_rule
from app.rule_overrides import override_rule
from app.rules import list_rules
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import NOW, TENANTS, mate, outsider, owner, root, viewer
from tests.config.generating import books
from tests.rules.world import DEFAULTS, add_alert, add_device, due_after, ended, hot

COLD: dict[str, Any] = {"key": "cold", "name": "Cold", "severity": "LOW", "condition": {"absence": {"afterSec": 30}}}
TEST = {
    "history": [{"at": 0, "beat": {"deviceId": "pos-1"}}],
    "expect": [{"subject": "pos-1", "firedAt": 30, "resolvedAt": None}],
}


async def bring(context: Context, check: Check | None = None, **sections: Any) -> Import:
    return await import_config(context, owner, None, document(**sections), dry_run=False, check=check)


async def look(context: Context, **sections: Any) -> Import:
    return await import_config(context, owner, None, document(**sections))


def document(**sections: Any) -> str:
    return write_yaml({"version": 1, **sections})


def said(done: Import) -> list[tuple[str, str, str]]:
    assert list(done.errors) == []
    return [(change.kind, change.key, change.action) for change in done.changes]


async def exported(context: Context) -> Any:
    return read_yaml(await export_config(context, owner, None), Faults())


async def own(context: Context, key: str) -> Rule | None:
    return next((rule for rule in (await list_rules(context, owner, None))[1] if rule.key == key and rule.tenant_id), None)


async def kept(context: Context) -> list[dict[str, Any]]:
    """Everything that an import may write."""
    database = context.mongo.database
    return [
        one for name in ("tenants", "alert_rules", "audit_log") for one in await database[name].find().sort("_id", 1).to_list()
    ]


async def test_the_configuration_of_a_tenant_is_one_document(context: Context) -> None:
    await create_rule(context, owner, None, hot(for_sec=60, max_alerts_per_hour=None))
    await create_rule(context, outsider, None, hot(key="theirs"))
    await override_rule(context, owner, None, "cpu_high", RulePatch(severity=Severity.HIGH))
    await update_tenant_config(context, owner, None, TenantPatch(offline_after_sec=60, max_alerts_per_hour=9))
    assert await exported(context) == {
        "version": 1,
        "thresholds": {
            "offlineAfterSec": 60,
            "syncLagWarnSec": None,
            "cooldownSec": 900,
            "maxAlertsPerHour": 9,
            "sharedFateRatio": 0.6,
            "sharedFateMin": 5,
        },
        "rules": [
            {
                "key": "too_hot",
                "name": "Too hot",
                "severity": "HIGH",
                "condition": {"metric": {"metric": "temperature", "comparison": "GT", "threshold": 70, "recoveryThreshold": 60}},
                "forSec": 60,
                "maxAlertsPerHour": None,
            }
        ],
        "overrides": {"cpu_high": {"severity": "HIGH"}},
    }


async def test_a_dry_run_says_what_would_change_and_writes_nothing(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    before = await kept(context)
    done = await look(context, thresholds={"offlineAfterSec": 60}, rules=[COLD], overrides={"cpu_high": {"enabled": False}})
    assert said(done) == [
        ("threshold", "offlineAfterSec", "update"),
        ("rule", "too_hot", "delete"),
        ("rule", "cold", "create"),
        ("override", "cpu_high", "create"),
    ]
    threshold, deleted, _, override = done.changes
    assert done.dry_run is True
    assert (threshold.before, threshold.after) == (None, 60)
    assert (deleted.before["name"], deleted.after) == ("Too hot", None)
    assert (override.before, override.after) == (None, {"enabled": False})
    assert await kept(context) == before


async def test_an_import_does_what_its_dry_run_said(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    sections: dict[str, Any] = {"thresholds": {"offlineAfterSec": 60}, "rules": [COLD], "overrides": {"cpu_high": {"forSec": 9}}}
    expected = said(await look(context, **sections))
    assert said(await bring(context, **sections)) == expected
    assert said(await look(context, **sections)) == []
    after = await exported(context)
    assert {name: after[name] for name in ("rules", "overrides")} == {"rules": [COLD], "overrides": {"cpu_high": {"forSec": 9}}}
    rule, version = await own(context, "cold"), await own(context, "cpu_high")
    assert rule is not None
    assert version is not None
    assert (rule.version, rule.updated_by, rule.condition) == (1, owner.id, AbsenceCondition(after_sec=30))
    assert (version.overridden, version.for_sec, version.updated_by) == (("for_sec",), 9, owner.id)
    assert [one.key for one in (await list_rules(context, outsider, None))[1]] == DEFAULTS


async def test_a_rule_that_is_changed_by_an_import_stays_the_same_rule(context: Context, clock: ManualClock) -> None:
    rule = await create_rule(context, owner, None, hot())
    clock.advance(10)
    [written] = (await exported(context))["rules"]
    done = await bring(context, rules=[{**written, "severity": "LOW", "scope": {"kinds": ["pos"]}}])
    [change] = done.changes
    assert (change.before["severity"], change.after["severity"], set(change.after)) == ("HIGH", "LOW", {"severity", "scope"})
    changed = await own(context, "too_hot")
    assert changed is not None
    assert (changed.id, changed.version, changed.created_at, changed.updated_at) == (rule.id, 2, NOW, clock.now())


async def test_a_section_that_is_left_out_is_left_alone(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    await override_rule(context, owner, None, "cpu_high", RulePatch(for_sec=9))
    assert said(await bring(context)) == []
    assert said(await bring(context, rules=[])) == [("rule", "too_hot", "delete")]
    assert said(await bring(context, overrides={})) == [("override", "cpu_high", "delete")]
    assert [rule.key for rule in (await list_rules(context, owner, None))[1]] == DEFAULTS


async def test_an_override_becomes_a_rule_of_its_own_and_back(context: Context) -> None:
    await override_rule(context, owner, None, "cpu_high", RulePatch(for_sec=9))
    alone = {**COLD, "key": "cpu_high"}
    assert (await bring(context, rules=[alone])).errors == [
        "rules[0].key: is overridden by the tenant: give an `overrides` section without it"
    ]
    done = await bring(context, rules=[alone], overrides={})
    assert said(done) == [("override", "cpu_high", "delete"), ("rule", "cpu_high", "create")]
    assert (await exported(context))["rules"] == [alone]
    assert len((await bring(context, overrides={"cpu_high": {"forSec": 9}})).errors) == 1
    done = await bring(context, rules=[], overrides={"cpu_high": {"forSec": 9}})
    assert said(done) == [("rule", "cpu_high", "delete"), ("override", "cpu_high", "create")]
    assert (await exported(context))["overrides"] == {"cpu_high": {"forSec": 9}}


async def test_with_a_fault_nothing_is_written(context: Context) -> None:
    before = await kept(context)
    done = await bring(context, thresholds={"offlineAfterSec": 60}, rules=[COLD, {**COLD, "key": "b", "forSec": -1}])
    assert (done.changes, done.errors) == ((), ["rules[1].forSec: should be 0 to 604800, not -1"])
    done = await import_config(context, owner, None, "a: [", dry_run=False)
    assert "document: is not such YAML" in done.errors[0]
    assert await kept(context) == before


async def test_an_import_that_fails_half_way_leaves_nothing_behind(context: Context) -> None:
    before = await kept(context)
    rules = [{**COLD, "key": f"cold_{number}"} for number in range(3)]
    await context.mongo.database.command("collMod", "audit_log", validator={"never": True})
    try:
        with pytest.raises(Exception, match="failed validation"):
            await bring(context, thresholds={"offlineAfterSec": 60}, rules=rules)
    finally:
        await context.mongo.database.command("collMod", "audit_log", validator={})
    assert await kept(context) == before


async def test_many_errors_are_counted(context: Context) -> None:
    done = await import_config(context, owner, None, write_yaml({"version": 1, **{f"x{number}": 1 for number in range(1_200)}}))
    assert len(done.errors) == 1_001
    assert done.errors[-1] == "and 200 more"


async def test_an_import_is_in_the_audit_log_change_by_change(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    await bring(context, thresholds={"offlineAfterSec": 60}, rules=[COLD], overrides={"cpu_high": {"forSec": 9}})
    entries = (await audit_log(context, owner, None, 10, None)).items
    found = {(entry.action, entry.target) for entry in entries if entry.after is None or entry.after.get("name") != "Too hot"}
    assert found == {
        ("tenant.update", "tenant:acme"),
        ("rule.delete", "rule:too_hot"),
        ("rule.create", "rule:cold"),
        ("rule.override", "rule:cpu_high"),
    }
    [settings_changed] = [entry for entry in entries if entry.action == "tenant.update"]
    assert (settings_changed.before, settings_changed.after) == ({"offlineAfterSec": None}, {"offlineAfterSec": 60})


async def test_what_is_live_follows_an_import(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    await add_device(context, "acme", "pos-1")
    alerts = [await add_alert(context, "acme", key) for key in ("too_hot", "cpu_high", "disk_full")]
    await bring(context, rules=[COLD], overrides={"cpu_high": {"enabled": False}, "disk_full": {"severity": "LOW"}})
    endings = [await ended(context, alert) for alert in alerts]
    assert endings == [Resolution.RULE_CHANGED, Resolution.RULE_CHANGED, None]
    assert await due_after(context, "acme:pos-1") == 30
    await bring(context, rules=[], overrides={}, thresholds={"offlineAfterSec": 200})
    assert await due_after(context, "acme:pos-1") == 200


async def test_imports_and_changes_at_the_same_time_are_whole(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot(key="cold", condition=AbsenceCondition(after_sec=30)))
    ways = [{"name": "One", "forSec": 1}, {"name": "Two", "forSec": 2}, {"name": "Three", "forSec": 3}]
    await asyncio.gather(
        *(bring(context, rules=[{**COLD, **way}]) for way in ways),
        update_rule(context, owner, rule.id, RulePatch(description="by hand")),
    )
    after = await own(context, "cold")
    assert after is not None
    assert {"name": after.name, "forSec": after.for_sec} in ways
    assert after.version in (4, 5)


async def test_rules_with_tests_are_refused_while_nothing_runs_them(context: Context) -> None:
    before = await kept(context)
    done = await bring(context, rules=[{**COLD, "tests": [TEST]}])
    assert done.errors == ["rules[0].tests: tests cannot be run yet"]
    assert await kept(context) == before


async def test_the_tests_of_a_rule_are_run_on_the_rule_as_it_would_be(context: Context) -> None:
    seen: list[tuple[str, int]] = []

    def check(rule: Rule, tests: Sequence[RuleTest]) -> list[str]:
        seen.append((rule.key, len(tests)))
        return [] if rule.condition == AbsenceCondition(after_sec=30) else ["it did not fire"]

    late = {**COLD, "key": "late", "condition": {"absence": {}}, "tests": [TEST, TEST]}
    done = await bring(context, check, rules=[{**COLD, "tests": [TEST]}, late])
    assert done.errors == ["rules[1].tests: it did not fire"]
    assert seen == [("cold", 1), ("late", 2)]
    assert said(await bring(context, check, rules=[{**COLD, "tests": [TEST]}])) == [("rule", "cold", "create")]


@pytest.mark.parametrize(
    ("who", "tenant_id", "error"),
    [
        (ANONYMOUS, "acme", UnauthenticatedError),
        (viewer, None, ForbiddenError),
        (mate, None, ForbiddenError),
        (outsider, "acme", ForbiddenError),
        (root, None, FleetbeatError),
        (root, "nowhere", NotFoundError),
    ],
)
async def test_configuration_is_for_the_admins_of_the_tenant(
    context: Context, who: Principal, tenant_id: str | None, error: type[FleetbeatError]
) -> None:
    for act in (export_config(context, who, tenant_id), import_config(context, who, tenant_id, document())):
        with pytest.raises(error):
            await act


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(rules=books)
async def test_what_was_exported_is_imported_into_another_tenant_and_is_the_same_there(
    context: Context, rules: list[Rule]
) -> None:
    for tenant_id in TENANTS:
        await import_config(context, root, tenant_id, document(rules=[], overrides={}), dry_run=False)
    # Channels are a tenant's own, and another has none of them.
    rules = [msgspec.structs.replace(rule, channel_ids=()) for rule in rules]
    await context.store.rules.insert_all(rules)
    text = await export_config(context, root, "acme")
    assert said(await import_config(context, root, "acme", text, dry_run=False)) == []
    done = await import_config(context, root, "umbrella", text, dry_run=False)
    assert len(said(done)) == len(rules)
    assert await export_config(context, root, "umbrella") == text
    assert len([rule for rule in await context.store.rules.list(EVERY_TENANT) if rule.tenant_id]) == 2 * len(rules)
