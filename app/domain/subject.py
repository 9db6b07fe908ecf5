"""What an alert is about: a device, a store, a service, or the tenant as a whole."""

from enum import Enum

import msgspec

from app.domain.device import Device
from app.domain.ids import lane_of


class SubjectKind(Enum):
    DEVICE = "device"
    STORE = "store"
    SERVICE = "service"
    TENANT = "tenant"
    GATEWAY = "gateway"
    VERSION = "version"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One subject of a rule. `id` is unique among the subjects of its kind inside the tenant."""

    tenant_id: str
    kind: SubjectKind
    id: str
    name: str
    store_id: str | None = None

    @property
    def lane(self) -> int:
        return lane_of(self.tenant_id)


def of_device(device: Device) -> Subject:
    return Subject(
        tenant_id=device.tenant_id,
        kind=SubjectKind.DEVICE,
        id=device.device_id,
        name=device.name or device.device_id,
        store_id=device.store_id,
    )


def of_store(tenant_id: str, store_id: str, name: str | None = None) -> Subject:
    return Subject(tenant_id=tenant_id, kind=SubjectKind.STORE, id=store_id, name=name or store_id, store_id=store_id)


def of_tenant(tenant_id: str, name: str | None = None) -> Subject:
    return Subject(tenant_id=tenant_id, kind=SubjectKind.TENANT, id=tenant_id, name=name or tenant_id)
