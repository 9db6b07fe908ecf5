"""Who may send beats, for which devices, and with which token."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.auth import authenticate
from app.clock import ManualClock
from app.context import Context
from app.credentials import PROGRAMS_LAST
from app.devices import OVERLAP, register_device, retire_device, rotate_device_token
from app.domain.beat_input import BeatInput
from app.domain.device import DeviceStatus
from app.domain.device_input import DevicePatch
from app.domain.tenant import Role
from app.errors import ConflictError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.heartbeats import record
from app.principal import ANONYMOUS, Principal, PrincipalKind
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import NOW, mate, open_test_context, outsider, owner, person, root, viewer
from tests.flows.documents import BEAT, BEATS
from tests.heartbeats.conftest import Kept
from tests.wire import answer, ask, refusal

TILL = BeatInput(device_id="till-1")


async def device(context: Context, token: str) -> Principal:
    return await authenticate(context, f"Device {token}", None)


async def registered(context: Context, device_id: str = "till-1") -> str:
    return (await register_device(context, owner, DevicePatch(device_id=device_id)))[1]


async def refused(context: Context, principal: Principal, beat: BeatInput) -> str:
    with pytest.raises(FleetbeatError) as error:
        await record(context, principal, beat)
    return error.value.code.name


def limited_to(*device_keys: str, role: Role = Role.OPERATOR) -> Principal:
    return Principal(PrincipalKind.API_KEY, "key:1", role, frozenset(("acme",)), frozenset(device_keys))


async def test_the_answer_says_when_the_next_beat_is_due(context: Context) -> None:
    principal = await device(context, await registered(context))
    ack = await record(context, principal, TILL)
    assert (ack.accepted, ack.received_at, ack.status, ack.next_within_sec) == (True, NOW, DeviceStatus.ONLINE, 60)


async def test_a_device_beats_for_itself_alone(context: Context, kept: Kept) -> None:
    principal = await device(context, await registered(context))
    await registered(context, "till-2")
    await register_device(context, outsider, DevicePatch(device_id="till-1"))
    before = kept()
    assert await refused(context, principal, BeatInput(device_id="till-2")) == "FORBIDDEN"
    assert await refused(context, principal, BeatInput(device_id="TILL-1")) == "FORBIDDEN"
    assert await refused(context, principal, BeatInput(device_id="till-1", tenant_id="umbrella")) == "FORBIDDEN"
    assert kept() == before
    ack = (await ask(context, principal, BEATS, inputs=[{"deviceId": "till-2"}, {"deviceId": "till-1"}]))["heartbeats"]
    assert (ack["accepted"], [(one["index"], one["code"]) for one in ack["rejected"]]) == (1, [(0, "FORBIDDEN")])


@pytest.mark.parametrize(
    ("principal", "device_id", "code"),
    [
        (mate, "till-1", None),
        (root, "till-1", "BAD_USER_INPUT"),
        (viewer, "till-1", "FORBIDDEN"),
        (limited_to("acme:till-1"), "till-1", None),
        (limited_to("acme:till-1"), "till-2", "FORBIDDEN"),
        (limited_to("acme:till-1", "acme:till-3", role=Role.ADMIN), "till-3", None),
        (limited_to("acme:till-1", role=Role.VIEWER), "till-1", "FORBIDDEN"),
        (ANONYMOUS, "till-1", "UNAUTHENTICATED"),
    ],
)
async def test_people_and_keys_send_by_role_and_limit(
    context: Context, kept: Kept, principal: Principal, device_id: str, code: str | None
) -> None:
    await registered(context)
    await registered(context, "till-2")
    beat = BeatInput(device_id=device_id)
    if code is None:
        await record(context, principal, beat)
    else:
        assert await refused(context, principal, beat) == code
    assert len(kept()["device_heartbeats"]) == (code is None)


async def test_nobody_sends_many_beats_without_a_token(context: Context, kept: Kept) -> None:
    await registered(context)
    before = kept()
    inputs = [{"deviceId": "till-1", "tenantId": "acme"}]
    assert await refusal(context, ANONYMOUS, BEATS, inputs=inputs) == ("UNAUTHENTICATED", [])
    assert await refusal(context, ANONYMOUS, BEAT, input=inputs[0]) == ("UNAUTHENTICATED", [])
    assert kept() == before


async def test_both_tokens_beat_until_the_overlap_is_over(context: Context, clock: ManualClock) -> None:
    old = await registered(context)
    _, new = await rotate_device_token(context, owner, None, "till-1")
    clock.advance(OVERLAP.total_seconds() - 1)
    for token in (old, new):
        await record(context, await device(context, token), TILL)
    clock.advance(1)
    await record(context, await device(context, new), TILL)
    with pytest.raises(UnauthenticatedError):
        await device(context, old)


async def test_a_retired_device_is_told_so_and_comes_back_by_registration_alone(context: Context, kept: Kept) -> None:
    token = await registered(context)
    await record(context, await device(context, token), TILL)
    await retire_device(context, owner, None, "till-1")
    before = kept()
    with pytest.raises(UnauthenticatedError):
        await device(context, token)
    with pytest.raises(NotFoundError):
        await record(context, mate, TILL)
    with pytest.raises(ConflictError, match="registerDevice"):
        await record(context, owner, TILL)
    assert kept() == before
    await record(context, await device(context, await registered(context)), TILL)


async def test_a_token_is_looked_up_again_soon(context: Context, clock: ManualClock) -> None:
    token = await registered(context)
    await device(context, token)
    # As another process does it, which cannot empty what is remembered in this one.
    await context.store.devices.retire(owner.scope, "acme:till-1", clock.now())
    clock.advance(PROGRAMS_LAST.total_seconds())
    with pytest.raises(UnauthenticatedError):
        await device(context, token)


async def test_an_admin_registers_by_beating_with_what_the_beat_says(context: Context, kept: Kept) -> None:
    beat = BeatInput(device_id="gate-1", name="Gate", hostname="gate.local", kind="gate", store_id="north", app_version="2")
    await record(context, owner, beat)
    await context.intake.drain()
    [made] = kept()["devices"]
    said = {name: made[name] for name in ("_id", "name", "hostname", "kind", "store_id", "app_version", "status", "tokens")}
    assert said == {
        "_id": "acme:gate-1",
        "name": "Gate",
        "hostname": "gate.local",
        "kind": "gate",
        "store_id": "north",
        "app_version": "2",
        "status": "online",
        "tokens": [],
    }


async def test_beats_register_no_more_devices_than_the_tenant_may_have(context: Context, kept: Kept) -> None:
    await update_tenant_config(context, owner, None, TenantPatch(max_devices=2))
    inputs = [{"deviceId": f"till-{number}"} for number in range(4)]
    ack = (await ask(context, owner, BEATS, inputs=inputs))["heartbeats"]
    assert (ack["accepted"], [(one["index"], one["code"]) for one in ack["rejected"]]) == (2, [(2, "CONFLICT"), (3, "CONFLICT")])
    assert len(kept()["devices"]) == len(kept()["device_heartbeats"]) == 2
    [error] = (await answer(context, owner, BEAT, input={"deviceId": "till-9"}))["errors"]
    assert error["extensions"] == {"code": "CONFLICT", "current": {"devices": 2, "maxDevices": 2}}


async def test_a_tenant_that_is_not_there_takes_no_beats(context: Context, kept: Kept) -> None:
    before = kept()
    assert await refused(context, root, BeatInput(device_id="till-1", tenant_id="nowhere")) == "NOT_FOUND"
    assert await refused(context, person("nina", Role.ADMIN, "nowhere"), TILL) == "NOT_FOUND"
    assert kept() == before


@pytest.fixture
async def open_doors(mongo_uri: str, redis_url: str, database: str, clock: ManualClock) -> AsyncIterator[Context]:
    """An installation whose tenants may switch `deviceAuth` off; `acme` has."""
    async with open_test_context(mongo_uri, redis_url, database, clock, device_auth="off") as context:
        await update_tenant_config(context, owner, None, TenantPatch(device_auth=False))
        yield context


async def test_with_both_switches_off_anyone_beats_for_that_tenant_alone(open_doors: Context, kept: Kept) -> None:
    await record(open_doors, ANONYMOUS, BeatInput(device_id="till-1", tenant_id="acme", name="Till"))
    assert [made["name"] for made in kept()["devices"]] == ["Till"]
    before = kept()
    for tenant_id in ("umbrella", "nowhere", None):
        assert await refused(open_doors, ANONYMOUS, BeatInput(device_id="till-1", tenant_id=tenant_id)) == "UNAUTHENTICATED"
    beats: list[dict[str, Any]] = [{"deviceId": "till-1", "tenantId": "acme", "cpuUsage": 101}]
    ack = (await ask(open_doors, ANONYMOUS, BEATS, inputs=beats))["heartbeats"]
    assert [one["code"] for one in ack["rejected"]] == ["BAD_USER_INPUT"]
    assert kept() == before


async def test_with_the_tenants_switch_alone_off_a_token_is_needed_still(context: Context) -> None:
    await update_tenant_config(context, owner, None, TenantPatch(device_auth=False))
    assert await refused(context, ANONYMOUS, BeatInput(device_id="till-1", tenant_id="acme")) == "UNAUTHENTICATED"


async def test_open_doors_let_nobody_read(open_doors: Context) -> None:
    with pytest.raises(ForbiddenError):
        await record(open_doors, viewer, TILL)
    assert await refusal(open_doors, ANONYMOUS, "{ devices { totalCount } }") == ("UNAUTHENTICATED", [])
