"""Devices that stop to beat, and come back."""

import asyncio
from datetime import timedelta

import pytest

from app.domain.alert import AlertEventType, AlertStatus, Resolution, Severity
from app.domain.device import DeviceStatus
from app.domain.rule import AbsenceCondition
from app.domain.silence import GAP
from app.domain.tenant import only
from app.evaluation import refresh_wake_ups, sweep_lane, withdraw_rule
from app.store.intakes import IntakeRecord
from jobs.evaluate import sweep as sweep_job
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet, numbered


async def test_a_device_that_stops_opens_one_alert_at_its_deadline(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(4.999)
    await fleet.sweep()
    assert await fleet.told() == []
    await fleet.pass_time(0.001)
    await fleet.sweep()
    await fleet.sweep()
    [alert] = await fleet.alerts("till-1")
    assert (alert.rule_key, alert.severity, alert.status) == ("device_offline", Severity.HIGH, AlertStatus.OPEN)
    assert alert.message == "no heartbeat for 5 s, over 5 s"
    assert alert.first_seen == fleet.clock.now()
    assert await fleet.told() == [("till-1", "OPENED")]
    device = await fleet.device("till-1")
    assert (device.status, device.since, device.due_at) == (DeviceStatus.OFFLINE, fleet.clock.now(), None)


async def test_a_beat_resolves_it_and_the_device_is_online_again(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(6)
    await fleet.sweep()
    await fleet.pass_time(1)
    await fleet.beat("till-1")
    back = fleet.clock.now()
    await fleet.pass_time(0.2)
    await fleet.sweep()
    *_, resolved = await fleet.record()
    assert (resolved.type, resolved.alert.resolution) == (AlertEventType.RESOLVED, Resolution.RECOVERED)
    assert await fleet.alerts("till-1") == []
    device = await fleet.device("till-1")
    assert (device.status, device.since) == (DeviceStatus.ONLINE, back)


async def test_a_wake_up_stays_while_most_of_its_time_is_left_and_is_never_late(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=10)
    await fleet.beat("till-1")
    start, due_in = fleet.clock.now(), []
    for _ in range(6):
        due_in.append(((await fleet.device("till-1")).due_at or start) - start)
        await fleet.pass_time(2)
        await fleet.beat("till-1")
    assert [one.total_seconds() for one in due_in] == [10, 10, 14, 14, 18, 18]


async def test_a_wake_up_that_came_early_judges_nobody_and_the_next_comes_at_the_deadline(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=10)
    await fleet.beat("till-1")
    await fleet.pass_time(2)
    await fleet.beat("till-1")
    await fleet.pass_time(8)
    await fleet.sweep()
    device = await fleet.device("till-1")
    assert (device.status, await fleet.told()) == (DeviceStatus.ONLINE, [])
    assert device.last_seen is not None
    assert device.due_at == device.last_seen + timedelta(seconds=10)
    await fleet.pass_time(2)
    await fleet.sweep()
    assert await fleet.told() == [("till-1", "OPENED")]
    assert (await fleet.device("till-1")).since == fleet.clock.now()


@pytest.mark.parametrize("every", [1, 2.4, 2.5, 2.6, 4, 5])
async def test_a_device_that_beats_twice_in_its_time_is_never_due_within_half_of_it(fleet: Fleet, every: float) -> None:
    await fleet.add("till-1", offline_after=10)
    for _ in range(int(30 / every)):
        await fleet.beat("till-1")
        await fleet.pass_time(every)
        due_at = (await fleet.device("till-1")).due_at
        assert due_at is not None
        assert due_at - fleet.clock.now() >= timedelta(seconds=5)


async def test_a_beat_in_the_millisecond_of_the_deadline_keeps_it_online(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(5)
    await fleet.beat("till-1")
    await fleet.sweep()
    assert await fleet.told() == []
    assert (await fleet.device("till-1")).status is DeviceStatus.ONLINE


async def test_a_beat_that_came_before_the_deadline_and_is_stored_after_the_verdict_still_brings_it_back(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    came = fleet.clock.advance(4.99)
    await fleet.pass_time(0.02)
    await fleet.sweep()
    assert (await fleet.device("till-1")).status is DeviceStatus.OFFLINE
    # The write of a batch that took a while: older than the verdict, and news all the same.
    await fleet.context.store.connectivity.saw(["acme:till-1"], came)
    await fleet.sweep()
    assert (await fleet.device("till-1")).status is DeviceStatus.ONLINE
    assert await fleet.told() == [("till-1", "OPENED"), ("till-1", "RESOLVED")]


async def test_beats_and_sweeps_in_any_order_leave_no_stuck_state(fleet: Fleet) -> None:
    names = numbered(40)
    await fleet.add(*names, offline_after=5)
    await asyncio.gather(*(fleet.beat(name) for name in names))
    await fleet.pass_time(5)
    # At the very deadline: half of them beat while four sweeps run.
    await asyncio.gather(
        *(fleet.sweep() for _ in range(2)), *(fleet.beat(name) for name in names[::2]), fleet.sweep(), fleet.sweep()
    )
    await fleet.sweep()
    for name in names[::2]:
        assert (await fleet.device(name)).status is DeviceStatus.ONLINE
        assert await fleet.alerts(name) == []
    for name in names[1::2]:
        assert len(await fleet.alerts(name)) == 1


async def test_many_workers_open_each_alert_once_and_the_record_has_no_hole(fleet: Fleet) -> None:
    names = numbered(150)
    await fleet.add(*names, offline_after=5)
    await asyncio.gather(*(fleet.beat(name) for name in names))
    await fleet.pass_time(6)
    # Round the lane's lease on purpose: the database alone must keep it right.
    await asyncio.gather(*(sweep_lane(fleet.context, fleet.lane) for _ in range(4)))
    events = await fleet.record()
    assert sorted(event.alert.subject_id for event in events) == sorted(names)
    assert [event.seq for event in events] == list(range(1, 151))


async def test_a_lane_is_worked_on_by_one_job_at_a_time(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(6)
    assert await fleet.context.store.leases.hold_lane("sweep", fleet.lane, "another", fleet.clock.now(), 5)
    assert await sweep_job(fleet.context, fleet.lane) == 0
    await fleet.pass_time(5)
    assert await sweep_job(fleet.context, fleet.lane) == 1


async def test_nobody_is_judged_while_no_intake_writes(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(10, intake=False)
    assert await fleet.sweep() == 0
    assert await fleet.told() == []


async def test_after_a_gap_of_ours_a_device_has_its_whole_time_again(fleet: Fleet) -> None:
    await fleet.add("till-1", "till-2", offline_after=5)
    await fleet.beat("till-1")
    await fleet.beat("till-2")
    fleet.clock.advance(600)
    me = IntakeRecord(id="test", at=fleet.clock.now(), beats_per_sec=0, subscribers=0)
    await fleet.context.store.intakes.sign(me, GAP)
    await fleet.sweep()
    assert await fleet.told() == []
    await fleet.pass_time(4)
    await fleet.beat("till-1")
    await fleet.pass_time(1)
    await fleet.sweep()
    assert await fleet.told() == [("till-2", "OPENED")]


async def test_a_second_outage_within_the_cooldown_waits_for_its_end(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(6)
    await fleet.sweep()
    await fleet.beat("till-1")
    await fleet.pass_time(1)
    await fleet.sweep()
    await fleet.pass_time(10)
    await fleet.sweep()
    assert (await fleet.device("till-1")).status is DeviceStatus.OFFLINE
    assert [what for _, what in await fleet.told()] == ["OPENED", "RESOLVED"]
    await fleet.pass_time(300)
    await fleet.sweep()
    assert [what for _, what in await fleet.told()] == ["OPENED", "RESOLVED", "OPENED"]


async def test_two_rules_with_their_own_times_fire_at_their_own(fleet: Fleet) -> None:
    critical = a_rule(AbsenceCondition(after_sec=600), id="r-2", key="long_gone", name="Long gone", severity=Severity.CRITICAL)
    early = a_rule(AbsenceCondition(after_sec=30), id="r-3", key="restless", name="Restless", severity=Severity.LOW)
    await fleet.context.store.rules.insert(critical)
    await fleet.context.store.rules.insert(early)
    await fleet.add("till-1", offline_after=120)
    await refresh_wake_ups(fleet.context, only("acme"))
    await fleet.beat("till-1")
    fired: list[tuple[int, str]] = []
    for second in range(10, 700, 10):
        await fleet.pass_time(10)
        before = len(await fleet.record())
        await fleet.sweep()
        fired += [(second, event.alert.rule_key) for event in (await fleet.record())[before:]]
    assert fired == [(30, "restless"), (120, "device_offline"), (600, "long_gone")]


async def test_a_wait_asked_for_by_the_rule_is_kept_to_the_second(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(AbsenceCondition(after_sec=10), id="r-2", key="patient", for_sec=20))
    await fleet.add("till-1", offline_after=500)
    await refresh_wake_ups(fleet.context, only("acme"))
    await fleet.beat("till-1")
    for _ in range(29):
        await fleet.pass_time(1)
        await fleet.sweep()
    assert await fleet.told() == []
    await fleet.pass_time(1)
    await fleet.sweep()
    assert await fleet.told() == [("till-1", "OPENED")]


async def test_kept_firing_until_it_was_good_for_long_enough(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(AbsenceCondition(after_sec=10), id="r-2", key="sticky", keep_firing_sec=20))
    await fleet.add("till-1", offline_after=500)
    await refresh_wake_ups(fleet.context, only("acme"))
    await fleet.beat("till-1")
    await fleet.pass_time(10)
    await fleet.sweep()
    for second in range(1, 22):
        await fleet.beat("till-1")
        await fleet.pass_time(1)
        await fleet.sweep()
        await fleet.judge()
        assert len(await fleet.record()) == (1 if second < 20 else 2), second


async def test_a_rule_that_is_taken_away_ends_its_alerts(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(6)
    await fleet.sweep()
    await withdraw_rule(fleet.context, only("acme"), "device_offline", "the rule was switched off")
    *_, last = await fleet.record()
    assert (last.type, last.alert.resolution) == (AlertEventType.RESOLVED, Resolution.RULE_CHANGED)


async def test_a_gap_of_ours_does_not_bring_back_what_was_gone_before(fleet: Fleet) -> None:
    await fleet.add("till-1", offline_after=5)
    await fleet.beat("till-1")
    await fleet.pass_time(6)
    await fleet.sweep()
    fleet.clock.advance(600)
    await refresh_wake_ups(fleet.context, only("acme"))
    me = IntakeRecord(id="test", at=fleet.clock.now(), beats_per_sec=0, subscribers=0)
    await fleet.context.store.intakes.sign(me, GAP)
    await fleet.sweep()
    assert await fleet.told() == [("till-1", "OPENED")]
    assert (await fleet.device("till-1")).status is DeviceStatus.OFFLINE
    await fleet.beat("till-1")
    await fleet.pass_time(0.1)
    await fleet.sweep()
    assert await fleet.told() == [("till-1", "OPENED"), ("till-1", "RESOLVED")]


async def test_a_device_that_comes_and_goes_is_told_of_no_more_often_than_its_rule_wants(fleet: Fleet) -> None:
    await fleet.context.mongo.database["alert_rules"].update_one(
        {"key": "device_offline"}, {"$set": {"cooldown_sec": 0, "max_alerts_per_hour": 2}}
    )
    await fleet.add("till-1", offline_after=5)
    for _ in range(3):
        await fleet.beat("till-1")
        await fleet.sweep()
        await fleet.pass_time(300)
        await fleet.sweep()
    opened = [event.alert for event in await fleet.record() if event.type is AlertEventType.OPENED]
    assert [alert.muted_because is None for alert in opened] == [True, True, False]
