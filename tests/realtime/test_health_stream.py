"""Health as it changes: the newest state of each device, and nothing ends stale."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.context import Context
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus
from app.domain.health_filter import HealthFilter
from app.domain.ids import device_key
from app.domain.tenant import EVERY_TENANT, only
from app.errors import ForbiddenError
from app.principal import Principal
from app.realtime.device_feed import KEPT
from app.realtime.health_stream import HealthChange, health_updates
from app.realtime.hub import Hub
from tests.cast import both, outsider, owner
from tests.domain.making import a_device
from tests.realtime.log import Heard, Log, hearing

LIVE = HealthFilter(snapshot=False)
TRANSITIONS = HealthFilter(snapshot=False, only_transitions=True)


class Devices:
    """Devices of the tests, and what happens to them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def add(self, device_id: str, tenant_id: str = "acme", **fields: Any) -> None:
        await self._context.store.devices.insert(a_device(tenant_id=tenant_id, device_id=device_id, **fields))

    async def change(self, device_id: str, tenant_id: str = "acme", *, ring: bool = True, **fields: Any) -> None:
        key, now = device_key(tenant_id, device_id), self._context.clock.now()
        assert await self._context.store.devices.change(only(tenant_id), key, {"changed_at": now, **fields})
        if ring:
            await self._context.bus.ring_health(tenant_id, [key])


@pytest.fixture
def devices(context: Context) -> Devices:
    return Devices(context)


def follow(hub: Hub, principal: Principal, chosen: HealthFilter) -> "Following":
    return hearing(health_updates(hub, principal, chosen))


Following = Any


def seen(changes: list[HealthChange]) -> list[tuple[str, str, str]]:
    """(device, before, now)"""
    return [(one.state.device.device_id, one.previous.name, one.state.health.name) for one in changes]


async def until_watched(hub: Hub, heard: Heard[HealthChange]) -> None:
    """Until what a subscriber measures against has been read: it reads once, before it waits for news."""
    assert heard.items == []
    while hub.devices.turn < 1 or hub.subscribers < 1:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_the_first_picture_has_every_device_with_its_health(hub: Hub, devices: Devices, log: Log) -> None:
    await devices.add("till-1")
    await devices.add("till-2", status=DeviceStatus.OFFLINE)
    await devices.add("till-3", status=DeviceStatus.UNKNOWN)
    await devices.add("till-4")
    await devices.add("till-5", tenant_id="umbrella")
    await log.open("acme", "till-4", Severity.MEDIUM)
    async with follow(hub, owner, HealthFilter()) as heard:
        changes = await heard.count(4)
    assert seen(changes) == [
        ("till-1", "UNKNOWN", "HEALTHY"),
        ("till-2", "UNKNOWN", "UNHEALTHY"),
        ("till-3", "UNKNOWN", "UNKNOWN"),
        ("till-4", "UNKNOWN", "DEGRADED"),
    ]


async def test_a_change_is_told_with_the_health_that_was_seen_last(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, HealthFilter()) as heard:
        await heard.count(1)
        await devices.change("till-1", status=DeviceStatus.OFFLINE.value)
        changes = await heard.count(2)
    assert seen(changes)[1] == ("till-1", "HEALTHY", "UNHEALTHY")


async def test_what_no_bell_told_is_found(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, HealthFilter()) as heard:
        await heard.count(1)
        await devices.change("till-1", ring=False, status=DeviceStatus.OFFLINE.value)
        changes = await heard.count(2)
    assert seen(changes)[1] == ("till-1", "HEALTHY", "UNHEALTHY")


async def test_an_alert_that_opens_and_ends_changes_the_health_of_its_device(hub: Hub, devices: Devices, log: Log) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, HealthFilter(only_transitions=True)) as heard:
        await heard.count(1)
        alert = await log.open("acme", "till-1", Severity.CRITICAL)
        await heard.count(2)
        over = msgspec.structs.replace(alert, status=AlertStatus.RESOLVED, live=False)
        await log.move(AlertEventType.RESOLVED, alert, over)
        changes = await heard.count(3)
    assert seen(changes)[1:] == [("till-1", "HEALTHY", "UNHEALTHY"), ("till-1", "UNHEALTHY", "HEALTHY")]


async def test_only_transitions_leaves_out_what_keeps_its_health(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, HealthFilter(only_transitions=True)) as heard:
        await heard.count(1)
        await devices.change("till-1", app_version="2")
        await devices.change("till-1", status=DeviceStatus.OFFLINE.value)
        await heard.count(2)
        await devices.change("till-1", app_version="3")
        await devices.change("till-1", status=DeviceStatus.ONLINE.value)
        changes = await heard.count(3)
    assert seen(changes)[1:] == [("till-1", "HEALTHY", "UNHEALTHY"), ("till-1", "UNHEALTHY", "HEALTHY")]


