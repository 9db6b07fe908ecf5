"""Which devices a list shows."""

import msgspec

from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus


class DeviceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A device is shown that matches every list that is not empty; `search` is looked for in id, name and hostname."""

    store_ids: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: tuple[DeviceStatus, ...] = ()
    health: tuple[HealthStatus, ...] = ()
    app_versions: tuple[str, ...] = ()
    search: str | None = None
    include_retired: bool = False
