"""Gateways and versions, and which of several groups explains a fall."""

from typing import Any

from app.domain.subject import SubjectKind
from tests.evaluation.fleet import Fleet
from tests.fate.story import beat_all, everything, mend, pages, parents, shape, tills, watch


async def add_and_beat(fleet: Fleet, names: tuple[str, ...], **fields: Any) -> tuple[str, ...]:
    await fleet.add(*names, **fields)
    await beat_all(fleet, names)
    return names


async def fall(fleet: Fleet, well: tuple[str, ...] = ()) -> None:
    """All fall silent but those that are well."""
    await fleet.pass_time(100)
    await beat_all(fleet, well)
    await fleet.pass_time(20)
    await fleet.sweep()


async def kinds(fleet: Fleet) -> list[tuple[SubjectKind, str, bool]]:
    """The parents, and whether they are folded themselves."""
    by_id = sorted(await parents(fleet), key=lambda one: one.subject_id)
    return [(one.subject_kind, one.subject_id, one.parent_id is not None) for one in by_id]


async def test_a_gateway_takes_its_devices_with_it(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("kiosk", 6), store_id="north", gateway_id="gw-1")
    well = await add_and_beat(fleet, tills("till", 10), store_id="north")
    await fall(fleet, well)
    assert await shape(fleet) == {"gw-1": 6}
    [parent] = await parents(fleet)
    assert (parent.subject_kind, parent.subject_id, parent.store_id) == (SubjectKind.GATEWAY, "gw-1", "north")
    assert parent.title == "Gateway gw-1: 6 of 6 devices offline"


async def test_a_gateway_without_stores_is_one_story(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("kiosk", 6), gateway_id="gw-1")
    await fall(fleet)
    assert await shape(fleet) == {"gw-1": 6}


async def test_a_store_explains_before_its_gateway(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("kiosk", 6), store_id="north", gateway_id="gw-1")
    await add_and_beat(fleet, tills("till", 6), store_id="north")
    await fall(fleet)
    assert await kinds(fleet) == [(SubjectKind.STORE, "north", False)]
    assert await shape(fleet) == {"north": 12}


async def test_a_gateway_that_fell_first_folds_under_its_store_and_only_the_store_is_told(fleet: Fleet) -> None:
    kiosks = await add_and_beat(fleet, tills("kiosk", 6), store_id="north", gateway_id="gw-1")
    await fleet.pass_time(20)
    others = await add_and_beat(fleet, tills("till", 6), store_id="north")
    await fleet.pass_time(80)
    told = await watch(fleet, 60)
    assert told == {"north"}
    assert await kinds(fleet) == [(SubjectKind.GATEWAY, "gw-1", True), (SubjectKind.STORE, "north", False)]
    assert await shape(fleet) == {"gw-1": 6, "north": 6}
    assert (len(kiosks), len(others)) == (6, 6)


async def test_what_stays_down_of_a_store_may_be_its_gateways(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("kiosk", 6), store_id="north", gateway_id="gw-1")
    tills_again = await add_and_beat(fleet, tills("till", 20), store_id="north")
    await fall(fleet)
    assert await shape(fleet) == {"north": 26}
    told = await watch(fleet, 120, beating=tills_again)
    assert await shape(fleet) == {"gw-1": 6}
    assert told == {"north", "gw-1"}


async def test_a_version_that_falls_in_many_stores_is_one_story(fleet: Fleet) -> None:
    well: tuple[str, ...] = ()
    for store in ("north", "south", "east"):
        await add_and_beat(fleet, tills(f"new-{store}", 3), store_id=store, app_version="3.2.0")
        well += await add_and_beat(fleet, tills(f"old-{store}", 7), store_id=store, app_version="3.1.0")
    await fall(fleet, well)
    assert await kinds(fleet) == [(SubjectKind.VERSION, "3.2.0", False)]
    assert await shape(fleet) == {"3.2.0": 9}
    assert await pages(fleet) == {"3.2.0"}
    [parent] = await parents(fleet)
    assert (parent.title, parent.store_id) == ("Version 3.2.0: 9 of 9 devices offline", None)


async def test_a_version_whose_deadlines_are_spread_is_told_once(fleet: Fleet) -> None:
    names = [(f"new-{number}", f"store-{number % 10}") for number in range(30)]
    for name, store in names:
        await fleet.add(name, store_id=store, app_version="3.2.0")
        # So many others in each store that no store falls.
        await fleet.add(*tills(f"old-{name}", 3), store_id=store)
    old = tuple(other for name, _ in names for other in tills(f"old-{name}", 3))
    await beat_all(fleet, old)
    for name, _ in names:
        await fleet.beat(name)
        await fleet.pass_time(2)
    told: set[str] = set()
    for _ in range(4):
        await fleet.pass_time(10)
        told |= await watch(fleet, 21)
        await beat_all(fleet, old)
    assert told == {"3.2.0"}
    assert await shape(fleet) == {"3.2.0": 30}


async def test_a_version_in_one_store_alone_is_not_the_versions_fate(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("new", 6), store_id="north", app_version="3.2.0")
    well = await add_and_beat(fleet, tills("old", 10), store_id="north")
    await fall(fleet, well)
    assert await shape(fleet) == {None: 6}


async def test_a_version_of_devices_without_stores_is_one_story(fleet: Fleet) -> None:
    await add_and_beat(fleet, tills("new", 6), app_version="3.2.0")
    await fall(fleet)
    assert await shape(fleet) == {"3.2.0": 6}


async def test_stores_that_fall_are_no_fate_of_the_version_that_they_run(fleet: Fleet) -> None:
    for store in ("north", "south"):
        await add_and_beat(fleet, tills(store, 6), store_id=store, app_version="3.2.0")
    await fall(fleet)
    assert await kinds(fleet) == [(SubjectKind.STORE, "north", False), (SubjectKind.STORE, "south", False)]
    await mend(fleet)
    assert await shape(fleet) == {"north": 6, "south": 6}


async def test_a_version_is_back_when_its_devices_are(fleet: Fleet) -> None:
    names = await add_and_beat(fleet, tills("new", 6), app_version="3.2.0")
    await fall(fleet)
    await beat_all(fleet, names)
    await fleet.pass_time(1)
    await fleet.sweep()
    assert [parent.live for parent in await parents(fleet)] == [False]
    assert {alert.live for alert in await everything(fleet)} == {False}
