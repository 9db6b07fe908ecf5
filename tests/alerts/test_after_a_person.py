"""What rules make of an alert after a person had a hand in it."""

import pytest

from app.alert_actions import acknowledge_alert, reopen_alert, resolve_alert
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Alert, AlertStatus, Resolution
from app.rules import rules_of
from tests.alerts.world import RULE_KEY, kept
from tests.cast import mate
from tests.evaluation.fleet import Fleet


@pytest.fixture
async def fleet(context: Context, clock: ManualClock) -> Fleet:
    fleet = Fleet(context, clock)
    await fleet.sign()
    await fleet.add("till-1", offline_after=60)
    await fleet.beat("till-1")
    return fleet


async def cooldown_of(context: Context) -> int:
    [rule] = await rules_of(context, [("acme", RULE_KEY)])
    assert rule is not None
    return rule.cooldown_sec


async def silent(fleet: Fleet) -> Alert:
    await fleet.pass_time(61)
    await fleet.sweep()
    [alert] = await fleet.alerts("till-1")
    return alert


async def test_what_is_still_silent_stays_quiet_for_the_cooldown_and_no_longer(fleet: Fleet, context: Context) -> None:
    alert = await silent(fleet)
    await resolve_alert(context, mate, alert.id, "being moved", Resolution.MANUAL, None)
    cooldown = await cooldown_of(context)
    for _ in range(4):
        await fleet.pass_time(cooldown / 4 - 0.001)
        await fleet.sweep()
        assert await fleet.alerts("till-1") == []
    await fleet.pass_time(0.004)
    await fleet.sweep()
    [again] = await fleet.alerts("till-1")
    assert again.id != alert.id
    assert [kind for _, kind in await fleet.told()] == ["OPENED", "RESOLVED", "OPENED"]


async def test_an_acknowledged_alert_is_resolved_when_the_device_is_back(fleet: Fleet, context: Context) -> None:
    alert = await silent(fleet)
    await acknowledge_alert(context, mate, alert.id, None, None, None)
    await fleet.beat("till-1")
    await fleet.sweep()
    after = await kept(context, alert)
    assert (after.status, after.resolution, after.resolved_by) == (AlertStatus.RESOLVED, Resolution.RECOVERED, None)


async def test_a_device_that_comes_back_during_the_cooldown_leaves_nothing(fleet: Fleet, context: Context) -> None:
    alert = await silent(fleet)
    await resolve_alert(context, mate, alert.id, "being moved", Resolution.MANUAL, None)
    await fleet.beat("till-1")
    await fleet.sweep()
    await fleet.pass_time(await cooldown_of(context) + 1)
    await fleet.beat("till-1")
    await fleet.sweep()
    assert await fleet.alerts("till-1") == []
    assert [kind for _, kind in await fleet.told()] == ["OPENED", "RESOLVED"]


async def test_a_reopened_alert_of_what_is_still_silent_is_held_by_its_rule_again(fleet: Fleet, context: Context) -> None:
    alert = await silent(fleet)
    await resolve_alert(context, mate, alert.id, "by mistake", Resolution.MANUAL, None)
    await reopen_alert(context, mate, alert.id, "it is still silent", None)
    await fleet.pass_time(await cooldown_of(context) + 1)
    await fleet.sweep()
    assert [one.id for one in await fleet.alerts("till-1")] == [alert.id]
    await fleet.beat("till-1")
    await fleet.sweep()
    assert (await kept(context, alert)).resolution is Resolution.RECOVERED
    assert [kind for _, kind in await fleet.told()] == ["OPENED", "RESOLVED", "REOPENED", "RESOLVED"]
