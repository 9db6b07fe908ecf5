"""Trials and backtests through the schema."""

from datetime import datetime, timedelta
from typing import Any

from app.channel_changes import create_channel
from app.domain.channel_input import ChannelInput, InAppInput, SlackInput
from app.domain.rule import AbsenceCondition
from app.domain.tenant import Member, Role
from tests.backtest.live import TILL
from tests.cast import NOW, mate, outsider, owner, viewer
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet
from tests.wire import ask, refusal

ALERT = "{ subject firedAt resolvedAt peak reason }"
BACKTEST = f"""query ($rule: AlertRuleInput!, $from: DateTime!, $to: DateTime!, $against: ID, $tenant: ID) {{
  backtestAlertRule(rule: $rule, range: {{from: $from, to: $to}}, against: $against, tenantId: $tenant) {{
    from to evaluations notifications exactFrom notificationsByRecipient {{ key count }} alerts {ALERT}
    comparedWith {{ alertsBefore alertsAfter notificationsBefore notificationsAfter onlyBefore {ALERT} onlyAfter {ALERT} }} }} }}"""
TRIAL = """query ($rule: AlertRuleInput, $id: ID) { testAlertRule(rule: $rule, id: $id) {
  wouldFire subjects evaluatedAt matches { subject value threshold reason } } }"""


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hot(threshold: float = 90, **fields: Any) -> dict[str, Any]:
    condition = {"metric": {"metric": "cpuUsage", "comparison": "GT", "threshold": threshold}}
    return {"name": "Hot", "severity": "HIGH", "condition": condition, "cooldownSec": 0, **fields}


async def backtest(fleet: Fleet, rule: dict[str, Any], start: float = 0, end: float = 600, **variables: Any) -> Any:
    given = {"rule": rule, "from": at(start), "to": at(end), **variables}
    return (await ask(fleet.context, viewer, BACKTEST, **given))["backtestAlertRule"]


async def say(fleet: Fleet, *values: float | None) -> None:
    """A value each minute."""
    for value in values:
        await fleet.beat(TILL, cpu_usage=value)
        await fleet.pass_time(60)


async def test_a_backtest_shows_the_alerts_that_there_would_have_been(fleet: Fleet) -> None:
    await fleet.add(TILL)
    await say(fleet, 20, 95, 99, 30, 95, 20, 20, 20, 20, 20)
    found = await backtest(fleet, hot())
    assert found["alerts"] == [
        {"subject": TILL, "firedAt": at(60), "resolvedAt": at(180), "peak": 99, "reason": "CPU usage 95 %, over 90 %"},
        {"subject": TILL, "firedAt": at(240), "resolvedAt": at(300), "peak": 95, "reason": "CPU usage 95 %, over 90 %"},
    ]
    assert (found["from"], found["to"], found["exactFrom"]) == (at(0), at(600), None)
    assert (found["notifications"], found["notificationsByRecipient"]) == (4, [])
    assert found["evaluations"] >= 10
    assert found["comparedWith"] is None


async def test_everybody_who_would_be_told_is_counted(fleet: Fleet) -> None:
    room = SlackInput(token="xoxb-1234567890", channel="#room")
    await create_channel(fleet.context, owner, ChannelInput(name="Room", config=room))
    for _ in range(2):
        await create_channel(fleet.context, owner, ChannelInput(name="Inbox", config=InAppInput()))
    await create_channel(fleet.context, viewer, ChannelInput(name="mine", config=room, personal=True))
    member = Member(id="vera", email=None, role=Role.VIEWER, tenant_ids=["acme"], last_seen=NOW)
    await fleet.context.store.members.note(member)
    await fleet.add(TILL, "till-2")
    for value in (95, 20, 20, 20):
        for till in (TILL, "till-2"):
            await fleet.beat(till, cpu_usage=value)
        await fleet.pass_time(60)
    found = await backtest(fleet, hot(), end=240)
    counts = {one["key"].partition(" ")[0]: one["count"] for one in found["notificationsByRecipient"]}
    assert counts == {"Inbox": 4, "Room": 3, "vera": 3}
    assert [one["count"] for one in found["notificationsByRecipient"]] == [4, 4, 3, 3]
    twins = [one["key"] for one in found["notificationsByRecipient"] if one["key"].startswith("Inbox (")]
    assert len(set(twins)) == 2


