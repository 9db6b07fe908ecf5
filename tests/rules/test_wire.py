"""Rules through the schema."""

from collections.abc import Awaitable
from typing import Any

import pytest

from app.context import Context
from tests.cast import mate, outsider, owner, root, viewer
from tests.rules.world import DEFAULTS, add_alert
from tests.wire import answer, ask, refusal

RULE = """id tenantId key name description severity enabled forSec keepFiringSec cooldownSec autoResolve runbookUrl version
  maxAlertsPerHour noData overridden
  createdAt updatedAt updatedBy lastEvaluatedAt openAlerts lastError errorCount
  scope { storeIds deviceIds kinds tags serviceKeys }
  condition { __typename ... on AbsenceCondition { afterSec }
    ... on MetricCondition { metric comparison threshold recoveryThreshold aggregation windowSec }
    ... on RatioCondition { event outcome threshold recoveryThreshold windowSec minSamples subject }
    ... on SpikeCondition { event factor windowSec baselineDays minCount subject }
    ... on OutsideHoursCondition { event opens closes timezone days minCount subject }
    ... on ServiceCondition { service status latencyMs }
    ... on AnomalyCondition { metric sensitivity windowSec baselineDays } }"""
CREATE = (
    f"mutation ($tenantId: ID, $input: AlertRuleInput!) {{ createAlertRule(tenantId: $tenantId, input: $input) {{ {RULE} }} }}"
)
UPDATE = f"""mutation ($id: ID!, $patch: AlertRulePatch!, $version: Int) {{
  updateAlertRule(id: $id, patch: $patch, version: $version) {{ {RULE} }} }}"""
ENABLE = "mutation ($id: ID!, $enabled: Boolean!) { setAlertRuleEnabled(id: $id, enabled: $enabled) { enabled version } }"
DELETE = "mutation ($id: ID!) { deleteAlertRule(id: $id) }"
LIST = (
    "query ($tenantId: ID, $enabled: Boolean) { alertRules(tenantId: $tenantId, enabled: $enabled) { key tenantId openAlerts } }"
)
ONE = f"query ($id: ID!) {{ alertRule(id: $id) {{ {RULE} }} }}"

METRIC = {"metric": "temperature", "comparison": "GT", "threshold": 70}
HOT: dict[str, Any] = {"name": "Too hot", "severity": "HIGH", "condition": {"metric": METRIC}}


async def create(context: Context, **values: Any) -> Any:
    return (await ask(context, owner, CREATE, input={**HOT, **values}))["createAlertRule"]


async def test_a_rule_is_made_with_the_defaults_of_the_contract(context: Context) -> None:
    rule = await create(context)
    at = "2026-11-21T06:00:00.000Z"
    assert rule == {
        "id": rule["id"],
        "tenantId": "acme",
        "key": "too_hot",
        "name": "Too hot",
        "description": None,
        "severity": "HIGH",
        "enabled": True,
        "forSec": 0,
        "keepFiringSec": 0,
        "cooldownSec": 900,
        "maxAlertsPerHour": 4,
        "autoResolve": True,
        "noData": "KEEP",
        "overridden": [],
        "runbookUrl": None,
        "version": 1,
        "createdAt": at,
        "updatedAt": at,
        "updatedBy": "olga",
        "lastEvaluatedAt": None,
        "openAlerts": 0,
        "lastError": None,
        "errorCount": 0,
        "scope": {"storeIds": [], "deviceIds": [], "kinds": [], "tags": [], "serviceKeys": []},
        "condition": {
            "__typename": "MetricCondition",
            **METRIC,
            "recoveryThreshold": None,
            "aggregation": "LAST",
            "windowSec": 0,
        },
    }
    assert (await ask(context, viewer, ONE, id=rule["id"]))["alertRule"] == rule
    assert (await ask(context, outsider, ONE, id=rule["id"]))["alertRule"] is None


async def test_null_in_a_new_rule_is_the_default(context: Context) -> None:
    rule = await create(context, enabled=None, cooldownSec=None, scope=None, key=None, condition={"absence": {"afterSec": None}})
    assert (rule["enabled"], rule["cooldownSec"], rule["key"]) == (True, 900, "too_hot")
    assert rule["condition"] == {"__typename": "AbsenceCondition", "afterSec": None}


