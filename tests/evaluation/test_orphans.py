"""Alerts that their rule would not open any more are ended, whoever changed what."""

import msgspec

from app.domain.alert import Resolution
from app.domain.rule import RuleScope
from app.domain.tenant import only
from app.orphans import end_orphans
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet


async def _hot(fleet: Fleet) -> None:
    rule = a_rule(cpu_over(50), key="hot", id="r-2")
    await fleet.context.store.rules.insert(rule)
    await fleet.add("till-1", kind="pos")
    await fleet.pass_time(1)
    await fleet.beat("till-1", cpu_usage=70)
    await fleet.judge()
    assert len(await fleet.alerts("till-1")) == 1


async def _endings(fleet: Fleet) -> list[tuple[Resolution | None, str | None]]:
    ended = await end_orphans(fleet.context, only("acme"))
    events = [event for event in await fleet.record() if event.type.name == "RESOLVED"]
    assert ended == len(events)
    return [(event.alert.resolution, event.reason) for event in events]


async def test_an_alert_whose_rule_still_applies_stays(fleet: Fleet) -> None:
    await _hot(fleet)
    assert await _endings(fleet) == []


async def test_a_rule_that_a_tick_still_saw_when_it_was_deleted(fleet: Fleet) -> None:
    await _hot(fleet)
    rule = await fleet.context.store.rules.get(only("acme"), "r-2")
    assert rule is not None
    await fleet.context.store.rules.delete(rule)
    assert await _endings(fleet) == [(Resolution.RULE_CHANGED, "the rule was deleted")]


async def test_a_rule_that_is_for_other_devices_now(fleet: Fleet) -> None:
    await _hot(fleet)
    rule = await fleet.context.store.rules.get(only("acme"), "r-2")
    assert rule is not None
    await fleet.context.store.rules.replace(msgspec.structs.replace(rule, scope=RuleScope(kinds=("gate",)), version=2), 1)
    assert await _endings(fleet) == [(Resolution.RULE_CHANGED, "the rule is for other devices now")]


async def test_a_device_that_was_retired_while_a_tick_ran(fleet: Fleet) -> None:
    await _hot(fleet)
    await fleet.context.store.devices.retire(only("acme"), "acme:till-1", fleet.clock.now())
    assert await _endings(fleet) == [(Resolution.DEVICE_RETIRED, "the device was retired")]
