"""A store whose devices fall silent together is one story, told once."""

import asyncio

import pytest

from app.alert_actions import acknowledge_alert, reopen_alert, resolve_alert
from app.domain.alert import AlertEventType, AlertStatus, Resolution, Severity
from app.domain.rule import AbsenceCondition
from app.domain.silence import GAP
from app.domain.subject import SubjectKind
from app.domain.tenant import only
from app.evaluation import refresh_wake_ups, withdraw_rule
from app.orphans import end_orphans
from app.shared_fate import share_fates
from app.store.intakes import IntakeRecord
from tests.cast import owner
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet
from tests.fate.story import beat_all, everything, mend, pages, parents, shape, tills, watch

pytestmark = pytest.mark.timeout(90)  # minutes of a fleet's time pass here, a sweep for each second


async def fallen(fleet: Fleet, *, down: int, of: int, store_id: str = "north", prefix: str = "till") -> tuple[str, ...]:
    """A store of which so many fall silent at once while the others beat on; the names of those that fell."""
    names = tills(prefix, of)
    await fleet.add(*names, store_id=store_id)
    await beat_all(fleet, names)
    await fleet.pass_time(100)
    await beat_all(fleet, names[down:])
    await fleet.pass_time(20)
    await fleet.sweep()
    return names[:down]


async def test_two_hundred_devices_that_lose_their_line_are_one_page(fleet: Fleet) -> None:
    names = tills("till", 200)
    await fleet.add(*names, store_id="north")
    await beat_all(fleet, names, apart=0.3)
    assert await watch(fleet, 125) == {"north"}
    assert await shape(fleet) == {"north": 200}
    [parent] = await parents(fleet)
    assert (parent.rule_key, parent.severity, parent.store_id) == ("device_offline", Severity.HIGH, "north")
    assert (parent.subject_kind, parent.dedup_key) == (SubjectKind.STORE, "rule:1:device_offline:store:north")
    await fleet.pass_time(60)
    await mend(fleet)
    [parent] = await parents(fleet)
    assert parent.title == "Store north: 200 of 200 devices offline"
    assert parent.details == {"missed": 200, "total": 200}


async def test_the_reason_says_how_many_of_how_many_and_when(fleet: Fleet) -> None:
    await fallen(fleet, down=5, of=8)
    [parent] = await parents(fleet)
    assert parent.message == "5 of 8 devices of store north missed their deadlines within 60 s"
    assert parent.title == "Store north: 5 of 8 devices offline"
    grouped = [event for event in await fleet.record() if event.type is AlertEventType.GROUPED]
    assert len(grouped) == 5
    assert {event.reason for event in grouped} == {f"one of many: {parent.message}"}


@pytest.mark.parametrize(
    ("down", "of", "folded"), [(5, 8, True), (4, 8, False), (6, 10, True), (5, 10, False), (4, 4, False), (5, 5, True)]
)
async def test_from_sixty_percent_and_five_devices_on(fleet: Fleet, down: int, of: int, folded: bool) -> None:
    await fallen(fleet, down=down, of=of)
    assert await shape(fleet) == ({"north": down} if folded else {None: down})


async def test_a_tenant_may_ask_for_more_or_fewer(fleet: Fleet) -> None:
    await fleet.context.store.tenants.change("acme", {"shared_fate_ratio": 0.25, "shared_fate_min": 2})
    await fallen(fleet, down=2, of=8)
    assert await shape(fleet) == {"north": 2}


async def test_two_stores_are_two_stories(fleet: Fleet) -> None:
    await fallen(fleet, down=5, of=5)
    await fallen(fleet, down=6, of=6, store_id="south", prefix="gate")
    assert await shape(fleet) == {"north": 5, "south": 6}
    assert await pages(fleet) == {"north", "south"}


async def test_two_tenants_with_a_store_of_the_same_name_are_two_stories(fleet: Fleet) -> None:
    other = Fleet(fleet.context, fleet.clock, "umbrella")
    for one in (fleet, other):
        await one.add(*tills("till", 4), store_id="north")
        await beat_all(one, tills("till", 4))
    await fleet.pass_time(120)
    await fleet.sweep()
    await other.sweep()
    assert await parents(fleet) == []
    await fallen(other, down=6, of=6, prefix="more")
    assert [(parent.tenant_id, parent.subject_id) for parent in await parents(fleet)] == [("umbrella", "north")]
    assert all(alert.parent_id is None for alert in await everything(fleet) if alert.tenant_id == "acme")


async def test_who_fell_an_hour_before_neither_counts_nor_folds(fleet: Fleet) -> None:
    await fleet.add("old-1", "old-2", "old-3", store_id="north")
    await beat_all(fleet, ("old-1", "old-2", "old-3"))
    await watch(fleet, 150)
    await fleet.pass_time(3600)
    await fallen(fleet, down=4, of=5)
    assert await shape(fleet) == {None: 7}


