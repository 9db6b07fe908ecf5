"""A beat on its way in, and what it says of its device that is news."""

from typing import Any

import msgspec

from app.domain.beat import Beat, HealthStatus, worst_service
from app.store.connectivity import SeenDevice

_HEALTHY = HealthStatus.HEALTHY.value


class ArrivedBeat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A beat on its way in, with what it says of the device itself."""

    beat: Beat
    key: str  # of its device
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None
    clock_skew_sec: float | None = None


def says_nothing_new(arrived: ArrivedBeat, seen: SeenDevice) -> bool:
    """Whether that is certain at a glance, as it is of most beats."""
    beat = arrived.beat
    return (
        (beat.store_id is None or beat.store_id == seen.store_id)
        and (beat.app_version is None or beat.app_version == seen.app_version)
        and (arrived.name is None or arrived.name == seen.name)
        and (arrived.hostname is None or arrived.hostname == seen.hostname)
        and (arrived.kind is None or arrived.kind == seen.kind)
        and (arrived.clock_skew_sec is None or _runs_as_known(arrived.clock_skew_sec, seen))
        and (worst_service(beat).value if beat.services else _HEALTHY) == seen.services_health
    )


def profile_news(arrived: ArrivedBeat, seen: SeenDevice) -> dict[str, Any]:
    """What the beat says of its device that is not known yet. What a beat leaves out says nothing, and a late one
    does not know better than those that came before it."""
    if says_nothing_new(arrived, seen):
        return {}
    said = {
        "store_id": arrived.beat.store_id,
        "name": arrived.name,
        "hostname": arrived.hostname,
        "kind": arrived.kind,
        "app_version": arrived.beat.app_version,
    }
    late = arrived.beat.late
    known = {field: getattr(seen, field) for field in said}
    news: dict[str, Any] = {
        field: value
        for field, value in said.items()
        if value is not None and value != known[field] and not (late and known[field] is not None)
    }
    services = worst_service(arrived.beat).value
    if services != seen.services_health and not late:
        news["services_health"] = services
        news["changed_at"] = arrived.beat.received_at
    skew = arrived.clock_skew_sec
    if skew is not None and not _runs_as_known(skew, seen):
        news["clock_skew_sec"] = skew
    return news


def _runs_as_known(skew: float, seen: SeenDevice) -> bool:
    """Whether the device's clock is as wrong as it was, to a second."""
    return seen.clock_skew_sec is not None and abs(skew - seen.clock_skew_sec) < 1
