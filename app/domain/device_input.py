"""A device as a person describes it: to register, or to change."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.faults import Faults
from app.domain.ids import is_device_id, is_tenant_id
from app.domain.tenant import Scope

LONGEST_SILENCE = 604_800
MOST_TAGS = 50
MOST_HOSTED = 200
_TEXTS = {"name": 200, "hostname": 253, "kind": 64, "description": 2_000}
_KEYS = {"store_id": ("storeId", 64), "gateway_id": ("gatewayId", 128)}


class DevicePatch(msgspec.Struct, frozen=True, kw_only=True):
    """UNSET is left as it is, None clears."""

    device_id: str
    tenant_id: str | None = None
    store_id: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    hostname: str | UnsetType | None = UNSET
    kind: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType | None = UNSET
    offline_after_sec: int | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    hosted_tenant_ids: tuple[str, ...] | UnsetType | None = UNSET
    gateway_id: str | UnsetType | None = UNSET


def given(patch: DevicePatch) -> dict[str, Any]:
    """What the patch says of the device beside which one it is."""
    fields = msgspec.structs.asdict(patch)
    return {name: value for name, value in fields.items() if value is not UNSET and name not in ("device_id", "tenant_id")}


def check_device(patch: DevicePatch, scope: Scope) -> None:
    """Raises BadInputError with every bad field. A host may only be said to host tenants of `scope`."""
    faults = Faults()
    faults.require(
        is_device_id(patch.device_id), "input.deviceId", "must have 1 to 128 printable characters, no blank at either end"
    )
    said = {name: value for name, value in given(patch).items() if value is not None}
    for name, most in _TEXTS.items():
        length = len(said.get(name, ""))
        faults.require(length <= most, f"input.{name}", f"has {length} characters; at most {most}")
    for name, (path, most) in _KEYS.items():
        if name in said:
            faults.title(f"input.{path}", said[name], most)
    tags = said.get("tags", ())
    fits = len(tags) <= MOST_TAGS and all(0 < len(tag) <= 64 for tag in tags)
    faults.require(fits, "input.tags", f"must be at most {MOST_TAGS}, each of 1 to 64 characters")
    if "offline_after_sec" in said:
        faults.between("input.offlineAfterSec", said["offline_after_sec"], 1, LONGEST_SILENCE)
    if "timezone" in said:
        faults.zone("input.timezone", said["timezone"])
    _check_hosted(said.get("hosted_tenant_ids", ()), scope, faults)
    faults.refuse()


def _check_hosted(tenant_ids: tuple[str, ...], scope: Scope, faults: Faults) -> None:
    faults.require(
        len(tenant_ids) <= MOST_HOSTED, "input.hostedTenantIds", f"has {len(tenant_ids)} entries; at most {MOST_HOSTED}"
    )
    for at, tenant_id in enumerate(tenant_ids[:MOST_HOSTED]):
        path = f"input.hostedTenantIds[{at}]"
        if not is_tenant_id(tenant_id):
            faults.add(path, "is not the id of a tenant")
        else:
            faults.require(scope.covers(tenant_id), path, f"tenant {tenant_id!r} is not one of the caller's")
