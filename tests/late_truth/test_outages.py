"""A backlog that shows a device alive takes its outage back, once."""

from datetime import timedelta
from itertools import permutations

import pytest

from app.alert_actions import resolve_alert
from app.domain.alert import Alert, AlertEventType, AlertStatus, Resolution
from app.domain.tenant import EVERY_TENANT
from app.late_truth import correct_lane
from app.store.encoding import from_document
from jobs.evaluate import judge
from tests.cast import owner
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet

TOLD = ["OPENED", "RESOLVED", "CORRECTED"]


async def cut_off(fleet: Fleet, seconds: int = 600) -> list[int]:
    """till-1 beats, and then for so long its line is down; the seconds ago of the beats that it keeps meanwhile."""
    await fleet.add("till-1")
    await fleet.beat("till-1", sent_at=fleet.clock.now())
    for _ in range(seconds // 10):
        await fleet.pass_time(10)
        await fleet.sweep()
    return list(range(seconds - 60, 0, -60))


async def come_back(fleet: Fleet) -> None:
    await fleet.beat("till-1", sent_at=fleet.clock.now())
    await fleet.sweep()


async def send_late(fleet: Fleet, *ages: int) -> None:
    for age in ages:
        await fleet.beat("till-1", sent_at=fleet.clock.now() - timedelta(seconds=age))


async def the_alert(fleet: Fleet) -> Alert:
    [row] = await fleet.context.mongo.tenant_collection("provider_alerts").find(EVERY_TENANT, {})
    return from_document(row, Alert)


async def correct(fleet: Fleet) -> int:
    return await correct_lane(fleet.context, fleet.lane)


async def happened(fleet: Fleet) -> list[str]:
    return [event.type.name for event in await fleet.record()]


async def test_an_outage_without_a_hole_was_none(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    await send_late(fleet, *ages)
    assert await correct(fleet) == 1
    alert = await the_alert(fleet)
    assert (alert.status, alert.resolution, alert.details) == (
        AlertStatus.RESOLVED,
        Resolution.LATE_HEARTBEATS,
        {"disproved": True},
    )
    assert await happened(fleet) == TOLD
    *_, last = await fleet.record()
    assert last.reason == "9 late heartbeats show that it was alive: the line was down, not the device"


async def test_it_is_corrected_once_however_often_the_job_runs(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    await send_late(fleet, *ages)
    assert [await correct(fleet) for _ in range(3)] == [1, 0, 0]
    await fleet.pass_time(120)
    await judge(fleet.context, fleet.lane)
    await send_late(fleet, *(age + 150 for age in ages))
    assert await correct(fleet) == 0
    assert await happened(fleet) == TOLD


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_in_whatever_order_the_batches_come(fleet: Fleet, order: tuple[int, ...]) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    batches = [[age + 45 * turn for age in ages[part * 3 : part * 3 + 3]] for turn, part in enumerate(order)]
    corrected = []
    for batch in batches:
        await send_late(fleet, *batch)
        corrected.append(await correct(fleet))
        await fleet.pass_time(45)
        await fleet.beat("till-1", sent_at=fleet.clock.now())
    assert corrected == [0, 0, 1]
    assert await happened(fleet) == TOLD


async def test_a_hole_longer_than_the_offline_time_leaves_the_outage(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    await send_late(fleet, *(age for age in ages if age not in (300, 360)))
    assert await correct(fleet) == 0
    assert (await the_alert(fleet)).resolution is Resolution.RECOVERED


async def test_a_hole_at_either_end_leaves_the_outage(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    await send_late(fleet, *ages[2:])
    assert await correct(fleet) == 0
    await send_late(fleet, ages[1])
    assert await correct(fleet) == 1


async def test_an_outage_that_is_still_live_ends(fleet: Fleet) -> None:
    await fleet.context.store.rules.insert(a_rule(id="r-2", key="device_offline", auto_resolve=False))
    ages = await cut_off(fleet)
    await send_late(fleet, *ages)
    assert await correct(fleet) == 1
    assert await happened(fleet) == ["OPENED", "CORRECTED", "RESOLVED"]
    alert = await the_alert(fleet)
    assert (alert.live, alert.resolution, alert.resolved_by) == (False, Resolution.LATE_HEARTBEATS, None)
    await fleet.sweep()
    await fleet.pass_time(1)
    assert await happened(fleet) == ["OPENED", "CORRECTED", "RESOLVED"]


async def test_what_a_person_said_of_its_end_stays(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    alert = await the_alert(fleet)
    await resolve_alert(fleet.context, owner, alert.id, "a test of the router", Resolution.MANUAL, None)
    await come_back(fleet)
    await send_late(fleet, *ages)
    assert await correct(fleet) == 1
    alert = await the_alert(fleet)
    assert (alert.resolution, alert.resolution_note, alert.details) == (
        Resolution.MANUAL,
        "a test of the router",
        {"disproved": True},
    )


async def test_the_late_beats_of_one_device_say_nothing_of_another(fleet: Fleet) -> None:
    await fleet.add("till-2")
    await fleet.beat("till-2")
    ages = await cut_off(fleet)
    await come_back(fleet)
    await fleet.beat("till-2")
    await fleet.sweep()
    await send_late(fleet, *ages)
    assert await correct(fleet) == 1
    corrected = [event.alert.subject_id for event in await fleet.record() if event.type is AlertEventType.CORRECTED]
    assert corrected == ["till-1"]


async def test_the_job_that_judges_corrects_too(fleet: Fleet) -> None:
    ages = await cut_off(fleet)
    await come_back(fleet)
    await send_late(fleet, *ages)
    await judge(fleet.context, fleet.lane)
    assert await happened(fleet) == TOLD
