"""Makes the tenants, stores and devices of a simulation, or takes over those of an earlier one."""

import asyncio
from dataclasses import dataclass

from app.simulation.scenarios import Place
from app.simulation.wire import CREATE_TENANT, REGISTER, ROTATE, SAVE_STORE, WIDEN_TENANT, RefusedError, Wire, person

DEVICES_PER_STORE = 8
_AT_ONCE = 16
_TOWNS = ("Aachen", "Bergen", "Calais", "Delft", "Évora", "Ferrara", "Gdańsk", "Halle")
_KINDS = ("pos", "pos", "pos", "kiosk", "gate")


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """A device that is registered, and the token that it beats with."""

    tenant: str
    id: str
    store: str
    kind: str
    place: Place
    token: str


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How many devices over which tenants; `offline_after_sec` None leaves it to the tenant."""

    tenants: tuple[str, ...]
    devices: int
    offline_after_sec: int | None


async def enrol(wire: Wire, admin: str, plan: FleetPlan) -> list[SimulatedDevice]:
    """Registers the fleet. Devices that are there already get a new token."""
    authorization = person(admin)
    places = [(plan.tenants[n % len(plan.tenants)], n // len(plan.tenants)) for n in range(plan.devices)]
    most = max(number for _, number in places) + 1
    for tenant in plan.tenants:
        await _open_tenant(wire, authorization, tenant, most)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(tenant: str, number: int) -> SimulatedDevice:
        async with gate:
            return await _register(wire, authorization, plan, tenant, number)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(tenant, number)) for tenant, number in places]
    return [task.result() for task in tasks]


async def _open_tenant(wire: Wire, authorization: str, tenant: str, devices: int) -> None:
    room = {"maxDevices": max(devices, 1_000)}
    try:
        await wire.call(CREATE_TENANT, {"id": tenant, "input": {"name": tenant.title(), **room}}, authorization)
    except RefusedError as refusal:
        if refusal.code != "CONFLICT":
            raise
        if devices > 1_000:
            await wire.call(WIDEN_TENANT, {"id": tenant, "input": room}, authorization)
    for store in range(-(-devices // DEVICES_PER_STORE)):
        town = _TOWNS[store % len(_TOWNS)]
        await wire.call(SAVE_STORE, {"input": {"tenantId": tenant, "storeId": store_id(store), "name": town}}, authorization)


async def _register(wire: Wire, authorization: str, plan: FleetPlan, tenant: str, number: int) -> SimulatedDevice:
    place = Place(number, number // DEVICES_PER_STORE)
    kind = _KINDS[number % len(_KINDS)]
    device_id = f"{kind}-{number + 1}"
    described = {
        "tenantId": tenant,
        "deviceId": device_id,
        "storeId": store_id(place.store),
        "kind": kind,
        "name": f"{_TOWNS[place.store % len(_TOWNS)]} {kind} {number % DEVICES_PER_STORE + 1}",
        "tags": ["simulated"],
        "offlineAfterSec": plan.offline_after_sec,
    }
    try:
        data = await wire.call(REGISTER, {"input": described}, authorization)
        token = data["registerDevice"]["token"]
    except RefusedError as refusal:
        if refusal.code != "CONFLICT":
            raise
        data = await wire.call(ROTATE, {"tenantId": tenant, "deviceId": device_id}, authorization)
        token = data["rotateDeviceToken"]["token"]
    return SimulatedDevice(tenant, device_id, store_id(place.store), kind, place, token)


def store_id(number: int) -> str:
    return f"store-{number + 1}"
