"""Which devices a list shows."""

import msgspec

from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus
from app.errors import FieldError

MOST_IN_LIST = 200
LONGEST_SEARCH = 200


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


def filter_errors(chosen: DeviceFilter) -> list[FieldError]:
    """Every bad field, by its name on the wire."""
    lists = {
        "storeIds": chosen.store_ids,
        "kinds": chosen.kinds,
        "tags": chosen.tags,
        "status": chosen.status,
        "health": chosen.health,
        "appVersions": chosen.app_versions,
    }
    errors = [
        FieldError(f"filter.{name}", f"has {len(values)} entries; at most {MOST_IN_LIST}")
        for name, values in lists.items()
        if len(values) > MOST_IN_LIST
    ]
    if chosen.search is not None and len(chosen.search) > LONGEST_SEARCH:
        errors.append(FieldError("filter.search", f"has {len(chosen.search)} characters; at most {LONGEST_SEARCH}"))
    return errors
