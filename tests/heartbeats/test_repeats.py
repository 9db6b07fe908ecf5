"""A beat that is sent again is stored once; one that comes late takes its place."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.clock import ManualClock
from app.context import Context
from app.domain.beat import HealthStatus, ServiceReport
from app.domain.beat_input import BeatInput
from app.domain.tenant import only
from app.heartbeats import record, record_many
from tests.cast import NOW, owner
from tests.flows.documents import BEAT
from tests.heartbeats.conftest import Kept
from tests.wire import ask


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


ONCE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"sent_at": NOW}, {"sent_at": NOW}),
    ({"sent_at": ago(3_600)}, {"sent_at": ago(3_600)}),
    ({"boot_id": "a", "sequence": 7}, {"boot_id": "a", "sequence": 7}),
    ({"boot_id": "a", "sequence": 0}, {"boot_id": "a", "sequence": 0}),
    ({"boot_id": "a", "sequence": 7, "sent_at": ago(2)}, {"boot_id": "a", "sequence": 7, "sent_at": NOW}),
    ({"boot_id": "a", "sequence": 7, "sent_at": ago(2)}, {"boot_id": "a", "sequence": 7}),
    ({"sequence": 7}, {"sequence": 7}),
    ({"sequence": 7, "sent_at": NOW}, {"sequence": 7, "sent_at": NOW}),
]
TWICE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"sent_at": NOW}, {"sent_at": ago(0.001)}),
    ({"boot_id": "a"}, {"boot_id": "a"}),
    ({"boot_id": "a", "sequence": 7}, {"boot_id": "a", "sequence": 8}),
    ({"boot_id": "a", "sequence": 7}, {"boot_id": "b", "sequence": 7}),
    ({"sequence": 0}, {}),
    ({"sequence": 0, "sent_at": NOW}, {"sent_at": NOW}),
    ({"sequence": 7, "sent_at": ago(1)}, {"sequence": 7, "sent_at": NOW}),
    ({"device_id": "till", "boot_id": "1:b", "sequence": 5}, {"device_id": "till:1", "boot_id": "b", "sequence": 5}),
    ({"device_id": "till", "sent_at": NOW}, {"device_id": "till:", "sent_at": NOW}),
    ({"boot_id": "@1", "sequence": 5}, {"boot_id": "%401", "sequence": 5}),
]


def beats(*fields: dict[str, Any]) -> list[BeatInput]:
    return [BeatInput(**{"device_id": "till-1", **one}) for one in fields]


@pytest.mark.parametrize(("one", "again"), ONCE, ids=str)
async def test_a_repeated_beat_is_a_success_and_stored_once(
    context: Context, kept: Kept, clock: ManualClock, one: dict[str, Any], again: dict[str, Any]
) -> None:
    for beat in beats(one, again, again):
        assert (await record(context, owner, beat)).accepted
        clock.advance(1)
    assert len(kept()["device_heartbeats"]) == 1


@pytest.mark.parametrize(("one", "other"), TWICE, ids=str)
async def test_what_is_not_the_same_is_stored_twice(
    context: Context, kept: Kept, clock: ManualClock, one: dict[str, Any], other: dict[str, Any]
) -> None:
    for beat in beats(one, other):
        assert (await record(context, owner, beat)).accepted
        clock.advance(1)
    assert len(kept()["device_heartbeats"]) == 2


@pytest.mark.parametrize(("one", "again"), ONCE, ids=str)
async def test_repetitions_in_one_call_are_stored_once(
    context: Context, kept: Kept, one: dict[str, Any], again: dict[str, Any]
) -> None:
    ack = await record_many(context, owner, beats(one, again))
    assert (ack.accepted, ack.rejected) == (2, [])
    assert len(kept()["device_heartbeats"]) == 1


async def test_a_count_without_a_boot_id_may_start_anew_after_ten_minutes(
    context: Context, kept: Kept, clock: ManualClock
) -> None:
    for _ in range(2):
        await record(context, owner, BeatInput(device_id="till-1", sequence=1))
        clock.advance(600)
    assert len(kept()["device_heartbeats"]) == 2


async def test_a_repeated_beat_shows_that_the_device_is_there(context: Context, clock: ManualClock) -> None:
    beat = BeatInput(device_id="till-1", boot_id="a", sequence=1)
    await record(context, owner, beat)
    clock.advance(60)
    await record(context, owner, beat)
    found = await context.store.devices.get(only("acme"), "acme", "till-1")
    assert found is not None
    assert found.last_seen == NOW + timedelta(seconds=60)


async def test_a_late_beat_takes_its_place_in_history(context: Context, clock: ManualClock) -> None:
    for cpu, sent_at in ((1, None), (2, ago(3_600)), (3, ago(30)), (4, ago(30.001)), (5, ago(7_200))):
        await record(context, owner, BeatInput(device_id="till-1", cpu_usage=cpu, sent_at=sent_at))
        clock.advance(0.001)
    await context.intake.drain()
    document = '{ device(deviceId: "till-1") { latest { cpuUsage } lastSeen heartbeats { cpuUsage late } } }'
    shown = (await ask(context, owner, document))["device"]
    expected = [(1, False), (3, True), (4, True), (2, True), (5, True)]
    assert [(one["cpuUsage"], one["late"]) for one in shown["heartbeats"]] == expected
    assert shown["latest"] == {"cpuUsage": 1}
    assert shown["lastSeen"] == "2026-11-21T06:00:00.004Z"


async def test_a_beat_of_half_a_minute_ago_is_placed_where_it_came(context: Context) -> None:
    sent_at = "2026-11-21T05:59:30.000Z"
    await ask(context, owner, BEAT, input={"deviceId": "till-1", "sentAt": sent_at})
    [beat] = await context.store.heartbeats.history(only("acme"), "acme", "till-1", None, None, 10)
    assert (beat.timestamp, beat.sent_at, beat.late) == (NOW, ago(30), False)


async def test_a_late_beat_does_not_know_better(context: Context) -> None:
    """What it says of the device holds only where nothing was known."""
    broken = (ServiceReport(name="web", status=HealthStatus.UNHEALTHY),)
    now = BeatInput(device_id="till-1", app_version="2", services=(ServiceReport(name="web", status=HealthStatus.HEALTHY),))
    late = BeatInput(device_id="till-1", app_version="1", kind="pos", services=broken, sent_at=ago(3_600))
    await record(context, owner, now)
    await context.intake.drain()
    await record(context, owner, late)
    await context.intake.drain()
    document = (
        '{ device(deviceId: "till-1") { health kind services { status } } devices(filter: {appVersions: ["2"]}) { totalCount } }'
    )
    assert await ask(context, owner, document) == {
        "device": {"health": "HEALTHY", "kind": "pos", "services": [{"status": "HEALTHY"}]},
        "devices": {"totalCount": 1},
    }


async def test_of_many_beats_in_one_call_the_newest_speaks_for_the_device(context: Context) -> None:
    good, bad = (ServiceReport(name="web", status=status) for status in (HealthStatus.HEALTHY, HealthStatus.UNHEALTHY))
    backlog = [
        BeatInput(device_id="till-1", app_version="2", services=(bad,)),
        BeatInput(device_id="till-1", app_version="1", services=(good,), sent_at=ago(3_600)),
    ]
    await record_many(context, owner, backlog)
    await context.intake.drain()
    found = await context.store.devices.get(only("acme"), "acme", "till-1")
    assert found is not None
    assert (found.app_version, found.services_health) == ("2", HealthStatus.UNHEALTHY)