async def test_null_alerts_an_hour_are_as_many_as_there_are(context: Context) -> None:
    rule = await create(context, maxAlertsPerHour=None)
    assert rule["maxAlertsPerHour"] is None
    changed = (await ask(context, owner, UPDATE, id=rule["id"], patch={"maxAlertsPerHour": 9, "noData": "ALERT"}))[
        "updateAlertRule"
    ]
    assert (changed["maxAlertsPerHour"], changed["noData"]) == (9, "ALERT")
    cleared = (await ask(context, owner, UPDATE, id=rule["id"], patch={"maxAlertsPerHour": None}))["updateAlertRule"]
    assert cleared["maxAlertsPerHour"] is None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            {"ratio": {"event": "PAYMENT", "threshold": 0.1, "windowSec": 900, "minSamples": None}},
            {
                "__typename": "RatioCondition",
                "event": "PAYMENT",
                "outcome": "FAILURE",
                "threshold": 0.1,
                "recoveryThreshold": None,
                "windowSec": 900,
                "minSamples": 10,
                "subject": None,
            },
        ),
        (
            {"spike": {"event": "REFUND", "factor": 3, "subject": "DEVICE"}},
            {
                "__typename": "SpikeCondition",
                "event": "REFUND",
                "factor": 3,
                "windowSec": 3600,
                "baselineDays": 7,
                "minCount": 5,
                "subject": "DEVICE",
            },
        ),
        (
            {"outsideHours": {"event": "SALE", "opens": "09:00", "closes": "22:00", "days": [1, 2]}},
            {
                "__typename": "OutsideHoursCondition",
                "event": "SALE",
                "opens": "09:00",
                "closes": "22:00",
                "timezone": None,
                "days": [1, 2],
                "minCount": 1,
                "subject": None,
            },
        ),
        ({"service": {}}, {"__typename": "ServiceCondition", "service": None, "status": ["UNHEALTHY"], "latencyMs": None}),
        (
            {"service": {"status": ["DEGRADED", "UNKNOWN"], "latencyMs": 250}},
            {"__typename": "ServiceCondition", "service": None, "status": ["DEGRADED", "UNKNOWN"], "latencyMs": 250},
        ),
        (
            {"anomaly": {"metric": "cpuUsage"}},
            {"__typename": "AnomalyCondition", "metric": "cpuUsage", "sensitivity": 3.5, "windowSec": 900, "baselineDays": 28},
        ),
    ],
    ids=["ratio", "spike", "outside hours", "service", "service by two", "anomaly"],
)
async def test_a_condition_comes_back_as_it_was_written(context: Context, written: dict[str, Any], shown: dict[str, Any]) -> None:
    rule = await create(context, condition=written)
    assert rule["condition"] == shown
    assert (await ask(context, viewer, ONE, id=rule["id"]))["alertRule"] == rule


async def test_a_default_is_overridden_over_the_wire(context: Context) -> None:
    document = f"""mutation ($key: String!, $patch: AlertRulePatch!) {{
      overrideAlertRule(key: $key, patch: $patch) {{ {RULE} }} }}"""
    patch = {"severity": "LOW", "forSec": 60}
    rule = (await ask(context, owner, document, key="cpu_high", patch=patch))["overrideAlertRule"]
    assert (rule["tenantId"], rule["severity"], rule["overridden"]) == ("acme", "LOW", ["severity", "forSec"])
    back = (await ask(context, owner, document, key="cpu_high", patch=dict.fromkeys(patch)))["overrideAlertRule"]
    assert (back["id"], back["tenantId"], back["severity"], back["overridden"]) == ("default-cpu_high", None, "MEDIUM", [])
    assert await refusal(context, mate, document, key="cpu_high", patch=patch) == ("FORBIDDEN", [])
    assert await refusal(context, owner, document, key="too_hot", patch=patch) == ("NOT_FOUND", [])


@pytest.mark.parametrize(
    "condition", [{}, {"absence": None}, {"absence": {}, "metric": METRIC}, {"absence": {}, "metric": None}, {"sparkle": {}}]
)
async def test_a_condition_has_exactly_one_family(context: Context, condition: dict[str, Any]) -> None:
    code, _ = await refusal(context, owner, CREATE, input={**HOT, "condition": condition})
    assert code == "BAD_USER_INPUT"


async def test_bad_fields_are_named_as_the_client_wrote_them(context: Context) -> None:
    condition = {"metric": {**METRIC, "recoveryThreshold": 80, "windowSec": 5}}
    bad = {**HOT, "name": "", "key": "No", "forSec": -1, "condition": condition, "scope": {"tags": ["ok", ""]}}
    code, fields = await refusal(context, owner, CREATE, input=bad)
    metric = "input.condition.metric"
    expected = {
        "input.name",
        "input.key",
        "input.forSec",
        f"{metric}.recoveryThreshold",
        f"{metric}.windowSec",
        "input.scope.tags[1]",
    }
    assert (code, set(fields)) == ("BAD_USER_INPUT", expected)


