"""A tick costs what changed: windows are not read again, nor what is remembered of those that said nothing."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from app.domain.beat import Beat
from app.domain.ids import device_key, lane_of
from app.domain.rule import Aggregation
from app.domain.subject import SubjectKind
from app.rule_tick import judge_lane
from tests.cast import TENANTS
from tests.counting import counted
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet, numbered

RULES = (
    cpu_over(60, aggregation=Aggregation.AVG, window_sec=60),
    cpu_over(80, aggregation=Aggregation.MAX, window_sec=120),
    cpu_over(70, aggregation=Aggregation.P95, window_sec=300),
    cpu_over(150, aggregation=Aggregation.SUM, window_sec=45),
    cpu_over(70),
)


def a_beat(fleet: Fleet, tenant_id: str, device_id: str, number: int, cpu: float, late: float = 0) -> Beat:
    now = fleet.clock.now()
    return Beat(
        id=f"{device_key(tenant_id, device_id)}:{number}",
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        timestamp=now - timedelta(seconds=late),
        received_at=now,
        expire_at=now + timedelta(days=7),
        late=late > 30,
        cpu_usage=cpu,
    )


def readings_of(*device_ids: str) -> list[dict[str, Any]]:
    return [{"tenant_id": "acme", "device_id": device_id} for device_id in device_ids]


async def told_of(fleet: Fleet, tenant_id: str) -> list[tuple[Any, ...]]:
    record = [event for event in await fleet.record() if event.tenant_id == tenant_id]
    return [
        (event.at, event.alert.rule_key, event.alert.subject_id, event.type, event.alert.value, event.reason) for event in record
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("page", [20_000, 4])
async def test_who_keeps_windows_says_what_one_says_who_reads_them_again(
    fleet: Fleet, seed: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tenants with the same fleet; of one, what was kept is thrown away before each tick."""
    monkeypatch.setattr("app.rule_tick.PAGE", page)
    chance, number, store = Random(seed), 0, fleet.context.store
    fleets = {tenant_id: Fleet(fleet.context, fleet.clock, tenant_id) for tenant_id in TENANTS}
    for tenant_id, one in fleets.items():
        await one.add("till-1", "till-2", "till-3")
        for place, condition in enumerate(RULES):
            rule = a_rule(condition, id=f"{tenant_id}-{place}", key=f"rule-{place}", tenant_id=tenant_id)
            await store.rules.insert(rule)
    for _ in range(25):
        for _ in range(chance.randrange(5)):
            await fleet.pass_time(chance.choice([0.001, 1, 4, 9]))
            for _ in range(chance.randrange(1, 4)):
                device, cpu, number = chance.choice(numbered(3)), float(chance.randrange(0, 100)), number + 1
                late = chance.choice([0, 0, 0, 20, 50])
                await store.heartbeats.insert([a_beat(fleet, tenant_id, device, number, cpu, late) for tenant_id in TENANTS])
        await fleet.pass_time(chance.choice([0, 0.001, 2, 15, 40]))
        for tenant_id, one in fleets.items():
            if tenant_id == TENANTS[1]:
                fleet.context.windows.take(one.lane, None)
            await judge_lane(fleet.context, one.lane)
    kept, anew = [await told_of(fleet, tenant_id) for tenant_id in TENANTS]
    assert kept == anew
    assert len(kept) > 5


async def test_a_window_is_read_once_however_long_it_is_looked_at(fleet: Fleet, database: str) -> None:
    condition = cpu_over(50, aggregation=Aggregation.AVG, window_sec=60)
    await fleet.context.store.rules.insert(a_rule(condition, key="busy", id="r-2"))
    await fleet.add("till-1")
    reads = []
    for tick in range(6):
        await fleet.pass_time(5)
        await fleet.beat("till-1", cpu_usage=90)
        if tick == 4:
            fleet.context.windows.take(fleet.lane, None)
        with counted(database) as commands:
            await fleet.judge()
        reads.append(commands.count("find"))
    assert await fleet.told() == [("till-1", "OPENED")]
    assert [reads[tick] - reads[2] for tick in (3, 4, 5)] == [0, 1, 0]


async def test_what_comes_in_the_last_millisecond_of_a_page_is_judged_with_the_next_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.rule_tick.PAGE", 3)
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="hot", id="r-2"))
    await fleet.add(*numbered(5))
    await fleet.pass_time(1)
    for number, device in enumerate(numbered(5)):
        if number in (1, 3):
            await fleet.pass_time(1)
        await fleet.context.store.heartbeats.insert([a_beat(fleet, "acme", device, number, 90)])
    await fleet.pass_time(20)
    await fleet.judge()
    assert sorted(await fleet.told()) == [(device, "OPENED") for device in numbered(5)]


async def test_what_is_remembered_is_read_of_those_that_beat_and_of_those_whose_time_has_come(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(cpu_over(50), key="hot", id="r-2"))
    await fleet.add(*numbered(20))
    await fleet.pass_time(1)
    for device in numbered(20):
        await fleet.beat(device, cpu_usage=90)
    await fleet.judge()
    states, now = fleet.context.store.rule_states, fleet.clock.now()
    assert await states.awake(fleet.lane, ["metric"], now) == {}
    some = await states.of_devices(fleet.lane, "metric", readings_of("till-3", "till-99"))
    assert [state.subject_id for state in some.values() if state.subject_kind is SubjectKind.DEVICE] == ["till-3"]
    every = await states.of_devices(fleet.lane, "metric", readings_of(*numbered(40)))
    assert len(every) == 20
    assert (await states.of_ids(fleet.lane, ["metric"], list(some))).keys() == some.keys()
    assert await states.of_devices(fleet.lane, "metric", []) == {}
