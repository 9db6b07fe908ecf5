"""Where rules, devices and people meet at the wrong moment."""

from datetime import timedelta

from app import rule_changes, rule_overrides
from app.devices import retire_device
from app.domain.alert import Resolution, Severity
from app.domain.rule import AbsenceCondition
from app.domain.rule_input import RuleInput, RulePatch
from tests.cast import owner
from tests.domain.making import cpu_over
from tests.evaluation.fleet import Fleet


async def hot(fleet: Fleet, for_sec: int = 0) -> str:
    """A rule of the tenant's own, made as people make it; its id."""
    wanted = RuleInput(name="Hot", key="hot", severity=Severity.LOW, condition=cpu_over(50), for_sec=for_sec, cooldown_sec=0)
    return (await rule_changes.create_rule(fleet.context, owner, fleet.tenant_id, wanted)).id


async def look(fleet: Fleet, seconds: float, cpu: float | None = None) -> list[str]:
    before = len(await fleet.record())
    await fleet.pass_time(seconds)
    if cpu is not None:
        await fleet.beat("till-1", cpu_usage=cpu)
    await fleet.sweep()
    await fleet.judge()
    return [f"{event.alert.rule_key} {event.type.name}" for event in (await fleet.record())[before:]]


async def test_a_rule_deleted_while_pending_never_fires(fleet: Fleet) -> None:
    await fleet.add("till-1")
    rule_id = await hot(fleet, for_sec=30)
    assert await look(fleet, 1, 70) == []
    assert await rule_changes.delete_rule(fleet.context, owner, rule_id)
    for _ in range(4):
        assert await look(fleet, 15, 70) == []


async def test_a_rule_made_anew_under_the_same_key_does_not_take_over_an_old_wait(fleet: Fleet) -> None:
    await fleet.add("till-1")
    rule_id = await hot(fleet, for_sec=30)
    await look(fleet, 1, 70)
    await rule_changes.delete_rule(fleet.context, owner, rule_id)
    assert await look(fleet, 29) == []
    await hot(fleet, for_sec=30)
    assert await look(fleet, 1, 70) == []
    assert await look(fleet, 30, 70) == ["hot OPENED"]


async def test_a_rule_for_a_device_that_was_retired_neither_fires_nor_keeps_firing(fleet: Fleet) -> None:
    await fleet.add("till-1", "till-2")
    await hot(fleet)
    assert await look(fleet, 1, 70) == ["hot OPENED"]
    await retire_device(fleet.context, owner, fleet.tenant_id, "till-1")
    assert [event.alert.resolution for event in await fleet.record()][-1] is Resolution.DEVICE_RETIRED
    assert await look(fleet, 15) == []


async def test_a_device_that_is_retired_while_pending_never_fires(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await hot(fleet, for_sec=30)
    await look(fleet, 1, 70)
    await retire_device(fleet.context, owner, fleet.tenant_id, "till-1")
    assert await look(fleet, 60) == []


async def test_a_new_severity_of_a_rule_reaches_its_live_alerts_at_the_next_tick(fleet: Fleet) -> None:
    await fleet.add("till-1")
    rule_id = await hot(fleet)
    assert await look(fleet, 1, 70) == ["hot OPENED"]
    await rule_changes.update_rule(fleet.context, owner, rule_id, RulePatch(severity=Severity.CRITICAL))
    assert await look(fleet, 1) == ["hot SEVERITY_CHANGED"]
    assert await look(fleet, 15) == []


async def test_a_new_severity_of_the_offline_rule_reaches_devices_that_are_silent(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await look(fleet, 1, 10)
    assert await look(fleet, 120) == ["device_offline OPENED"]
    patch = RulePatch(severity=Severity.CRITICAL)
    await rule_overrides.override_rule(fleet.context, owner, fleet.tenant_id, "device_offline", patch)
    assert await look(fleet, 1) == ["device_offline SEVERITY_CHANGED"]


async def test_two_absence_rules_of_a_device_fire_each_at_its_own_time(fleet: Fleet) -> None:
    late = RuleInput(name="Long gone", key="long_gone", severity=Severity.CRITICAL, condition=AbsenceCondition(after_sec=60))
    await rule_changes.create_rule(fleet.context, owner, fleet.tenant_id, late)
    await fleet.add("till-1", offline_after=12)
    await look(fleet, 0, 10)
    began = fleet.clock.now()
    told = {}
    for _ in range(70):
        for what in await look(fleet, 1):
            told[what] = fleet.clock.now() - began
    assert told == {"device_offline OPENED": timedelta(seconds=12), "long_gone OPENED": timedelta(seconds=60)}
