"""Whose health a subscriber follows, and how."""

import msgspec

from app.domain.device import Device


class HealthFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A device is followed that matches every list that is not empty."""

    tenant_id: str | None = None
    store_ids: tuple[str, ...] = ()
    device_ids: tuple[str, ...] = ()
    only_transitions: bool = False
    snapshot: bool = True

    def selects(self, device: Device) -> bool:
        in_stores = not self.store_ids or device.store_id in self.store_ids
        return in_stores and (not self.device_ids or device.device_id in self.device_ids)