async def test_who_fell_an_hour_before_stays_outside_when_the_store_falls(fleet: Fleet) -> None:
    await fleet.add("old-1", store_id="north")
    await fleet.beat("old-1")
    await fleet.pass_time(120)
    await fleet.sweep()
    await fleet.pass_time(3600)
    await fallen(fleet, down=6, of=6)
    assert await shape(fleet) == {None: 1, "north": 6}


async def test_devices_that_were_retired_or_never_heard_of_do_not_count(fleet: Fleet) -> None:
    await fleet.add(*tills("new", 10), store_id="north")
    await fleet.add(*tills("old", 10), store_id="north", retired_at=fleet.clock.now(), last_seen=fleet.clock.now())
    await fallen(fleet, down=5, of=5)
    assert await shape(fleet) == {"north": 5}


async def test_a_lone_miss_is_told_at_once_when_its_siblings_are_well(fleet: Fleet) -> None:
    await fallen(fleet, down=1, of=8)
    [alert] = await everything(fleet)
    assert alert.telling_held_until is None
    assert await pages(fleet) == {"till-0"}


async def test_a_first_miss_waits_for_the_deadlines_of_its_silent_siblings_and_no_longer(fleet: Fleet) -> None:
    names = tills("till", 8)
    await fleet.add(*names, store_id="north")
    await beat_all(fleet, names, apart=5)
    await fleet.pass_time(80)
    await fleet.sweep()
    [first] = await everything(fleet)
    # The last of them beat 35 s after the first one.
    assert first.telling_held_until is not None
    assert (first.telling_held_until - first.first_seen).total_seconds() == 35
    # They were only late: all others beat again, and then the first one is on its own.
    assert await watch(fleet, 34, beating=names[1:]) == set()
    assert await watch(fleet, 2) == {"till-0"}


async def test_new_misses_fold_while_the_parent_lives(fleet: Fleet) -> None:
    down = await fallen(fleet, down=6, of=9)
    assert await shape(fleet) == {"north": 6}
    assert await watch(fleet, 125) == {"north"}
    assert await shape(fleet) == {"north": 9}
    assert len(down) == 6


async def test_all_back_resolves_the_parent_with_the_last_of_them(fleet: Fleet) -> None:
    down = await fallen(fleet, down=6, of=6)
    await fleet.pass_time(5)
    await beat_all(fleet, down)
    await fleet.pass_time(1)
    await fleet.sweep()
    assert await shape(fleet) == {}
    [parent] = await parents(fleet)
    assert (parent.status, parent.resolution) == (AlertStatus.RESOLVED, Resolution.RECOVERED)
    assert parent.resolution_note == "6 of 6 devices of store north are heard of again"


async def test_a_member_that_stays_down_is_on_its_own_again_and_told(fleet: Fleet) -> None:
    down = await fallen(fleet, down=6, of=6)
    told = await watch(fleet, 50, beating=down[1:])
    assert told == {"north"}
    assert await shape(fleet) == {"north": 1}
    assert await watch(fleet, 40, beating=down[1:]) == {"north", "till-0"}
    assert await shape(fleet) == {None: 1}
    *_, last = [event for event in await fleet.record() if event.alert.subject_id == "till-0"]
    assert (last.type, last.reason) == (AlertEventType.UNGROUPED, "store north is back; this one is not")
    assert last.alert.parent_id is None
    assert [parent.live for parent in await parents(fleet)] == [False]


async def test_a_store_that_comes_back_one_by_one_is_not_told_device_by_device(fleet: Fleet) -> None:
    down = await fallen(fleet, down=8, of=8)
    told: set[str] = set()
    for count in range(1, 9):
        told |= await watch(fleet, 40, beating=down[:count])
    assert told == {"north"}
    assert await shape(fleet) == {}


async def test_a_store_that_flaps_is_one_page_for_each_story(fleet: Fleet) -> None:
    down = await fallen(fleet, down=8, of=8)
    for _ in range(3):
        await fleet.pass_time(10)
        await beat_all(fleet, down, apart=1)
        for _ in range(14):
            await fleet.pass_time(10)
            await fleet.sweep()
    for _ in range(40):
        await fleet.pass_time(10)
        await fleet.sweep()
    told = {alert.subject_id for alert in await everything(fleet) if alert.subject_kind is SubjectKind.DEVICE}
    assert told == set(down)
    assert all(alert.parent_id is not None for alert in await everything(fleet) if alert.subject_kind is SubjectKind.DEVICE)
    # Within the cooldown nothing opens; after it the store is down again, and that is one alert.
    assert [parent.live for parent in await parents(fleet)] == [False, True]


