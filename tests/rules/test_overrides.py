"""A tenant's own version of a default: what it sets, what it follows, and what that does to what is live."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.audit import audit_log
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Resolution, Severity
from app.domain.beat import HealthStatus
from app.domain.rule import AbsenceCondition, MetricCondition, Rule, RuleScope, ServiceCondition
from app.domain.rule_input import RulePatch
from app.domain.tenant import only
from app.errors import BadInputError, ConflictError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.rule_changes import create_rule, delete_rule, set_rule_enabled, update_rule
from app.rule_overrides import override_rule
from app.rules import effective_rules, find_rule, list_rules, rules_of
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import both, mate, outsider, owner, root, viewer
from tests.domain.making import a_device
from tests.rules.world import DEFAULTS, add_alert, add_device, default_rule, due_after, ended, hot, metric

CPU = "default-cpu_high"


async def override(context: Context, key: str = "cpu_high", **patch: Any) -> Rule:
    return await override_rule(context, owner, None, key, RulePatch(**patch))


async def held(context: Context, tenant_id: str, key: str) -> Rule:
    """The rule as every reader has it: they agree."""
    tenant = await context.store.tenants.get(tenant_id)
    assert tenant is not None
    [rule] = await rules_of(context, [(tenant_id, key)])
    assert rule is not None
    assert rule in (await effective_rules(context, [tenant]))[tenant_id]
    assert rule in (await list_rules(context, root, tenant_id))[1]
    if rule.tenant_id is not None:
        assert (await find_rule(context, root, rule.id))[1] == rule
        assert rule in (await list_rules(context, root, None))[1]
    return rule


async def test_an_override_sets_some_fields_and_follows_the_default_in_the_others(context: Context) -> None:
    default = await default_rule(context, "cpu_high")
    rule = await override(context, severity=Severity.CRITICAL, for_sec=60)
    expected = {
        "id": rule.id,
        "tenant_id": "acme",
        "severity": Severity.CRITICAL,
        "for_sec": 60,
        "overridden": ("severity", "for_sec"),
        "updated_by": owner.id,
    }
    assert rule == msgspec.structs.replace(default, **expected)
    assert await held(context, "acme", "cpu_high") == rule
    assert await held(context, "umbrella", "cpu_high") == default
    assert [one.key for one in (await list_rules(context, viewer, None))[1]] == DEFAULTS


async def test_a_later_change_of_the_default_shows_where_it_is_not_overridden(context: Context) -> None:
    await override(context, severity=Severity.CRITICAL)
    await update_rule(context, root, CPU, RulePatch(severity=Severity.LOW, for_sec=7, description="Ask the fan."))
    rule = await held(context, "acme", "cpu_high")
    assert (rule.severity, rule.for_sec, rule.description, rule.version) == (Severity.CRITICAL, 7, "Ask the fan.", 1)


async def test_null_returns_what_must_have_a_value_to_the_default(context: Context) -> None:
    made = await override(context, severity=Severity.CRITICAL, for_sec=60, scope=RuleScope(kinds=("pos",)))
    rule = await override(context, for_sec=None, scope=None)
    assert (rule.id, rule.version, rule.overridden) == (made.id, 2, ("severity",))
    assert (rule.for_sec, rule.scope) == (300, RuleScope())


async def test_null_clears_what_a_rule_can_be_without(context: Context) -> None:
    await update_rule(context, root, CPU, RulePatch(runbook_url="https://wiki.example.com"))
    rule = await override(context, max_alerts_per_hour=None, runbook_url=None, description=None)
    assert (rule.max_alerts_per_hour, rule.runbook_url) == (None, None)
    assert rule.overridden == ("max_alerts_per_hour", "runbook_url")


async def test_an_override_that_overrides_nothing_is_removed(context: Context) -> None:
    default = await default_rule(context, "cpu_high")
    assert await override(context) == default
    rule = await override(context, enabled=False)
    assert await update_rule(context, owner, rule.id, RulePatch(enabled=None), version=1) == default
    assert await context.store.rules.get(only("acme"), rule.id) is None
    assert await held(context, "acme", "cpu_high") == default


async def test_an_override_is_changed_by_its_id_with_its_version(context: Context, clock: ManualClock) -> None:
    made = await override(context, for_sec=60)
    clock.advance(10)
    rule = await update_rule(context, owner, made.id, RulePatch(name="Hot head"), version=1)
    assert (rule.overridden, rule.name, rule.for_sec, rule.version) == (("name", "for_sec"), "Hot head", 60, 2)
    assert rule.updated_at == clock.now()
    with pytest.raises(ConflictError):
        await update_rule(context, owner, made.id, RulePatch(name="Warm"), version=1)
    assert (await set_rule_enabled(context, owner, made.id, False)).overridden == ("name", "enabled", "for_sec")
    assert await held(context, "acme", "cpu_high") == await set_rule_enabled(context, owner, made.id, False)


async def test_a_deleted_override_leaves_the_default(context: Context) -> None:
    rule = await override(context, severity=Severity.LOW)
    alert = await add_alert(context, "acme", "cpu_high")
    assert await delete_rule(context, owner, rule.id) is True
    assert await held(context, "acme", "cpu_high") == await default_rule(context, "cpu_high")
    assert await ended(context, alert) is None


async def test_overrides_at_the_same_time_are_all_kept(context: Context) -> None:
    patches: list[dict[str, Any]] = [{"name": "Hotter"}, {"for_sec": 7}, {"severity": Severity.LOW}, {"cooldown_sec": 8}]
    await asyncio.gather(*(override(context, **patch) for patch in patches))
    rule = await held(context, "acme", "cpu_high")
    assert rule.overridden == ("name", "severity", "for_sec", "cooldown_sec")
    assert (rule.name, rule.for_sec, rule.severity, rule.cooldown_sec) == ("Hotter", 7, Severity.LOW, 8)


async def test_every_bad_field_of_an_override_is_named_and_nothing_is_kept(context: Context) -> None:
    with pytest.raises(BadInputError) as refused:
        await override(context, name="", for_sec=-1, condition=metric(recovery_threshold=99))
    paths = {field.path for field in refused.value.fields}
    assert paths == {"patch.name", "patch.forSec", "patch.condition.metric.recoveryThreshold"}
    assert (await held(context, "acme", "cpu_high")).tenant_id is None


@pytest.mark.parametrize(
    ("who", "tenant_id", "key", "error"),
    [
        (ANONYMOUS, "acme", "cpu_high", UnauthenticatedError),
        (viewer, None, "cpu_high", ForbiddenError),
        (mate, None, "cpu_high", ForbiddenError),
        (outsider, "acme", "cpu_high", ForbiddenError),
        (both, None, "cpu_high", BadInputError),
        (root, "nowhere", "cpu_high", NotFoundError),
        (owner, None, "no_such_rule", NotFoundError),
        (owner, None, "stands_alone", NotFoundError),
        (owner, None, "disk_full", ConflictError),
    ],
)
async def test_defaults_are_overridden_by_an_admin_for_one_tenant(
    context: Context, who: Principal, tenant_id: str | None, key: str, error: type[FleetbeatError]
) -> None:
    await create_rule(context, owner, None, hot(key="stands_alone"))
    await create_rule(context, owner, None, hot(key="disk_full"))
    with pytest.raises(error):
        await override_rule(context, who, tenant_id, key, RulePatch(for_sec=1))


async def test_the_overridden_lag_rule_follows_the_tenant_until_its_condition_is_overridden(context: Context) -> None:
    await override(context, "sync_lag_high", severity=Severity.LOW)
    for seconds in (45, 46):
        await update_tenant_config(context, owner, None, TenantPatch(sync_lag_warn_sec=seconds))
        assert threshold(await held(context, "acme", "sync_lag_high")) == seconds
    await override(context, "sync_lag_high", condition=metric(metric="syncLagSec", threshold=75))
    rule = await held(context, "acme", "sync_lag_high")
    assert (threshold(rule), rule.severity) == (75, Severity.LOW)


def threshold(rule: Rule) -> float:
    assert isinstance(rule.condition, MetricCondition)
    return rule.condition.threshold


async def test_a_service_rule_stays_as_much_milder_as_its_default(context: Context) -> None:
    rule = await override(context, "service_degraded", condition=ServiceCondition(status=(HealthStatus.UNKNOWN,)))
    assert rule.condition == ServiceCondition(status=(HealthStatus.UNKNOWN,), severity_step=1)
    assert await held(context, "acme", "service_degraded") == rule


async def test_an_override_that_is_off_ends_what_is_live_of_the_tenant_alone(context: Context) -> None:
    mine, theirs = await add_alert(context, "acme", "cpu_high"), await add_alert(context, "umbrella", "cpu_high")
    await override(context, severity=Severity.LOW)
    assert await ended(context, mine) is None
    await override(context, enabled=False)
    assert [await ended(context, alert) for alert in (mine, theirs)] == [Resolution.RULE_CHANGED, None]


@pytest.mark.parametrize(
    "patch", [{"scope": RuleScope(kinds=("gate",))}, {"condition": AbsenceCondition()}], ids=["scope", "family"]
)
async def test_an_override_that_looks_elsewhere_ends_what_is_live(context: Context, patch: dict[str, Any]) -> None:
    alert = await add_alert(context, "acme", "cpu_high")
    await context.store.devices.insert(a_device(device_id="pos-1"))
    await override(context, **patch)
    assert await ended(context, alert) is Resolution.RULE_CHANGED


async def test_a_default_that_is_switched_off_ends_alerts_where_that_shows_through(context: Context) -> None:
    await override(context, enabled=True)
    await override_rule(context, outsider, None, "cpu_high", RulePatch(severity=Severity.LOW))
    mine, theirs = await add_alert(context, "acme", "cpu_high"), await add_alert(context, "umbrella", "cpu_high")
    await set_rule_enabled(context, root, CPU, False)
    assert [await ended(context, alert) for alert in (mine, theirs)] == [None, Resolution.RULE_CHANGED]
    assert [(await held(context, tenant_id, "cpu_high")).enabled for tenant_id in ("acme", "umbrella")] == [True, False]


async def test_an_overridden_absence_rule_wakes_its_devices_by_the_new_time(context: Context) -> None:
    await add_device(context, "acme", "pos-1")
    await override(context, "device_offline", condition=AbsenceCondition(after_sec=10))
    assert await due_after(context, "acme:pos-1") == 10
    await override(context, "device_offline", condition=None)
    assert await due_after(context, "acme:pos-1") == 120


async def test_overrides_are_in_the_audit_log(context: Context, clock: ManualClock) -> None:
    await override(context, for_sec=60)
    clock.advance(1)
    await override(context, for_sec=None)
    entries = (await audit_log(context, owner, None, 10, None)).items
    assert [(entry.action, entry.target) for entry in entries] == [("rule.override", "rule:cpu_high")] * 2
    removed, made = entries
    assert made.before is not None
    assert removed.after is not None
    assert (made.before["forSec"], removed.after["forSec"]) == (300, 300)
