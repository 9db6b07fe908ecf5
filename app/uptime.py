"""The uptime of devices over a range."""

from collections.abc import Sequence
from datetime import datetime

from app.context import Context
from app.domain.alert import Alert, device_of
from app.domain.defaults import OFFLINE_KEY
from app.domain.device import Device
from app.domain.tenant import Scope
from app.domain.uptime import Span, Uptime, outages, uptime


async def uptimes(context: Context, devices: Sequence[Device], start: datetime, end: datetime) -> dict[str, Uptime]:
    """By device key, of devices that the caller has been given. What is before a device's first beat, after its retirement
    or still to come is excluded."""
    now = context.clock.now()
    scope = Scope(frozenset(device.tenant_id for device in devices))
    alerts: dict[str | None, list[Alert]] = {}
    for alert in await context.store.alerts.outages(scope, [one.device_id for one in devices], [OFFLINE_KEY], start, end):
        alerts.setdefault(device_of(alert), []).append(alert)
    return {one.id: uptime(Span(start, end), _counted(one, now), outages(alerts.get(one.id, []), now)) for one in devices}


def _counted(device: Device, now: datetime) -> Span | None:
    if device.last_seen is None:
        return None
    # Of devices from before first beats were noted, their registration is the nearest that is known.
    since = device.first_seen or device.created_at
    until = now if device.retired_at is None else min(now, device.retired_at)
    return Span(since, until) if since < until else None