async def test_transitions_without_a_picture_are_measured_against_what_was_there(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, TRANSITIONS) as heard:
        await until_watched(hub, heard)
        await devices.change("till-1", app_version="2")
        await devices.change("till-1", status=DeviceStatus.OFFLINE.value)
        changes = await heard.count(1)
    assert seen(changes) == [("till-1", "HEALTHY", "UNHEALTHY")]


async def test_a_slow_subscriber_gets_the_newest_state_alone(hub: Hub, devices: Devices) -> None:
    for number in range(3):
        await devices.add(f"till-{number}")
    stream = health_updates(hub, owner, HealthFilter())
    first = await anext(stream)
    async with follow(hub, owner, LIVE) as control:
        await asyncio.sleep(0)
        for version in ("2", "3", "4"):
            await devices.change("till-2", app_version=version)
            await control.until(
                lambda changes, wanted=version: changes[-1:] != [] and changes[-1].state.device.app_version == wanted
            )
        rest = [await anext(stream) for _ in range(2)]
        await devices.change("till-0", app_version="9")
        last = await anext(stream)
    await stream.aclose()
    assert [one.state.device.device_id for one in (first, *rest, last)] == ["till-0", "till-1", "till-2", "till-0"]
    assert rest[1].state.device.app_version == "4"
    assert (last.state.device.app_version, last.previous) == ("9", HealthStatus.HEALTHY)


async def test_whoever_falls_behind_what_is_remembered_reads_everything_anew(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    stream = health_updates(hub, owner, HealthFilter())
    await anext(stream)
    states = await hub.devices.measure([a_device(device_id=f"gone-{number}") for number in range(KEPT + 1)], hub.devices.turn + 1)
    hub.devices._note(states)
    await devices.change("till-1", status=DeviceStatus.OFFLINE.value, ring=False)
    assert seen([await anext(stream)]) == [("till-1", "HEALTHY", "UNHEALTHY")]
    await stream.aclose()


async def test_a_change_that_the_feed_knew_before_is_not_lost_on_whoever_falls_behind(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    stream = health_updates(hub, owner, HealthFilter())
    await anext(stream)
    await devices.change("till-1", status=DeviceStatus.OFFLINE.value, ring=False)
    async with asyncio.timeout(10):
        with hub.devices.watching(only("acme")) as news:
            while not any(state.device.status is DeviceStatus.OFFLINE for state in hub.devices.since(EVERY_TENANT, 0)):
                await news.wait()
                news.clear()
    states = await hub.devices.measure([a_device(device_id=f"gone-{number}") for number in range(KEPT + 1)], hub.devices.turn)
    hub.devices._note(states)
    assert seen([await anext(stream)]) == [("till-1", "HEALTHY", "UNHEALTHY")]
    await stream.aclose()


@pytest.mark.parametrize("chosen", [HealthFilter(store_ids=("north",)), HealthFilter(device_ids=("till-1",))])
async def test_a_filter_holds_for_the_picture_and_for_changes(hub: Hub, devices: Devices, chosen: HealthFilter) -> None:
    await devices.add("till-1", store_id="north")
    await devices.add("till-2", store_id="south")
    async with follow(hub, owner, chosen) as heard:
        await heard.count(1)
        await devices.change("till-2", app_version="2")
        await devices.change("till-1", app_version="2")
        changes = await heard.count(2)
    assert [change.state.device.device_id for change in changes] == ["till-1", "till-1"]


async def test_tenants_with_the_same_device_ids_never_see_each_other(hub: Hub, devices: Devices) -> None:
    for tenant_id in ("acme", "umbrella"):
        await devices.add("till-1", tenant_id)
    async with (
        follow(hub, owner, HealthFilter()) as ours,
        follow(hub, outsider, HealthFilter()) as theirs,
        follow(hub, both, HealthFilter()) as all_,
    ):
        await all_.count(2)
        await theirs.count(1)
        await ours.count(1)
        await devices.change("till-1", "umbrella", status=DeviceStatus.OFFLINE.value)
        await all_.count(3)
        await theirs.count(2)
        await devices.change("till-1", "acme", app_version="2")
        await ours.count(2)
    assert {change.state.device.tenant_id for change in ours.items} == {"acme"}
    assert {change.state.device.tenant_id for change in theirs.items} == {"umbrella"}
    assert len(ours.items) == 2


async def test_another_tenant_is_forbidden(hub: Hub) -> None:
    with pytest.raises(ForbiddenError):
        await anext(health_updates(hub, outsider, HealthFilter(tenant_id="acme")))


async def test_nothing_is_kept_of_tenants_that_nobody_watches(hub: Hub, devices: Devices) -> None:
    await devices.add("till-1")
    async with follow(hub, owner, HealthFilter()) as heard:
        await heard.count(1)
        await devices.change("till-1", app_version="2")
        await heard.count(2)
    assert hub.subscribers == 0
    assert hub.devices.since(only("acme"), 0) == []
