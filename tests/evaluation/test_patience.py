"""What else a rule may be patient about: silence, going to and fro, too many alerts, a severity that changes, its own errors."""

import pytest

from app.domain.alert import AlertEventType, Resolution, Severity
from app.domain.beat import Metric
from app.domain.rule import Aggregation, Comparison, MetricCondition, NoDataPolicy
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet


async def hot(fleet: Fleet, **fields: object) -> None:
    """A fleet of one, with one rule about its CPU."""
    await fleet.context.mongo.database["alert_rules"].delete_many({})
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), **{"key": "hot", "id": "r-2", **fields}))
    await fleet.add("till-1")


async def look(fleet: Fleet, seconds: float, **gauges: object) -> list[str]:
    """What happened by so many seconds later, with a beat if it says anything."""
    before = len(await fleet.record())
    await fleet.pass_time(seconds)
    if gauges:
        await fleet.beat("till-1", **gauges)
    await fleet.sweep()
    await fleet.judge()
    return [event.type.name for event in (await fleet.record())[before:]]


async def test_without_a_value_an_alert_stays_when_the_rule_says_keep(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.KEEP)
    assert await look(fleet, 1, cpu_usage=70) == ["OPENED"]
    for _ in range(10):
        assert await look(fleet, 60, disk_usage=1) == []
    assert len(await fleet.alerts("till-1")) == 1


async def test_without_a_value_an_alert_ends_when_the_rule_says_resolve(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.RESOLVE)
    assert await look(fleet, 1, cpu_usage=70) == ["OPENED"]
    assert await look(fleet, 60, disk_usage=1) == []
    assert await look(fleet, 59, disk_usage=1) == []
    assert await look(fleet, 1, disk_usage=1) == ["RESOLVED"]  # 120 s after the last value, as long as the device may be silent
    [*_, resolved] = await fleet.record()
    assert resolved.alert.resolution is Resolution.NO_DATA
    assert resolved.reason == "no CPU usage for 120 s, at least 120 s: the rule ends its alerts then"


async def test_what_opened_by_time_alone_ends_without_a_value_too(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.RESOLVE, for_sec=60)
    assert await look(fleet, 1, cpu_usage=70) == []
    assert await look(fleet, 60) == ["OPENED"]
    assert await look(fleet, 59) == []
    assert await look(fleet, 1) == ["RESOLVED"]


async def test_a_rule_whose_time_has_come_does_not_stir_another_ones_wait(fleet: Fleet) -> None:
    await hot(fleet, for_sec=130)
    slow = a_rule(cpu_over(60), key="slow", id="r-3", for_sec=240, no_data=NoDataPolicy.KEEP)
    await fleet.context.store.rules.insert(slow)
    assert await look(fleet, 1, cpu_usage=70) == []
    assert await look(fleet, 65) == []
    assert await look(fleet, 65) == []  # the first one is looked at, and finds silence
    assert await look(fleet, 10, cpu_usage=70) == []
    assert await look(fleet, 100, cpu_usage=70) == ["OPENED"]
    [alert] = await fleet.alerts("till-1")
    assert alert.rule_key == "slow"


async def test_an_alert_of_a_device_that_went_silent_ends_when_the_rule_says_resolve(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.RESOLVE)
    assert await look(fleet, 1, cpu_usage=70) == ["OPENED"]
    assert await look(fleet, 119) == []
    assert await look(fleet, 1) == ["RESOLVED"]


async def test_a_value_that_fails_to_come_is_an_alert_when_the_rule_says_so(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.ALERT)
    assert await look(fleet, 1, cpu_usage=10) == []
    assert await look(fleet, 60, disk_usage=1) == []
    assert await look(fleet, 60, disk_usage=1) == ["OPENED"]
    [alert] = await fleet.alerts("till-1")
    assert alert.message == "no CPU usage for 120 s, at least 120 s: the rule alerts on that"
    assert await look(fleet, 5, cpu_usage=10) == ["RESOLVED"]


async def test_a_device_that_never_had_the_value_is_no_alert(fleet: Fleet) -> None:
    await hot(fleet, no_data=NoDataPolicy.ALERT)
    for _ in range(6):
        assert await look(fleet, 60, disk_usage=1) == []


