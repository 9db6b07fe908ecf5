"""Reading devices: one, lists with filters and pages, their health, their beats."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from app.clock import ManualClock
from app.context import Context
from app.devices import count_devices, get_device, health_of, history_of, list_devices
from app.domain.alert import AlertStatus, Severity
from app.domain.beat import HealthStatus
from app.domain.device import Device, DeviceStatus
from app.domain.device_filter import DeviceFilter
from app.domain.health import device_health
from app.domain.page import encode_keyset
from app.domain.tenant import Role
from app.errors import BadInputError, ForbiddenError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal, PrincipalKind
from tests.cast import NOW, both, outsider, owner, root, viewer
from tests.devices.world import a_device, beat, keep_devices, the_device, trouble

GATEWAY = Principal(
    PrincipalKind.API_KEY, "key:1", Role.OPERATOR, frozenset(("acme",)), frozenset(("acme:till-1", "acme:till-2"))
)


async def ids(context: Context, caller: Principal = owner, tenant_id: str | None = None, **fields: Any) -> list[str]:
    """What a filter shows, and that the count agrees with it."""
    chosen = DeviceFilter(**fields)
    shown = (await list_devices(context, caller, tenant_id, chosen, 200, None)).items
    assert await count_devices(context, caller, tenant_id, chosen) == len(shown)
    return [device.device_id for device in shown]


async def pages(context: Context, caller: Principal, first: int) -> list[list[str]]:
    found, after, more = list[list[str]](), None, True
    while more:
        page = await list_devices(context, caller, None, DeviceFilter(), first, after)
        found.append([device.id for device in page.items])
        more, after = page.has_next, page.cursors[-1] if page.cursors else None
    return found


async def test_people_read_the_devices_of_their_tenants(context: Context) -> None:
    await keep_devices(context, a_device("till-1"), a_device("till-1", "umbrella"), a_device("gate", "umbrella"))
    assert _id(await get_device(context, viewer, None, "till-1")) == "acme:till-1"
    assert _id(await get_device(context, both, "umbrella", "till-1")) == "umbrella:till-1"
    assert _id(await get_device(context, both, None, "gate")) == "umbrella:gate"
    assert await get_device(context, viewer, None, "gate") is None
    with pytest.raises(BadInputError, match="say which tenant"):
        await get_device(context, both, None, "till-1")
    with pytest.raises(ForbiddenError):
        await get_device(context, viewer, "umbrella", "gate")
    with pytest.raises(UnauthenticatedError):
        await get_device(context, ANONYMOUS, "acme", "till-1")


async def test_a_device_reads_itself_alone(context: Context) -> None:
    await keep_devices(context, a_device("till-1"), a_device("till-2"), a_device("till-1", "umbrella"))
    itself = the_device("till-1")
    assert _id(await get_device(context, itself, None, "till-1")) == "acme:till-1"
    assert _id(await get_device(context, itself, "acme", "till-1")) == "acme:till-1"
    for tenant_id, device_id in ((None, "till-2"), ("acme", "till-2"), ("umbrella", "till-1"), (None, "nothing")):
        with pytest.raises(ForbiddenError):
            await get_device(context, itself, tenant_id, device_id)
    for work in (
        list_devices(context, itself, None, DeviceFilter(), 50, None),
        count_devices(context, itself, None, DeviceFilter()),
    ):
        with pytest.raises(ForbiddenError):
            await work


async def test_a_key_for_some_devices_reads_those_alone(context: Context) -> None:
    await keep_devices(context, a_device("till-1"), a_device("till-3"))
    assert _id(await get_device(context, GATEWAY, None, "till-1")) == "acme:till-1"
    with pytest.raises(ForbiddenError):
        await get_device(context, GATEWAY, None, "till-3")
    with pytest.raises(ForbiddenError):
        await list_devices(context, GATEWAY, None, DeviceFilter(), 50, None)


async def test_pages_go_by_device_id_and_then_tenant_and_miss_nothing(context: Context) -> None:
    keys = [(device_id, tenant_id) for device_id in "edcba" for tenant_id in ("umbrella", "acme")]
    await keep_devices(context, *(a_device(*key) for key in keys))
    expected = [f"{tenant_id}:{device_id}" for device_id, tenant_id in sorted(keys)]
    for caller in (both, root):
        for first in (1, 3, 10, 200):
            found = await pages(context, caller, first)
            assert [one for page in found for one in page] == expected
            assert all(len(page) == first for page in found[:-1])
    assert [one for page in await pages(context, owner, 2) for one in page] == [f"acme:{letter}" for letter in "abcde"]


async def test_a_device_that_comes_or_goes_between_pages_shifts_nothing(context: Context) -> None:
    await keep_devices(context, *(a_device(letter) for letter in "bcdef"))
    first = await list_devices(context, owner, None, DeviceFilter(), 2, None)
    await keep_devices(context, a_device("a"))
    await context.store.devices.retire(owner.scope, "acme:c", NOW)
    second = await list_devices(context, owner, None, DeviceFilter(), 2, first.cursors[-1])
    assert [device.device_id for device in (*first.items, *second.items)] == ["b", "c", "d", "e"]


@pytest.mark.parametrize("caller", [owner, both, root], ids=lambda caller: str(caller.id))
async def test_a_late_page_costs_no_more_than_the_first(context: Context, caller: Principal) -> None:
    await keep_devices(context, *(a_device(f"till-{number:03}") for number in range(300)))
    database = context.mongo.database
    await database.command("profile", 2)
    try:
        await list_devices(context, caller, None, DeviceFilter(), 20, encode_keyset("till-250", "acme"))
    finally:
        await database.command("profile", 0)
    read = [one["docsExamined"] async for one in database["system.profile"].find({"ns": f"{database.name}.devices"})]
    await database["system.profile"].drop()
    assert len(read) == 1
    assert read[0] <= 40


@pytest.mark.parametrize("first", [0, -1, 201])
async def test_a_page_has_1_to_200_entries(context: Context, first: int) -> None:
    with pytest.raises(BadInputError) as refused:
        await list_devices(context, owner, None, DeviceFilter(), first, None)
    assert [field.path for field in refused.value.fields] == ["first"]


@pytest.mark.parametrize("after", ["", "x", "!!!", encode_keyset(1, 2), encode_keyset("a"), encode_keyset("a", "b", "c"), "é"])
async def test_a_forged_cursor_is_refused(context: Context, after: str) -> None:
    with pytest.raises(BadInputError) as refused:
        await list_devices(context, owner, None, DeviceFilter(), 50, after)
    assert [field.path for field in refused.value.fields] == ["after"]


async def test_a_cursor_of_elsewhere_opens_no_other_tenant(context: Context) -> None:
    await keep_devices(context, a_device("a", "umbrella"), a_device("b", "umbrella"))
    cursor = (await list_devices(context, outsider, None, DeviceFilter(), 1, None)).cursors[0]
    assert (await list_devices(context, owner, None, DeviceFilter(), 50, cursor)).items == []


async def test_every_filter_narrows(context: Context) -> None:
    await keep_devices(
        context,
        a_device("a", store_id="north", kind="pos", tags=("front", "new"), app_version="1", name="Till of Straße"),
        a_device("b", store_id="south", kind="gate", tags=("new",), status=DeviceStatus.OFFLINE, hostname="GATE.example"),
        a_device("c", store_id="south", kind="pos", status=DeviceStatus.UNKNOWN, last_seen=None),
        a_device("gone", store_id="north", kind="pos", retired_at=NOW),
        a_device("theirs", "umbrella", store_id="north", kind="pos"),
    )
    assert await ids(context) == ["a", "b", "c"]
    assert await ids(context, include_retired=True) == ["a", "b", "c", "gone"]
    assert await ids(context, both) == ["a", "b", "c", "theirs"]
    assert await ids(context, both, "umbrella") == ["theirs"]
    assert await ids(context, store_ids=("north",)) == ["a"]
    assert await ids(context, store_ids=("north", "south"), kinds=("pos",)) == ["a", "c"]
    assert await ids(context, tags=("new",)) == ["a", "b"]
    assert await ids(context, tags=("front", "nothing")) == ["a"]
    assert await ids(context, app_versions=("1",)) == ["a"]
    assert await ids(context, status=(DeviceStatus.OFFLINE, DeviceStatus.UNKNOWN)) == ["b", "c"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("TILL", ["a"]),
        ("gate.EX", ["b"]),
        (".", ["b"]),
        ("c", ["c"]),
        (".*", []),
        ("(", []),
        ("^a", []),
        ("$", []),
        ("\0", []),
        ("", list("abc")),
    ],
)
async def test_search_finds_what_was_typed_in_id_name_and_host(context: Context, search: str, found: Sequence[str]) -> None:
    await keep_devices(context, a_device("a", name="Till"), a_device("b", hostname="gate.example"), a_device("c"))
    shown = await ids(context, search=search)
    assert shown == list(found)


async def test_a_filter_that_is_too_long_names_every_field(context: Context) -> None:
    many = tuple(map(str, range(201)))
    chosen = DeviceFilter(store_ids=many, kinds=many, tags=many, app_versions=many, search="x" * 40_000)
    for work in (list_devices(context, owner, None, chosen, 50, None), count_devices(context, owner, None, chosen)):
        with pytest.raises(BadInputError) as refused:
            await work
        assert [field.path for field in refused.value.fields] == [
            "filter.storeIds",
            "filter.kinds",
            "filter.tags",
            "filter.appVersions",
            "filter.search",
        ]


async def keep_every_health(context: Context) -> dict[str, HealthStatus]:
    """A device of each status, state of its services and live alert; what the health of each should be."""
    severities: list[Severity | None] = [None, *Severity]
    expected: dict[str, HealthStatus] = {}
    for status, services, severity in product(DeviceStatus, HealthStatus, severities):
        name = f"{status.value}-{services.value}-{severity.value if severity else 'none'}"
        await keep_devices(context, a_device(name, status=status, services_health=services))
        if severity:
            await trouble(context, name, severity)
        expected[name] = device_health(status, services, [severity] if severity else [])
    return expected


async def test_the_health_of_each_is_what_the_domain_says_and_filters_agree(context: Context) -> None:
    expected = await keep_every_health(context)
    # None of these is a live alert on a device of acme.
    await trouble(context, "online-healthy-none", Severity.CRITICAL, "umbrella")
    await trouble(context, "online-healthy-none", Severity.CRITICAL, status=AlertStatus.RESOLVED)
    devices = (await list_devices(context, owner, None, DeviceFilter(), 200, None)).items
    found = await health_of(context, devices)
    assert {device.device_id: found[device.id] for device in devices} == expected
    for health in HealthStatus:
        assert await ids(context, health=(health,)) == sorted(name for name, one in expected.items() if one is health)
    some = (HealthStatus.DEGRADED, HealthStatus.UNHEALTHY)
    assert await ids(context, health=some) == sorted(name for name, one in expected.items() if one in some)
    assert await ids(context, health=tuple(HealthStatus)) == sorted(expected)


async def test_health_is_asked_for_many_at_once_and_for_none(context: Context) -> None:
    devices = [a_device("till-1"), a_device("till-1", "umbrella")]
    await keep_devices(context, *devices)
    await trouble(context, "till-1", Severity.HIGH, "umbrella")
    assert await health_of(context, devices) == {
        "acme:till-1": HealthStatus.HEALTHY,
        "umbrella:till-1": HealthStatus.UNHEALTHY,
    }
    assert await health_of(context, []) == {}


async def test_history_is_newest_first_from_its_start_until_before_its_end(context: Context, clock: ManualClock) -> None:
    device = a_device("till-1", last_seen=None)
    await keep_devices(context, device, a_device("till-1", "umbrella"))
    for number in range(5):
        await beat(context, "till-1", sequence=number)
        clock.advance(10)
    await beat(context, "till-1", "umbrella", sequence=99)
    start, end = NOW + timedelta(seconds=10), NOW + timedelta(seconds=40)
    assert [one.sequence for one in await history_of(context, device, None, None, 1_000)] == [4, 3, 2, 1, 0]
    assert [one.sequence for one in await history_of(context, device, start, end, 1_000)] == [3, 2, 1]
    assert [one.sequence for one in await history_of(context, device, start, None, 2)] == [4, 3]
    for first in (0, 1_001):
        with pytest.raises(BadInputError):
            await history_of(context, device, None, None, first)
    with pytest.raises(BadInputError):
        await history_of(context, device, end, start, 1)


def _id(device: Device | None) -> str | None:
    return None if device is None else device.id
