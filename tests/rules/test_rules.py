"""Rules: how they have to be, what a tenant has, and what it inherits."""

from typing import Any

import msgspec
import pytest

from app.context import Context
from app.domain.rule import MetricCondition, RuleScope
from app.domain.rule_input import RulePatch
from app.errors import BadInputError, ConflictError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.rule_changes import create_rule, update_rule
from app.rules import effective_rules, find_rule, list_rules, rules_of
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import NOW, both, mate, open_test_context, outsider, owner, root, viewer
from tests.rules.world import DEFAULTS, hot, metric


async def test_a_new_rule_is_as_it_was_written(context: Context) -> None:
    wanted = hot(
        description="Ask\nthe fan.", scope=RuleScope(kinds=("pos",)), for_sec=60, runbook_url="https://wiki.example.com/hot?a=b#c"
    )
    rule = await create_rule(context, owner, None, wanted)
    assert (rule.tenant_id, rule.key, rule.version, rule.updated_by, rule.created_at) == ("acme", "too_hot", 1, owner.id, NOW)
    assert {name: getattr(rule, name) for name in msgspec.structs.asdict(wanted) if name != "key"} == {
        name: value for name, value in msgspec.structs.asdict(wanted).items() if name != "key"
    }
    assert await find_rule(context, viewer, rule.id) == (viewer.scope, rule)


@pytest.mark.parametrize(
    ("name", "key"),
    [("CPU high", "cpu_high"), ("  Zü heiß!", "zu_hei"), ("a" * 70, "a" * 64), ("-- 5xx per min --", "5xx_per_min")],
)
async def test_a_key_is_made_from_the_name(context: Context, name: str, key: str) -> None:
    assert (await create_rule(context, owner, None, hot(name=name.strip()))).key == key


async def test_a_name_without_a_letter_needs_a_key(context: Context) -> None:
    with pytest.raises(BadInputError, match=r"input\.key"):
        await create_rule(context, owner, None, hot(name="温度"))
    assert (await create_rule(context, owner, None, hot(name="温度", key="temperature"))).key == "temperature"


async def test_a_key_is_taken_once_in_a_tenant(context: Context) -> None:
    await create_rule(context, owner, None, hot())
    with pytest.raises(ConflictError, match="too_hot"):
        await create_rule(context, owner, None, hot())
    assert (await create_rule(context, outsider, None, hot())).tenant_id == "umbrella"


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 10_000_000}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"description": "x" * 4_001}, "description"),
        ({"key": "Not a slug"}, "key"),
        ({"key": "a" * 65}, "key"),
        ({"for_sec": -1}, "forSec"),
        ({"keep_firing_sec": 604_801}, "keepFiringSec"),
        ({"cooldown_sec": -1}, "cooldownSec"),
        ({"max_alerts_per_hour": 0}, "maxAlertsPerHour"),
        ({"max_alerts_per_hour": 1_001}, "maxAlertsPerHour"),
        ({"runbook_url": "javascript:alert(1)"}, "runbookUrl"),
        ({"runbook_url": "https://"}, "runbookUrl"),
        ({"runbook_url": "https://[::1"}, "runbookUrl"),
        ({"runbook_url": "https://a b"}, "runbookUrl"),
        ({"scope": RuleScope(kinds=("",))}, "scope.kinds[0]"),
        ({"scope": RuleScope(tags=("x",) * 501)}, "scope.tags"),
    ],
)
async def test_a_bad_field_is_refused_by_its_name_on_the_wire(context: Context, values: dict[str, Any], path: str) -> None:
    with pytest.raises(BadInputError) as refused:
        await create_rule(context, owner, None, hot(**values))
    assert [field.path for field in refused.value.fields] == [f"input.{path}"]
    assert len(str(refused.value)) < 500
    assert len((await list_rules(context, owner, None))[1]) == len(DEFAULTS)


async def test_every_bad_field_is_named_at_once(context: Context) -> None:
    wanted = hot(name="", key="Bad", for_sec=-1, condition=metric(metric="", window_sec=5), runbook_url="nowhere")
    with pytest.raises(BadInputError) as refused:
        await create_rule(context, owner, None, wanted)
    assert {field.path for field in refused.value.fields} == {
        "input.name",
        "input.key",
        "input.forSec",
        "input.condition.metric.metric",
        "input.condition.metric.windowSec",
        "input.runbookUrl",
    }