async def test_a_backtest_tells_the_channels_of_its_rule_alone_and_knows_which_there_are(fleet: Fleet) -> None:
    room = SlackInput(token="xoxb-1234567890", channel="#room")
    await create_channel(fleet.context, owner, ChannelInput(name="Room", config=room))
    other = await create_channel(fleet.context, owner, ChannelInput(name="Other", config=room))
    strange = await create_channel(fleet.context, outsider, ChannelInput(name="Strange", config=room))
    await fleet.add(TILL)
    await say(fleet, 95, 95)
    found = await backtest(fleet, hot(channelIds=[other.id]), end=120)
    assert found["notificationsByRecipient"] == [{"key": "Other", "count": 1}]
    given = {"rule": hot(channelIds=[other.id, strange.id]), "from": at(0), "to": at(60)}
    assert await refusal(fleet.context, viewer, BACKTEST, **given) == ("BAD_USER_INPUT", ["rule.channelIds[1]"])


async def test_who_is_told_too_often_is_told_no_more(fleet: Fleet) -> None:
    await fleet.add(TILL)
    await say(fleet, *[95, 20] * 5)
    found = await backtest(fleet, hot(maxAlertsPerHour=2))
    assert (len(found["alerts"]), found["notifications"]) == (3, 4)


async def test_what_is_still_live_has_no_end(fleet: Fleet) -> None:
    await fleet.add(TILL)
    await say(fleet, 95, 96)
    [alert] = (await backtest(fleet, hot(), end=120))["alerts"]
    assert (alert["firedAt"], alert["resolvedAt"], alert["peak"]) == (at(0), None, 96)


async def test_a_silence_is_as_long_as_it_was(fleet: Fleet) -> None:
    await fleet.add(TILL)
    await fleet.beat(TILL)
    await fleet.pass_time(500)
    await fleet.beat(TILL)
    await fleet.pass_time(100)
    rule = {"name": "Quiet", "severity": "HIGH", "condition": {"absence": {"afterSec": 200}}}
    [alert] = (await backtest(fleet, rule))["alerts"]
    assert (alert["firedAt"], alert["resolvedAt"], alert["peak"]) == (at(200), at(500), 500)
    assert alert["reason"] == "no heartbeat for 200 s, over 200 s"


async def test_what_was_before_the_range_counts_inside_it(fleet: Fleet) -> None:
    """A device that fell silent long before, and a wait that began before."""
    await fleet.add(TILL)
    await say(fleet, 95, 95, 95)
    fleet.clock.advance(10_000)
    quiet = {"name": "Quiet", "severity": "HIGH", "condition": {"absence": {"afterSec": 200}}}
    [alert] = (await backtest(fleet, quiet, 9_000, 10_000))["alerts"]
    assert (alert["firedAt"], alert["resolvedAt"]) == (at(320), None)
    [waited] = (await backtest(fleet, hot(forSec=90), 80, 180))["alerts"]
    assert waited["firedAt"] == at(90)


async def test_a_rule_is_compared_with_the_one_that_it_replaces(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(90), id="old", key="old"))
    await fleet.add(TILL)
    await say(fleet, 95, 20, 20, 75, 20, 20, 20, 20, 20, 20)
    compared = (await backtest(fleet, hot(70), against="old"))["comparedWith"]
    assert (compared["alertsBefore"], compared["alertsAfter"]) == (1, 2)
    assert (compared["notificationsBefore"], compared["notificationsAfter"]) == (2, 4)
    assert compared["onlyBefore"] == []
    assert [alert["firedAt"] for alert in compared["onlyAfter"]] == [at(180)]


