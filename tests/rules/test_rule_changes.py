"""Changing rules, and what a change does to what is live."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.audit import audit_log
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Resolution, Severity
from app.domain.operational_event import EventKind
from app.domain.rule import AbsenceCondition, RuleScope, ServiceCondition, SpikeCondition
from app.domain.rule_input import RulePatch
from app.domain.subject import SubjectKind
from app.domain.tenant import PLATFORM, Tenant, most_alerts_per_hour, only
from app.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.rule_changes import create_rule, delete_rule, set_rule_enabled, update_rule
from app.rules import count_live, find_rule, list_rules
from app.seed import seed_context
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import NOW, both, mate, outsider, owner, root, viewer
from tests.domain.making import a_device, a_rule
from tests.rules.world import DEFAULTS, add_alert, add_device, default_rule, due_after, ended, hot, metric

SPIKE = SpikeCondition(event=EventKind.REFUND, factor=3)
replace = msgspec.structs.replace


async def test_the_rules_of_others_are_not_there(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    assert (await find_rule(context, outsider, rule.id))[1] is None
    for act in (
        update_rule(context, outsider, rule.id, RulePatch(name="Mine")),
        set_rule_enabled(context, outsider, rule.id, False),
        delete_rule(context, outsider, rule.id),
    ):
        with pytest.raises(NotFoundError):
            await act
    assert (await find_rule(context, owner, rule.id))[1] == rule


@pytest.mark.parametrize("who", [viewer, mate, ANONYMOUS])
async def test_rules_are_changed_by_admins(context: Context, who: Principal) -> None:
    rule = await create_rule(context, owner, None, hot())
    for act in (
        update_rule(context, who, rule.id, RulePatch(name="Mine")),
        set_rule_enabled(context, who, rule.id, False),
        delete_rule(context, who, rule.id),
    ):
        with pytest.raises((ForbiddenError, UnauthenticatedError)):
            await act


async def test_a_patch_changes_what_it_names_and_counts_a_version(context: Context, clock: ManualClock) -> None:
    rule = await create_rule(context, owner, None, hot(description="old", for_sec=5))
    clock.advance(10)
    changed = await update_rule(context, both, rule.id, RulePatch(severity=Severity.LOW, description=None), version=1)
    expected = {"severity": Severity.LOW, "description": None, "version": 2, "updated_at": clock.now(), "updated_by": both.id}
    assert changed == msgspec.structs.replace(rule, **expected)


async def test_null_is_refused_for_a_field_that_must_have_a_value(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    patch = RulePatch(name=None, severity=None, condition=None, enabled=None, for_sec=None, scope=None, runbook_url=None)
    with pytest.raises(BadInputError) as refused:
        await update_rule(context, owner, rule.id, patch)
    assert {field.path for field in refused.value.fields} == {
        f"patch.{name}" for name in ("name", "severity", "condition", "enabled", "forSec")
    }


async def test_a_patch_is_checked_as_a_whole_with_what_is_there(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    with pytest.raises(BadInputError, match="recoveryThreshold"):
        await update_rule(context, owner, rule.id, RulePatch(condition=metric(threshold=50)))


async def test_a_change_on_a_stale_view_is_refused_with_what_is_there(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    await update_rule(context, both, rule.id, RulePatch(name="Much too hot"))
    with pytest.raises(ConflictError) as refused:
        await update_rule(context, owner, rule.id, RulePatch(name="Warm"), version=1)
    assert refused.value.current == {"id": rule.id, "version": 2, "enabled": True, "updatedBy": both.id}
    assert await context.store.rules.replace(msgspec.structs.replace(rule, name="Lost"), 1) is None


async def test_changes_at_the_same_time_are_all_kept(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    patches = [RulePatch(name="Hotter"), RulePatch(for_sec=7), RulePatch(severity=Severity.LOW), RulePatch(cooldown_sec=8)]
    await asyncio.gather(*(update_rule(context, owner, rule.id, patch) for patch in patches))
    kept = await context.store.rules.get(only("acme"), rule.id)
    assert kept is not None
    assert (kept.name, kept.for_sec, kept.severity, kept.cooldown_sec, kept.version) == ("Hotter", 7, Severity.LOW, 8, 5)


async def test_a_patch_that_changes_nothing_counts_no_version(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    assert await update_rule(context, owner, rule.id, RulePatch(name=rule.name)) == rule
    assert await set_rule_enabled(context, owner, rule.id, True) == rule


async def test_a_default_is_the_super_admins_to_change(context: Context) -> None:
    for act in (
        update_rule(context, owner, "default-cpu_high", RulePatch(name="Ours")),
        set_rule_enabled(context, owner, "default-cpu_high", False),
        delete_rule(context, owner, "default-cpu_high"),
        delete_rule(context, root, "default-cpu_high"),
    ):
        with pytest.raises(ForbiddenError):
            await act
    changed = await set_rule_enabled(context, root, "default-cpu_high", False)
    assert (changed.tenant_id, changed.enabled, changed.version) == (None, False, 2)
    entry = (await audit_log(context, root, PLATFORM, 1, None)).items[0]
    assert (entry.action, entry.target) == ("rule.disable", "rule:cpu_high")
    assert (entry.before, entry.after) == (
        {"enabled": True, "version": 1, "updatedBy": "fleetbeat"},
        {"enabled": False, "version": 2, "updatedBy": "root"},
    )


async def test_what_is_live_ends_when_its_rule_is_switched_off(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    mine, other = await add_alert(context, "acme", "too_hot"), await add_alert(context, "acme", "cpu_high")
    theirs = await add_alert(context, "umbrella", "too_hot")
    await set_rule_enabled(context, owner, rule.id, False)
    assert [await ended(context, alert) for alert in (mine, other, theirs)] == [Resolution.RULE_CHANGED, None, None]


async def test_what_is_live_ends_with_its_rule(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    alert = await add_alert(context, "acme", "too_hot")
    assert await delete_rule(context, owner, rule.id) is True
    assert await ended(context, alert) is Resolution.RULE_CHANGED
    with pytest.raises(NotFoundError):
        await delete_rule(context, owner, rule.id)


@pytest.mark.parametrize(
    "patch", [RulePatch(scope=RuleScope(kinds=("gate",))), RulePatch(condition=AbsenceCondition())], ids=["scope", "family"]
)
async def test_what_is_live_ends_when_its_rule_looks_elsewhere(context: Context, patch: RulePatch) -> None:
    rule = await create_rule(context, owner, None, hot())
    alert = await add_alert(context, "acme", "too_hot")
    await context.store.devices.insert(a_device(device_id="pos-1"))
    await update_rule(context, owner, rule.id, RulePatch(severity=Severity.LOW, for_sec=5))
    assert await ended(context, alert) is None
    await update_rule(context, owner, rule.id, patch)
    assert await ended(context, alert) is Resolution.RULE_CHANGED


async def test_a_default_that_is_switched_off_ends_alerts_where_it_is_inherited(context: Context) -> None:
    await create_rule(context, owner, None, hot(key="cpu_high"))
    mine, theirs = await add_alert(context, "acme", "cpu_high"), await add_alert(context, "umbrella", "cpu_high")
    await set_rule_enabled(context, root, "default-cpu_high", False)
    assert [await ended(context, alert) for alert in (mine, theirs)] == [None, Resolution.RULE_CHANGED]


async def test_an_own_rule_that_is_off_switches_the_default_off_for_the_tenant(context: Context) -> None:
    mine, theirs = await add_alert(context, "acme", "cpu_high"), await add_alert(context, "umbrella", "cpu_high")
    await create_rule(context, owner, None, hot(key="cpu_high", enabled=False))
    assert [await ended(context, alert) for alert in (mine, theirs)] == [Resolution.RULE_CHANGED, None]


async def test_an_absence_rule_wakes_the_devices_in_its_scope_earlier(context: Context) -> None:
    await add_device(context, "acme", "gate-1", kind="gate")
    await add_device(context, "acme", "pos-1", kind="pos")
    await add_device(context, "umbrella", "gate-1", kind="gate")
    wanted = hot(condition=AbsenceCondition(after_sec=10), scope=RuleScope(kinds=("gate",)))
    rule = await create_rule(context, owner, None, wanted)
    keys = ("acme:gate-1", "acme:pos-1", "umbrella:gate-1")
    assert [await due_after(context, key) for key in keys] == [10, 120, 120]
    await delete_rule(context, owner, rule.id)
    assert [await due_after(context, key) for key in keys] == [120, 120, 120]


async def test_devices_follow_a_new_offline_time_of_their_tenant(context: Context) -> None:
    await add_device(context, "acme", "pos-1")
    await add_device(context, "acme", "pos-2", own_offline_after=300)
    await add_device(context, "umbrella", "pos-1")
    await update_tenant_config(context, owner, None, TenantPatch(offline_after_sec=30))
    assert [await due_after(context, key) for key in ("acme:pos-1", "acme:pos-2", "umbrella:pos-1")] == [30, 300, 120]
    await update_tenant_config(context, owner, None, TenantPatch(offline_after_sec=None))
    assert await due_after(context, "acme:pos-1") == 120


async def test_live_alerts_are_counted_where_a_rule_holds(context: Context) -> None:
    await create_rule(context, owner, None, hot(key="cpu_high"))
    for tenant_id, key, device_id in [
        ("acme", "cpu_high", "a"),
        ("acme", "cpu_high", "b"),
        ("umbrella", "cpu_high", "a"),
        ("acme", "disk_full", "a"),
        ("umbrella", "disk_full", "a"),
    ]:
        await add_alert(context, tenant_id, key, device_id)
    asked = [
        (owner.scope, "acme", "cpu_high"),
        (root.scope, None, "cpu_high"),
        (root.scope, None, "disk_full"),
        (owner.scope, None, "disk_full"),
        (owner.scope, "acme", "too_hot"),
    ]
    assert await count_live(context, asked) == [2, 1, 2, 1, 0]


async def test_errors_are_counted_until_the_rule_is_changed(context: Context) -> None:
    rule = await create_rule(context, owner, None, hot())
    for message in ("first", "second"):
        await context.store.rules.note_error(rule.id, message)
    await context.store.rules.note_evaluated([rule.id, "default-cpu_high"], NOW)
    kept = (await find_rule(context, owner, rule.id))[1]
    assert kept is not None
    assert (kept.last_error, kept.error_count, kept.last_evaluated_at) == ("second", 2, NOW)
    changed = await update_rule(context, owner, rule.id, RulePatch(for_sec=1))
    assert (changed.last_error, changed.error_count, changed.last_evaluated_at) == (None, 0, NOW)


async def test_seeding_again_changes_nothing_that_somebody_set(context: Context) -> None:
    await update_rule(context, root, "default-cpu_high", RulePatch(name="Ours"))
    await seed_context(context)
    assert (await default_rule(context, "cpu_high")).name == "Ours"


async def test_seeding_adds_the_defaults_that_an_older_database_lacks(context: Context) -> None:
    await update_rule(context, root, "default-cpu_high", RulePatch(name="Ours"))
    await context.mongo.database["alert_rules"].delete_many({"key": {"$in": ["refund_spike", "database_down"]}})
    await seed_context(context)
    assert [rule.key for rule in (await list_rules(context, owner, None))[1]] == DEFAULTS
    assert (await default_rule(context, "cpu_high")).name == "Ours"


@pytest.mark.parametrize(
    ("before", "after", "outlives"),
    [
        ({"condition": SPIKE}, {"condition": replace(SPIKE, factor=9)}, True),
        ({"condition": SPIKE}, {"condition": replace(SPIKE, subject=SubjectKind.DEVICE)}, False),
        ({"condition": SPIKE}, {"scope": RuleScope(tags=("loud",))}, False),
        ({"condition": ServiceCondition()}, {"condition": ServiceCondition(latency_ms=9)}, True),
        ({"condition": ServiceCondition()}, {"condition": ServiceCondition(service="database")}, False),
    ],
)
async def test_what_is_live_ends_when_its_subject_is_looked_at_no_more(
    context: Context, before: dict[str, Any], after: dict[str, Any], outlives: bool
) -> None:
    rule = await create_rule(context, owner, None, hot(**before))
    alert = await add_alert(context, "acme", "too_hot")
    await update_rule(context, owner, rule.id, RulePatch(**after))
    assert await ended(context, alert) is (None if outlives else Resolution.RULE_CHANGED)


@pytest.mark.parametrize(("of_rule", "of_tenant", "most"), [(4, None, 4), (4, 2, 2), (2, 4, 2), (None, 4, 4), (None, None, None)])
async def test_the_tenant_bounds_the_alerts_of_every_rule(of_rule: int | None, of_tenant: int | None, most: int | None) -> None:
    tenant = Tenant(id="acme", name="Acme", max_alerts_per_hour=of_tenant, created_at=NOW)
    assert most_alerts_per_hour(a_rule(max_alerts_per_hour=of_rule), tenant) == most