@pytest.mark.parametrize(
    ("who", "tenant_id", "error"),
    [
        (ANONYMOUS, "acme", UnauthenticatedError),
        (viewer, None, ForbiddenError),
        (mate, None, ForbiddenError),
        (outsider, "acme", ForbiddenError),
        (both, None, BadInputError),
        (root, None, BadInputError),
        (root, "nowhere", NotFoundError),
    ],
)
async def test_rules_are_made_by_an_admin_for_one_tenant(
    context: Context, who: Principal, tenant_id: str | None, error: type[FleetbeatError]
) -> None:
    with pytest.raises(error):
        await create_rule(context, who, tenant_id, hot())


async def test_a_tenant_has_its_own_rules_and_the_defaults_by_key(context: Context) -> None:
    await create_rule(context, owner, None, hot(name="Bread burnt"))
    _, rules = await list_rules(context, viewer, "acme")
    assert [rule.key for rule in rules] == sorted(["bread_burnt", *DEFAULTS])
    _, others = await list_rules(context, outsider, None)
    assert [rule.key for rule in others] == DEFAULTS


async def test_an_own_rule_takes_the_place_of_the_default_of_its_key(context: Context) -> None:
    own = await create_rule(context, owner, None, hot(key="disk_full", name="Ours"))
    _, rules = await list_rules(context, viewer, None)
    assert [rule for rule in rules if rule.key == "disk_full"] == [own]
    _, everything = await list_rules(context, root, None)
    assert [rule.tenant_id for rule in everything if rule.key == "disk_full"] == [None, "acme"]
    acme, umbrella = await context.store.tenants.get("acme"), await context.store.tenants.get("umbrella")
    assert acme is not None
    assert umbrella is not None
    effective = await effective_rules(context, [acme, umbrella])
    assert [len(effective[tenant_id]) for tenant_id in ("acme", "umbrella")] == [len(DEFAULTS)] * 2
    assert own in effective["acme"]
    assert own not in effective["umbrella"]


async def test_rules_are_listed_by_whether_they_are_on(context: Context) -> None:
    await create_rule(context, owner, None, hot(enabled=False))
    assert [rule.key for rule in (await list_rules(context, viewer, None, enabled=False))[1]] == ["too_hot"]
    assert [rule.key for rule in (await list_rules(context, viewer, None, enabled=True))[1]] == DEFAULTS


async def test_the_inherited_lag_rule_takes_the_tenants_threshold(context: Context) -> None:
    await update_tenant_config(context, owner, None, TenantPatch(sync_lag_warn_sec=45))
    thresholds = {}
    for who in (owner, outsider):
        _, rules = await list_rules(context, who, None)
        conditions = [rule.condition for rule in rules if rule.key == "sync_lag_high"]
        assert isinstance(conditions[0], MetricCondition)
        thresholds[who.id] = conditions[0].threshold
    assert thresholds == {owner.id: 45, outsider.id: 90}
    found = await rules_of(context, [("acme", "sync_lag_high"), ("umbrella", "sync_lag_high"), ("acme", "gone")])
    assert [rule and getattr(rule.condition, "threshold", None) for rule in found] == [45, 90, None]


async def test_the_untouched_lag_rule_follows_the_setting(mongo_uri: str, redis_url: str, database: str) -> None:
    async with open_test_context(mongo_uri, redis_url, database):
        pass
    async with open_test_context(mongo_uri, redis_url, database, sync_lag_warn_seconds=30) as context:
        assert await lag_threshold(context) == 30
        await update_rule(context, root, "default-sync_lag_high", RulePatch(condition=metric(metric="syncLagSec", threshold=75)))
        assert await lag_threshold(context) == 75


async def lag_threshold(context: Context) -> float | None:
    found = await rules_of(context, [("acme", "sync_lag_high")])
    assert found[0] is not None
    assert isinstance(found[0].condition, MetricCondition)
    return found[0].condition.threshold
