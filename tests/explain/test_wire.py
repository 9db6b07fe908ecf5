"""Explanations through the schema, of what really happened."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app import alert_actions
from app.domain.rule import RuleScope
from tests.cast import NOW, mate, outsider, viewer
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet
from tests.wire import ask, refusal

PARTS = "{ summary steps { at stage outcome reason detail } next { at what } }"
ALERT = f"query ($id: ID!, $userId: ID) {{ explainAlert(id: $id, userId: $userId) {PARTS} }}"
RULE = f"query ($id: ID!, $device: ID!) {{ explainRule(ruleId: $id, deviceId: $device) {PARTS} }}"
HOT = cpu_over(90, recovery_threshold=80)


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def hot_fleet(fleet: Fleet, **fields: Any) -> None:
    await fleet.context.store.rules.insert(a_rule(HOT, id="hot", key="hot", name="Hot", **fields))
    await fleet.add("till-1")


async def say(fleet: Fleet, cpu: float, seconds: float = 0) -> None:
    await fleet.pass_time(seconds)
    await fleet.beat("till-1", cpu_usage=cpu)
    await fleet.judge()


async def rule_of(fleet: Fleet, device: str = "till-1") -> Any:
    return (await ask(fleet.context, viewer, RULE, id="hot", device=device))["explainRule"]


async def alert_of(fleet: Fleet, alert_id: str, **variables: Any) -> Any:
    return (await ask(fleet.context, viewer, ALERT, id=alert_id, **variables))["explainAlert"]


def last(explained: Any) -> tuple[str, str]:
    return explained["steps"][-1]["stage"], explained["steps"][-1]["outcome"]


async def test_the_life_of_an_alert_is_told_from_its_record(fleet: Fleet) -> None:
    await hot_fleet(fleet, cooldown_sec=900)
    await say(fleet, 95)
    [alert] = await fleet.alerts("till-1")
    await fleet.pass_time(60)
    until = datetime.fromisoformat(at(600))
    await alert_actions.acknowledge_alert(fleet.context, mate, alert.id, "on my way", until, None)
    explained = await alert_of(fleet, alert.id)
    assert [step["stage"] for step in explained["steps"]] == [
        *("scope", "breach", "pending", "dedup", "cooldown", "rate", "suppress", "route"),
        *("opened", "told", "acknowledged"),
    ]
    opened, told, held = explained["steps"][-3:]
    assert (told["outcome"], "nobody was told: no channel is there to tell it" in told["reason"]) == ("nobody", True)
    assert opened["at"] == at(0)
    assert "opened as HIGH: CPU usage 95 %, over 90 %; bad since 2026-11-21 06:00:00 UTC" in opened["reason"]
    assert (held["at"], held["outcome"]) == (at(60), "mats")
    assert "until 2026-11-21 06:10:00 UTC: on my way" in held["reason"]
    assert explained["next"] == [
        {"at": at(600), "what": "the acknowledgement by mats runs out: the alert is OPEN again"},
        {"at": at(3600), "what": "if it is still bad then, it is told again: once in 3600 s"},
    ]
    assert "ACKNOWLEDGED by mats as HIGH, for 60 s" in explained["summary"]


async def test_an_alert_that_ended_says_who_ended_it_and_why(fleet: Fleet) -> None:
    await hot_fleet(fleet, cooldown_sec=900)
    await say(fleet, 95)
    [alert] = await fleet.alerts("till-1")
    await say(fleet, 40, seconds=30)
    explained = await alert_of(fleet, alert.id)
    assert explained["steps"][-1]["reason"] == (
        "resolved by itself as RECOVERED after 30 s: CPU usage 40 %, not over 80 %, on 2026-11-21 06:00:30 UTC"
    )
    assert "ended on 2026-11-21 06:00:30 UTC, by itself as RECOVERED" in explained["summary"]
    assert explained["next"] == [{"at": at(930), "what": "the cooldown of 900 s is over: it may fire again"}]


async def test_why_nobody_was_told(fleet: Fleet) -> None:
    await hot_fleet(fleet, max_alerts_per_hour=1)
    await say(fleet, 95)
    await say(fleet, 40, seconds=30)
    await say(fleet, 95, seconds=30)
    [alert] = await fleet.alerts("till-1")
    for user_id, who in ((None, "nobody"), ("vera", "NOT_TOLD")):
        step = (await alert_of(fleet, alert.id, userId=user_id))["steps"][-1]
        assert (step["stage"], step["outcome"]) == ("told", who)
        assert "1 alerts in the last hour, of which 1 are told" in step["reason"]


async def test_a_rule_is_explained_while_it_waits_fires_and_cools_down(fleet: Fleet) -> None:
    await hot_fleet(fleet, for_sec=60, cooldown_sec=900)
    assert last(await rule_of(fleet)) == ("breach", "STOP")
    await say(fleet, 95)
    await fleet.pass_time(20)
    waiting = await rule_of(fleet)
    assert last(waiting) == ("pending", "WAIT")
    assert "bad for 20 s of 60 s, since 2026-11-21 06:00:00 UTC, until 2026-11-21 06:01:00 UTC" in waiting["summary"]
    assert [step["at"] for step in waiting["next"]] == [at(60)]
    await say(fleet, 95, seconds=45)
    fires = await rule_of(fleet)
    assert last(fires) == ("dedup", "STOP")
    assert fires["summary"] == "Hot on till-1 fires since 2026-11-21 06:00:00 UTC: CPU usage 95 %, over 90 %"
    await say(fleet, 40, seconds=10)
    await say(fleet, 95, seconds=10)
    await fleet.pass_time(70)
    cooling = await rule_of(fleet)
    assert last(cooling) == ("cooldown", "WAIT")
    assert cooling["next"][0]["at"] == at(975)


async def test_a_rule_says_why_it_is_not_for_a_device(fleet: Fleet) -> None:
    await hot_fleet(fleet, scope=RuleScope(kinds=("POS",)))
    explained = await rule_of(fleet)
    assert [step["stage"] for step in explained["steps"]] == ["scope"]
    assert explained["summary"].startswith("Hot on till-1 does not fire at scope: kind (none) is not among POS")


async def test_an_explanation_leaves_no_trace(fleet: Fleet) -> None:
    await hot_fleet(fleet)
    await fleet.beat("till-1", cpu_usage=95)
    assert last(await rule_of(fleet)) == ("route", "PASS")
    assert await fleet.alerts("till-1") == []
    assert await fleet.context.store.rule_states.of_families(fleet.lane, ["metric"]) == {}


@pytest.mark.parametrize(("document", "variables"), [(ALERT, {"id": "nothing"}), (RULE, {"id": "hot", "device": "till-9"})])
async def test_what_is_not_there_is_not_found(fleet: Fleet, document: str, variables: dict[str, str]) -> None:
    await hot_fleet(fleet)
    assert (await refusal(fleet.context, viewer, document, **variables))[0] == "NOT_FOUND"


async def test_a_rule_of_another_tenant_is_not_found(fleet: Fleet) -> None:
    await hot_fleet(fleet)
    assert (await refusal(fleet.context, outsider, RULE, id="hot", device="till-1"))[0] == "NOT_FOUND"