async def test_a_patch_tells_null_from_what_is_left_out(context: Context) -> None:
    rule = await create(context, description="hm", runbookUrl="https://wiki.example.com", scope={"kinds": ["pos"]}, forSec=3)
    patch = {"description": None, "scope": None, "condition": {"absence": {"afterSec": 9}}}
    changed = (await ask(context, owner, UPDATE, id=rule["id"], patch=patch, version=1))["updateAlertRule"]
    expected: dict[str, Any] = {
        "description": None,
        "scope": {"storeIds": [], "deviceIds": [], "kinds": [], "tags": [], "serviceKeys": []},
        "condition": {"__typename": "AbsenceCondition", "afterSec": 9},
        "version": 2,
    }
    assert changed == {**rule, **expected}
    assert await refusal(context, owner, UPDATE, id=rule["id"], patch={"name": None}) == ("BAD_USER_INPUT", ["patch.name"])


async def test_a_stale_view_is_told_what_is_there(context: Context) -> None:
    rule = await create(context)
    await ask(context, owner, ENABLE, id=rule["id"], enabled=False)
    answered = await answer(context, owner, UPDATE, id=rule["id"], patch={"forSec": 1}, version=1)
    extensions = answered["errors"][0]["extensions"]
    assert extensions["code"] == "CONFLICT"
    assert extensions["current"] == {"id": rule["id"], "version": 2, "enabled": False, "updatedBy": "olga"}


async def test_rules_are_listed_with_their_live_alerts(context: Context) -> None:
    await create(context, key="cpu_high", enabled=True)
    for tenant_id, key in [("acme", "cpu_high"), ("umbrella", "cpu_high"), ("umbrella", "disk_full")]:
        await add_alert(context, tenant_id, key)
    mine = (await ask(context, viewer, LIST, tenantId="acme", enabled=True))["alertRules"]
    assert [rule["key"] for rule in mine] == DEFAULTS
    assert {rule["key"]: rule["openAlerts"] for rule in mine if rule["openAlerts"]} == {"cpu_high": 1}
    everybody = (await ask(context, root, LIST))["alertRules"]
    counted = {(rule["tenantId"], rule["key"]): rule["openAlerts"] for rule in everybody if rule["openAlerts"]}
    assert counted == {("acme", "cpu_high"): 1, (None, "cpu_high"): 1, (None, "disk_full"): 1}
    assert (await ask(context, viewer, LIST, enabled=False))["alertRules"] == []


async def test_a_list_of_rules_costs_the_same_few_reads_however_long_it_is(context: Context) -> None:
    for number in range(20):
        await create(context, key=f"rule_{number}")
    read = await collections_read(context, ask(context, root, LIST))
    assert sorted(read) == ["alert_rules", "alert_rules", "provider_alerts"]


async def collections_read(context: Context, asking: Awaitable[Any]) -> list[str]:
    """The collection of each read that this made, by the server's own account."""
    database = context.mongo.database
    await database.command("profile", 2)
    try:
        await asking
    finally:
        await database.command("profile", 0)
    kept = await database["system.profile"].find({"op": {"$in": ["query", "command"]}}).to_list(None)
    await database.drop_collection("system.profile")
    names = [str(one["ns"]).partition(".")[2] for one in kept]
    return [name for name in names if not name.startswith(("$cmd", "system."))]


async def test_a_rule_is_switched_and_deleted(context: Context) -> None:
    rule = await create(context)
    assert (await ask(context, owner, ENABLE, id=rule["id"], enabled=False))["setAlertRuleEnabled"] == {
        "enabled": False,
        "version": 2,
    }
    for who in (viewer, mate):
        assert (await refusal(context, who, DELETE, id=rule["id"]))[0] == "FORBIDDEN"
    assert await refusal(context, outsider, DELETE, id=rule["id"]) == ("NOT_FOUND", [])
    assert (await ask(context, owner, DELETE, id=rule["id"]))["deleteAlertRule"] is True
    assert await refusal(context, owner, DELETE, id=rule["id"]) == ("NOT_FOUND", [])


async def test_a_default_is_the_super_admins(context: Context) -> None:
    assert await refusal(context, owner, ENABLE, id="default-cpu_high", enabled=False) == ("FORBIDDEN", [])
    assert (await ask(context, root, ENABLE, id="default-cpu_high", enabled=False))["setAlertRuleEnabled"]["enabled"] is False
    assert await refusal(context, root, CREATE, input=HOT) == ("BAD_USER_INPUT", ["tenantId"])
