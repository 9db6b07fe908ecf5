"""Registering devices, by an admin and by their first beat."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from app.clock import ManualClock
from app.context import Context
from app.devices import DeviceProfile, auto_register, register_device, retire_device
from app.domain.device import DeviceStatus
from app.domain.device_input import DevicePatch
from app.domain.tenant import EVERY_TENANT, Tenant
from app.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from tests.cast import NOW, both, mate, outsider, owner, root, viewer
from tests.devices.world import audited, beat, kept, register, sign_in, the_device


async def tenant_with_room_for(context: Context, devices: int) -> Tenant:
    tenant = await context.store.tenants.change("acme", {"max_devices": devices})
    assert tenant is not None
    return tenant


async def test_a_new_device_is_unknown_until_its_first_beat(context: Context) -> None:
    token = await register(context, "till-1", name="Till 1", kind="pos", tags=("front", "new"), store_id="north")
    device = await kept(context, "till-1")
    assert (device.status, device.last_seen, device.due_at) == (DeviceStatus.UNKNOWN, None, None)
    assert (device.name, device.kind, device.tags, device.store_id) == ("Till 1", "pos", ("front", "new"), "north")
    assert (device.offline_after, device.own_offline_after) == (context.settings.heartbeat_offline_seconds, None)
    assert (await sign_in(context, token)).device_keys == frozenset(("acme:till-1",))
    await beat(context, "till-1")
    assert (await kept(context, "till-1")).status is DeviceStatus.ONLINE


async def test_of_a_token_only_the_hash_is_kept(context: Context) -> None:
    token = await register(context, "till-1")
    secret = token.rsplit("_", 1)[1]
    assert re.fullmatch(r"fbd_[0-9a-f]{16}_[0-9a-f]{64}", token)
    for name in await context.mongo.database.list_collection_names():
        assert secret not in repr(await context.mongo.database[name].find({}).to_list(None))
    assert await audited(context) == [("device.register", "device:till-1")]


async def test_a_device_is_looked_at_as_early_as_its_own_time_and_any_rule_want(context: Context) -> None:
    await register(context, "till-1", offline_after_sec=7)
    device = await kept(context, "till-1")
    assert (device.offline_after, device.own_offline_after, device.wake_after) == (7, 7, 7)
    await beat(context, "till-1")
    assert (await kept(context, "till-1")).due_at == NOW + timedelta(seconds=7)


async def test_an_id_is_registered_once_in_a_tenant_and_again_in_another(context: Context) -> None:
    await register(context, "till-1", name="the first")
    with pytest.raises(ConflictError, match="registered in tenant 'acme' already"):
        await register(context, "till-1", name="the second")
    assert (await kept(context, "till-1")).name == "the first"
    await register_device(context, outsider, DevicePatch(device_id="till-1", name="another"))
    assert (await kept(context, "till-1", "umbrella")).name == "another"


async def test_of_many_who_register_an_id_at_once_one_succeeds(context: Context) -> None:
    outcomes = await asyncio.gather(*(register(context, "till-1") for _ in range(8)), return_exceptions=True)
    tokens = [one for one in outcomes if isinstance(one, str)]
    assert len(tokens) == 1
    assert all(isinstance(one, str | ConflictError) for one in outcomes)
    assert (await sign_in(context, tokens[0])).id == "acme:till-1"


async def test_the_id_of_a_retired_device_starts_anew(context: Context, clock: ManualClock) -> None:
    old = await register(context, "till-1", name="old", description="worn out")
    await beat(context, "till-1", app_version="1")
    await retire_device(context, owner, None, "till-1")
    clock.advance(60)
    new = await register(context, "till-1", name="new")
    device = await kept(context, "till-1")
    assert (device.name, device.description, device.app_version) == ("new", None, None)
    assert (device.status, device.last_seen, device.retired_at, device.created_at) == (
        DeviceStatus.UNKNOWN,
        None,
        None,
        NOW + timedelta(seconds=60),
    )
    assert (await sign_in(context, new)).id == "acme:till-1"
    with pytest.raises(UnauthenticatedError):
        await sign_in(context, old)


async def test_words_that_the_database_has_a_meaning_for_are_kept_as_they_are(context: Context) -> None:
    words = {"name": "$tenant_id", "description": "$$ROOT", "tags": ("$", "$$REMOVE", "{a: 1}"), "hostname": "a\0b"}
    await register(context, "$till", **words)
    await retire_device(context, owner, None, "$till")
    await register(context, "$till", **words)
    device = await kept(context, "$till")
    assert {name: getattr(device, name) for name in words} == words


async def test_no_more_devices_are_registered_than_the_tenant_may_have(context: Context) -> None:
    await tenant_with_room_for(context, 2)
    await register(context, "till-1")
    await register(context, "till-2")
    with pytest.raises(ConflictError, match="2 devices of 2 allowed: retire some, or raise maxDevices") as refused:
        await register(context, "till-3")
    assert refused.value.extensions() == {"current": {"devices": 2, "maxDevices": 2}}
    await retire_device(context, owner, None, "till-1")
    await register(context, "till-3")


async def test_a_first_beat_registers_where_there_is_room(context: Context) -> None:
    tenant = await tenant_with_room_for(context, 1)
    profile = DeviceProfile(store_id="north", name="Gate", hostname="gate.example", kind="gate")
    device = await auto_register(context, tenant, "gate-1", profile)
    assert (device.store_id, device.name, device.hostname, device.kind, device.tokens) == (
        "north",
        "Gate",
        "gate.example",
        "gate",
        (),
    )
    with pytest.raises(ConflictError, match="1 devices of 1 allowed"):
        await auto_register(context, tenant, "gate-2", profile)


async def test_two_first_beats_at_once_register_one_device_even_in_the_last_place(context: Context) -> None:
    tenant = await tenant_with_room_for(context, 1)
    made = await asyncio.gather(*(auto_register(context, tenant, "gate-1", DeviceProfile()) for _ in range(4)))
    assert {device.id for device in made} == {"acme:gate-1"}
    assert (await auto_register(context, tenant, "gate-1", DeviceProfile())).id == "acme:gate-1"


async def test_a_beat_does_not_bring_a_retired_device_back(context: Context) -> None:
    tenant = await tenant_with_room_for(context, 10)
    await register(context, "till-1")
    await retire_device(context, owner, None, "till-1")
    with pytest.raises(ConflictError, match="was retired; registerDevice brings it back"):
        await auto_register(context, tenant, "till-1", DeviceProfile())


@pytest.mark.parametrize("caller", [viewer, mate, the_device("till-1"), outsider], ids=lambda caller: str(caller.id))
async def test_only_an_admin_of_the_tenant_registers(context: Context, caller: Principal) -> None:
    with pytest.raises(ForbiddenError):
        await register_device(context, caller, DevicePatch(device_id="till-1", tenant_id="acme"))
    with pytest.raises(UnauthenticatedError):
        await register_device(context, ANONYMOUS, DevicePatch(device_id="till-1", tenant_id="acme"))
    assert await context.store.devices.get_many(EVERY_TENANT, ["acme:till-1"]) == {}


async def test_whoever_has_several_tenants_says_which(context: Context) -> None:
    with pytest.raises(BadInputError) as refused:
        await register_device(context, both, DevicePatch(device_id="till-1"))
    assert [field.path for field in refused.value.fields] == ["input.tenantId"]
    with pytest.raises(NotFoundError, match="createTenant"):
        await register_device(context, root, DevicePatch(device_id="till-1", tenant_id="nowhere"))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"device_id": ""}, "input.deviceId"),
    ({"device_id": " till"}, "input.deviceId"),
    ({"device_id": "a\nb"}, "input.deviceId"),
    ({"device_id": "x" * 129}, "input.deviceId"),
    ({"store_id": "x" * 65}, "input.storeId"),
    ({"store_id": ""}, "input.storeId"),
    ({"name": "x" * 201}, "input.name"),
    ({"hostname": "x" * 254}, "input.hostname"),
    ({"kind": "x" * 65}, "input.kind"),
    ({"description": "x" * 2_001}, "input.description"),
    ({"gateway_id": "x" * 129}, "input.gatewayId"),
    ({"tags": tuple(map(str, range(51)))}, "input.tags"),
    ({"tags": ("x" * 65,)}, "input.tags"),
    ({"tags": ("",)}, "input.tags"),
    ({"timezone": "Europe/Atlantis"}, "input.timezone"),
    ({"timezone": ""}, "input.timezone"),
    ({"offline_after_sec": 0}, "input.offlineAfterSec"),
    ({"offline_after_sec": 604_801}, "input.offlineAfterSec"),
    ({"hosted_tenant_ids": ("acme", "umbrella")}, "input.hostedTenantIds[1]"),
    ({"hosted_tenant_ids": ("acme", "x y" * 1_000)}, "input.hostedTenantIds[1]"),
    ({"hosted_tenant_ids": ("acme",) * 201}, "input.hostedTenantIds"),
]


@pytest.mark.parametrize(("fields", "path"), BAD, ids=lambda one: one if isinstance(one, str) else "")
async def test_a_bad_field_is_named_and_nothing_is_written(context: Context, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadInputError) as refused:
        await register_device(context, owner, DevicePatch(**{"device_id": "till-1", **fields}))
    assert [field.path for field in refused.value.fields] == [path]
    assert len(refused.value.message) < 500
    assert await context.store.devices.count_present("acme") == 0


async def test_all_bad_fields_are_named_at_once(context: Context) -> None:
    everything: dict[str, Any] = {name: value for fields, _ in BAD for name, value in fields.items()}
    with pytest.raises(BadInputError) as refused:
        await register_device(context, owner, DevicePatch(**everything))
    named = {field.path.split("[", maxsplit=1)[0] for field in refused.value.fields}
    assert named == {path.split("[", maxsplit=1)[0] for _, path in BAD}


async def test_a_super_admin_too_may_only_name_what_can_be_a_tenant(context: Context) -> None:
    with pytest.raises(BadInputError):
        await register_device(context, root, DevicePatch(device_id="h", tenant_id="acme", hosted_tenant_ids=("x" * 1_000_000,)))


async def test_what_just_fits_is_taken(context: Context) -> None:
    fields: dict[str, Any] = {
        "store_id": "s" * 64,
        "name": "n" * 200,
        "hostname": "h" * 253,
        "description": "d" * 2_000,
        "tags": tuple(f"{number:064}" for number in range(50)),
        "timezone": "Europe/Berlin",
        "offline_after_sec": 604_800,
        "hosted_tenant_ids": ("acme",),
    }
    await register(context, "x" * 128, **fields)
    device = await kept(context, "x" * 128)
    assert all(getattr(device, name) == value for name, value in fields.items() if name != "offline_after_sec")
