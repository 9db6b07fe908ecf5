"""What devices say, judged by the rule tick."""

import pytest

from app.domain.alert import Resolution, Severity
from app.domain.rule import Aggregation, RuleScope
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet


async def _beat_and_judge(fleet: Fleet, seconds: float, **fields: float) -> list[str]:
    """What a beat so many seconds later led to."""
    await fleet.pass_time(seconds)
    before = len(await fleet.record())
    await fleet.beat("till-1", **fields)
    await fleet.judge()
    return [f"{event.alert.rule_key} {event.type.name}" for event in (await fleet.record())[before:]]


async def test_sync_lag_over_the_settings_bound_opens_and_recovers(fleet: Fleet) -> None:
    await fleet.add("till-1")
    assert await _beat_and_judge(fleet, 1, sync_lag_sec=90) == []
    assert await _beat_and_judge(fleet, 15, sync_lag_sec=143) == ["sync_lag_high OPENED"]
    [alert] = await fleet.alerts("till-1")
    assert (alert.severity, alert.value, alert.threshold, alert.unit) == (Severity.MEDIUM, 143, 90, "s")
    assert alert.message == "sync lag 143 s, over 90 s"
    assert await _beat_and_judge(fleet, 15, sync_lag_sec=12) == ["sync_lag_high RESOLVED"]


async def test_a_tenants_own_bound_of_sync_lag_wins(fleet: Fleet) -> None:
    await fleet.context.store.tenants.change("acme", {"sync_lag_warn_sec": 200})
    await fleet.add("till-1")
    assert await _beat_and_judge(fleet, 1, sync_lag_sec=143) == []
    assert await _beat_and_judge(fleet, 15, sync_lag_sec=201) == ["sync_lag_high OPENED"]


async def test_cpu_fires_after_five_minutes_and_recovers_under_its_own_bound(fleet: Fleet) -> None:
    await fleet.add("till-1")
    told = {minute: await _beat_and_judge(fleet, 60, cpu_usage=95) for minute in range(8)}
    assert {minute: what for minute, what in told.items() if what} == {5: ["cpu_high OPENED"]}
    assert await _beat_and_judge(fleet, 60, cpu_usage=85) == []  # under 90, not under 80
    assert await _beat_and_judge(fleet, 60, cpu_usage=80) == ["cpu_high RESOLVED"]


async def test_what_was_held_for_some_time_says_for_how_long(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="warm", id="r-2", for_sec=240))
    await fleet.add("till-1")
    for _ in range(5):
        await _beat_and_judge(fleet, 60, cpu_usage=70)
    [alert] = await fleet.alerts("till-1")
    assert alert.message == "CPU usage 70 %, over 50 % for 4 min"


async def test_time_alone_ripens_a_breach_between_two_beats(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=1_000)
    await _beat_and_judge(fleet, 1, cpu_usage=95)
    await fleet.pass_time(299)
    await fleet.judge()
    assert await fleet.told() == []
    await fleet.pass_time(1)
    await fleet.judge()
    assert await fleet.told() == [("till-1", "OPENED")]


async def test_a_window_is_averaged_and_fires_once(fleet: Fleet) -> None:
    condition = cpu_over(50, aggregation=Aggregation.AVG, window_sec=60)
    await fleet.context.store.rules.insert(a_rule(condition, key="busy", id="r-2"))
    await fleet.add("till-1")
    told = [await _beat_and_judge(fleet, 15, cpu_usage=value) for value in (10, 40, 80, 89, 60, 20, 10, 5)]
    assert [what for what in told if what] == [["busy OPENED"], ["busy RESOLVED"]]
    assert told[3] == ["busy OPENED"]  # (10 + 40 + 80 + 89) / 4 = 54.75


async def test_a_rule_is_for_its_scope_alone(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="gates", id="r-2", scope=RuleScope(kinds=("gate",))))
    await fleet.add("till-1", kind="pos")
    await fleet.add("gate-1", kind="gate")
    await fleet.pass_time(1)
    await fleet.beat("till-1", cpu_usage=70)
    await fleet.beat("gate-1", cpu_usage=70)
    await fleet.judge()
    assert await fleet.told() == [("gate-1", "OPENED")]


async def test_a_tick_reads_each_beat_once_but_forgets_none(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="hot", id="r-2"))
    await _beat_and_judge(fleet, 1, cpu_usage=70)
    await _beat_and_judge(fleet, 1, cpu_usage=10)
    for _ in range(4):
        await fleet.pass_time(1)
        await fleet.judge()
    assert await fleet.told() == [("till-1", "OPENED"), ("till-1", "RESOLVED")]


async def test_a_standstill_of_the_worker_is_caught_up_with(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await fleet.judge()
    for _ in range(5):
        await fleet.pass_time(30)
        await fleet.beat("till-1", disk_usage=95)
    await fleet.judge()
    [alert] = await fleet.alerts("till-1")
    assert (alert.rule_key, alert.severity) == ("disk_full", Severity.HIGH)


async def test_an_alert_that_needs_a_person_stays_when_the_value_is_good(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="hot", id="r-2", auto_resolve=False))
    await fleet.add("till-1")
    assert await _beat_and_judge(fleet, 1, cpu_usage=70) == ["hot OPENED"]
    assert await _beat_and_judge(fleet, 15, cpu_usage=10) == []
    assert await _beat_and_judge(fleet, 15, cpu_usage=70) == []
    [alert] = await fleet.alerts("till-1")
    assert alert.resolution is None


@pytest.mark.parametrize("cooldown", [0, 600])
async def test_no_second_alert_within_the_cooldown(fleet: Fleet, cooldown: int) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="hot", id="r-2", cooldown_sec=cooldown))
    await fleet.add("till-1")
    await _beat_and_judge(fleet, 1, cpu_usage=70)
    await _beat_and_judge(fleet, 15, cpu_usage=10)
    again = await _beat_and_judge(fleet, 15, cpu_usage=70)
    assert again == ([] if cooldown else ["hot OPENED"])
    recovered = [event.alert.resolution for event in await fleet.record() if event.alert.resolution]
    assert recovered == [Resolution.RECOVERED]


async def test_an_alert_ends_and_the_next_one_opens_between_two_looks(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="warm", id="r-2"))
    await fleet.add("till-1")
    assert await _beat_and_judge(fleet, 1, cpu_usage=70) == ["warm OPENED"]
    await fleet.pass_time(1)
    await fleet.beat("till-1", cpu_usage=20)
    assert await _beat_and_judge(fleet, 1, cpu_usage=70) == ["warm RESOLVED", "warm OPENED"]
    assert [alert.rule_key for alert in await fleet.alerts("till-1")] == ["warm"]