async def test_to_acknowledge_the_parent_leaves_its_members(fleet: Fleet) -> None:
    await fallen(fleet, down=6, of=6)
    [parent] = await parents(fleet)
    await acknowledge_alert(fleet.context, owner, parent.id, None, None, None)
    await watch(fleet, 20)
    states = [alert.status for alert in await everything(fleet) if alert.subject_kind is SubjectKind.DEVICE]
    assert states == [AlertStatus.OPEN] * 6
    assert [one.status for one in await parents(fleet)] == [AlertStatus.ACKNOWLEDGED]


async def test_a_parent_that_a_person_ended_holds_for_the_cooldown_and_still_unfolds(fleet: Fleet) -> None:
    down = await fallen(fleet, down=6, of=9)
    [parent] = await parents(fleet)
    await resolve_alert(fleet.context, owner, parent.id, "the shop is being rebuilt", Resolution.MANUAL, None)
    assert "till-7" not in await watch(fleet, 125)
    assert await shape(fleet) == {"north": 9}
    assert len(await parents(fleet)) == 1
    assert "till-0" in await watch(fleet, 90, beating=(*down[1:], *tills("till", 9)[6:]))
    assert await shape(fleet) == {None: 1}


async def test_a_member_that_a_person_reopens_is_told_for_itself(fleet: Fleet) -> None:
    down = await fallen(fleet, down=6, of=6)
    await fleet.pass_time(5)
    await beat_all(fleet, down)
    await fleet.sweep()
    alert = next(one for one in await everything(fleet) if one.subject_id == "till-3")
    assert (await reopen_alert(fleet.context, owner, alert.id, "I saw it dead", None)).parent_id is None


async def test_a_sweep_that_was_killed_half_way_comes_to_the_same(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def killed(*_: object) -> int:
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr("app.evaluation.share_fates", killed)
        with pytest.raises(asyncio.CancelledError):
            await fallen(fleet, down=120, of=120)
    assert await shape(fleet) == {None: 120}
    assert await pages(fleet) == set()
    await asyncio.gather(fleet.sweep(), mend(fleet), mend(fleet), fleet.sweep())
    assert await shape(fleet) == {"north": 120}
    before = await fleet.record()
    await asyncio.gather(fleet.sweep(), mend(fleet), share_fates(fleet.context, only("acme"), fleet.clock.now()))
    assert await fleet.record() == before
    assert await pages(fleet) == {"north"}


async def test_a_rule_with_its_own_time_folds_by_that(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(AbsenceCondition(after_sec=30), id="r-2", key="restless"))
    names = tills("till", 6)
    await fleet.add(*names, store_id="north")
    await refresh_wake_ups(fleet.context, only("acme"))
    await beat_all(fleet, names)
    await fleet.pass_time(30)
    await fleet.sweep()
    assert [(parent.rule_key, parent.subject_id) for parent in await parents(fleet)] == [("restless", "north")]
    assert await shape(fleet) == {"north": 6}


async def test_a_rule_that_is_taken_away_ends_parent_and_members(fleet: Fleet) -> None:
    await fallen(fleet, down=6, of=6)
    await withdraw_rule(fleet.context, only("acme"), "device_offline", "the rule was switched off")
    assert {alert.resolution for alert in await everything(fleet)} == {Resolution.RULE_CHANGED}


async def test_a_parent_is_no_alert_of_a_retired_device(fleet: Fleet) -> None:
    await fallen(fleet, down=6, of=6)
    assert await end_orphans(fleet.context, only("acme")) == 0
    assert [parent.live for parent in await parents(fleet)] == [True]


async def test_nothing_is_mended_while_no_intake_writes(fleet: Fleet) -> None:
    await fallen(fleet, down=6, of=6)
    fleet.clock.advance(600)
    assert await mend(fleet) == 0


async def test_a_restart_of_everything_for_ten_minutes_is_nobodys_fate(fleet: Fleet) -> None:
    names = tills("till", 5_000)
    for store in range(25):
        await fleet.add(*names[store * 200 : (store + 1) * 200], store_id=f"store-{store}")
    await _beat_together(fleet, names)
    await fleet.pass_time(600, intake=False)
    me = IntakeRecord(id="test", at=fleet.clock.now(), beats_per_sec=0, subscribers=0)
    await fleet.context.store.intakes.sign(me, GAP)
    for _ in range(3):
        await fleet.sweep()
        await mend(fleet)
        await fleet.pass_time(30)
        await _beat_together(fleet, names)
    await fleet.sweep()
    assert await everything(fleet) == []


async def _beat_together(fleet: Fleet, names: tuple[str, ...]) -> None:
    await fleet.context.store.connectivity.saw([f"acme:{name}" for name in names], fleet.clock.now())
