"""What the tests of devices share: devices that are registered, that beat, that have alerts."""

from typing import Any

from app.auth import authenticate
from app.context import Context
from app.devices import register_device
from app.domain.alert import Severity
from app.domain.beat_input import BeatInput
from app.domain.device import Device, DeviceStatus
from app.domain.device_input import DevicePatch
from app.domain.ids import device_key, lane_of
from app.domain.tenant import EVERY_TENANT, only
from app.heartbeats import record
from app.principal import Principal, PrincipalKind
from app.store.encoding import to_document
from tests.alerts.world import an_alert, keep
from tests.cast import NOW, owner


def the_device(device_id: str, tenant_id: str = "acme") -> Principal:
    """The device itself as a caller."""
    key = device_key(tenant_id, device_id)
    return Principal(PrincipalKind.DEVICE, key, None, frozenset((tenant_id,)), frozenset((key,)))


def a_device(device_id: str, tenant_id: str = "acme", **fields: Any) -> Device:
    defaults: dict[str, Any] = {
        "lane": lane_of(tenant_id),
        "status": DeviceStatus.ONLINE,
        "since": NOW,
        "created_at": NOW,
        "last_seen": NOW,
        "offline_after": 120,
        "wake_after": 120,
    }
    return Device(id=device_key(tenant_id, device_id), tenant_id=tenant_id, device_id=device_id, **{**defaults, **fields})


async def keep_devices(context: Context, *devices: Device) -> None:
    """Puts devices there as they are."""
    await context.mongo.tenant_collection("devices").insert(EVERY_TENANT, [to_document(device) for device in devices])


async def register(context: Context, device_id: str, **fields: Any) -> str:
    """A device of acme; its token."""
    return (await register_device(context, owner, DevicePatch(device_id=device_id, **fields)))[1]


async def kept(context: Context, device_id: str, tenant_id: str = "acme") -> Device:
    device = await context.store.devices.get(only(tenant_id), tenant_id, device_id)
    assert device is not None
    return device


async def beat(context: Context, device_id: str, tenant_id: str = "acme", **fields: Any) -> None:
    """A beat, with everything that follows from it."""
    await record(context, the_device(device_id, tenant_id), BeatInput(device_id=device_id, **fields))
    await context.intake.drain()


async def trouble(context: Context, device_id: str, severity: Severity, tenant_id: str = "acme", **fields: Any) -> None:
    """A live alert on a device."""
    given = {"rule_key": f"rule_{severity.value}", **fields}
    await keep(context, an_alert(tenant_id=tenant_id, subject_id=device_id, severity=severity, **given))


async def sign_in(context: Context, token: str) -> Principal:
    return await authenticate(context, f"Device {token}", None)


async def audited(context: Context) -> list[tuple[str, str]]:
    """(action, target), oldest first."""
    entries = await context.store.audit.page(EVERY_TENANT, None, 100)
    return [(entry.action, entry.target) for entry in reversed(entries)]