async def test_what_goes_to_and_fro_stays_open_and_says_so_until_it_is_calm(fleet: Fleet) -> None:
    await hot(fleet, cooldown_sec=0)
    told = [await look(fleet, 15, cpu_usage=70 if turn % 2 == 0 else 10) for turn in range(10)]
    flat = [what for some in told for what in some]
    assert flat == ["OPENED", "RESOLVED", "OPENED", "RESOLVED", "OPENED", "FLAPPING"]
    [alert] = await fleet.alerts("till-1")
    assert alert.flapping
    calm = [what for _ in range(40) for what in await look(fleet, 60, cpu_usage=10)]
    assert calm == ["RESOLVED"]
    [*_, resolved] = await fleet.record()
    assert (resolved.alert.resolution, resolved.alert.flapping) == (Resolution.RECOVERED, False)


async def test_more_alerts_than_an_hour_may_have_open_but_are_not_told(fleet: Fleet) -> None:
    await hot(fleet, cooldown_sec=0, max_alerts_per_hour=2)
    for _ in range(3):
        assert await look(fleet, 600, cpu_usage=70) == ["OPENED"]
        assert await look(fleet, 600, cpu_usage=10) == ["RESOLVED"]
    opened = [event.alert.muted_because for event in await fleet.record() if event.type is AlertEventType.OPENED]
    assert opened[:2] == [None, None]
    assert opened[2] == "2 alerts in the last hour, of which 2 are told: it opens, and nobody is told"
    await look(fleet, 2_000, cpu_usage=70)
    [again] = await fleet.alerts("till-1")
    assert again.muted_because is None


async def test_a_live_alert_follows_the_severity_of_its_rule(fleet: Fleet) -> None:
    await hot(fleet)
    assert await look(fleet, 1, cpu_usage=70) == ["OPENED"]
    await fleet.context.mongo.database["alert_rules"].update_one({"key": "hot"}, {"$set": {"severity": "critical"}})
    assert await look(fleet, 15, cpu_usage=71) == ["SEVERITY_CHANGED"]
    [alert] = await fleet.alerts("till-1")
    assert (alert.severity, alert.version) == (Severity.CRITICAL, 2)


HUGE = (Metric("load", 1.7e308),)
"""Two of them have no mean that a computer can hold."""


async def failing(fleet: Fleet) -> None:
    await hot(fleet)
    condition = MetricCondition(metric="load", comparison=Comparison.GT, threshold=1, aggregation=Aggregation.AVG, window_sec=60)
    await fleet.context.store.rules.insert(a_rule(condition, key="broken", id="r-3", updated_by="vera"))


async def test_a_rule_that_fails_never_stops_the_others_and_says_so(fleet: Fleet) -> None:
    await failing(fleet)
    await look(fleet, 1, metrics=list(HUGE))
    assert await look(fleet, 15, metrics=list(HUGE), cpu_usage=70) == ["OPENED"]
    [rule] = [rule for rule in await fleet.context.store.rules.applying(["acme"]) if rule.key == "broken"]
    assert (rule.error_count, rule.last_error) == (1, "OverflowError: intermediate overflow in fsum")


async def test_after_repeated_failure_whoever_owns_the_rule_is_told_until_it_works_again(fleet: Fleet) -> None:
    await failing(fleet)
    await look(fleet, 1, metrics=list(HUGE))
    told = [await look(fleet, 15, metrics=list(HUGE)) for _ in range(4)]
    assert told == [[], [], ["OPENED"], []]
    [*_, opened] = await fleet.record()
    assert (opened.alert.rule_key, opened.alert.title) == ("rule_failing.broken", "Rule broken fails: acme")
    assert "last changed by vera" in opened.alert.message
    well = [what for _ in range(8) for what in await look(fleet, 15, metrics=[Metric("load", 0.5)])]
    assert well == ["RESOLVED", "RESOLVED"]
    assert {event.alert.rule_key for event in (await fleet.record())[-2:]} == {"broken", "rule_failing.broken"}


@pytest.mark.parametrize("policy", list(NoDataPolicy))
async def test_a_wait_starts_over_while_the_device_is_silent(fleet: Fleet, policy: NoDataPolicy) -> None:
    await hot(fleet, for_sec=100, no_data=policy)
    assert await look(fleet, 1, cpu_usage=70) == []
    if policy is not NoDataPolicy.ALERT:
        assert await look(fleet, 200) == []
        assert await look(fleet, 1, cpu_usage=70) == []
        assert await look(fleet, 99, cpu_usage=70) == []
        assert await look(fleet, 1, cpu_usage=70) == ["OPENED"]