async def test_every_bad_field_is_named_at_once(fleet: Fleet) -> None:
    bad = hot(name="", forSec=-1)
    given = {"rule": bad, "from": at(10), "to": at(5)}
    assert await refusal(fleet.context, viewer, BACKTEST, **given) == (
        "BAD_USER_INPUT",
        ["range", "range.to", "rule.name", "rule.forSec"],
    )
    long = {"rule": hot(), "from": at(-40 * 86_400), "to": at(0)}
    assert await refusal(fleet.context, viewer, BACKTEST, **long) == ("BAD_USER_INPUT", ["range"])
    services = {"rule": {**hot(), "condition": {"service": {}}}, "from": at(-10), "to": at(0)}
    assert await refusal(fleet.context, viewer, BACKTEST, **services) == ("BAD_USER_INPUT", ["rule.condition.service"])


async def test_nobody_backtests_another_tenant_or_against_its_rules(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(90), id="old", key="old"))
    given = {"rule": hot(), "from": at(-10), "to": at(0)}
    assert (await refusal(fleet.context, outsider, BACKTEST, **given, tenant="acme"))[0] == "FORBIDDEN"
    assert (await refusal(fleet.context, outsider, BACKTEST, **given, against="old"))[0] == "NOT_FOUND"


async def test_what_is_not_kept_any_more_is_said(fleet: Fleet) -> None:
    found = await backtest(fleet, hot(), -10 * 86_400, 0)
    assert datetime.fromisoformat(found["exactFrom"]) == NOW - timedelta(days=7)


async def test_a_trial_looks_at_everything_that_the_rule_is_for(fleet: Fleet) -> None:
    await fleet.add(TILL, "till-2", "till-3")
    await fleet.beat(TILL, cpu_usage=95)
    await fleet.beat("till-2", cpu_usage=40)
    tried = (await ask(fleet.context, viewer, TRIAL, rule=hot(forSec=60)))["testAlertRule"]
    assert tried == {
        "wouldFire": True,
        "subjects": 3,
        "evaluatedAt": at(0),
        "matches": [{"subject": TILL, "value": 95, "threshold": 90, "reason": "CPU usage 95 %, over 90 %; bad for 0 s of 60 s"}],
    }
    aimed = (await ask(fleet.context, viewer, TRIAL, rule=hot(scope={"deviceIds": ["till-2"]})))["testAlertRule"]
    assert (aimed["wouldFire"], aimed["subjects"], aimed["matches"]) == (False, 1, [])


async def test_a_trial_of_a_rule_that_is_kept_knows_what_is_live(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(AbsenceCondition(after_sec=30), id="quiet", key="quiet"))
    await fleet.add(TILL, offline_after=30)
    await fleet.beat(TILL)
    await fleet.pass_time(60)
    await fleet.sweep()
    [alert] = [one for one in await fleet.alerts(TILL) if one.rule_key == "quiet"]
    [match] = (await ask(fleet.context, viewer, TRIAL, id="quiet"))["testAlertRule"]["matches"]
    assert match["reason"] == f"no heartbeat for 60 s, over 30 s; alert {alert.id} is live already, since 2026-11-21 06:00:30 UTC"


async def test_a_trial_leaves_no_trace(fleet: Fleet) -> None:
    await fleet.add(TILL)
    await fleet.beat(TILL, cpu_usage=95)
    before = await fleet.context.mongo.database["rule_states"].count_documents({})
    assert (await ask(fleet.context, mate, TRIAL, rule=hot()))["testAlertRule"]["wouldFire"] is True
    assert await fleet.alerts(TILL) == []
    assert await fleet.context.mongo.database["rule_states"].count_documents({}) == before


async def test_a_trial_is_of_one_rule(fleet: Fleet) -> None:
    assert await refusal(fleet.context, viewer, TRIAL) == ("BAD_USER_INPUT", ["rule", "id"])
    both = {"rule": hot(), "id": "default-cpu_high"}
    assert await refusal(fleet.context, viewer, TRIAL, **both) == ("BAD_USER_INPUT", ["rule", "id"])
    assert (await refusal(fleet.context, viewer, TRIAL, id="nothing"))[0] == "NOT_FOUND"
