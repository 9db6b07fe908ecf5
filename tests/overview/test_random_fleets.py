"""Lists, filters, health and the overview agree about any fleet, with the verdict of each device by itself."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pymongo import MongoClient

from app.context import Context
from app.devices import count_devices, health_of, list_devices
from app.domain.alert import Alert, AlertStatus, Severity
from app.domain.beat import HealthStatus
from app.domain.device import Device, DeviceStatus
from app.domain.device_filter import DeviceFilter
from app.domain.health import device_health, fleet_health, fleet_score
from app.domain.ids import device_key
from app.domain.tenant import EVERY_TENANT
from app.overview import HOST_KIND, overview
from app.principal import Principal
from app.store.encoding import to_document
from tests.alerts.world import an_alert, keep
from tests.cast import NOW, both, open_test_context, outsider, owner, root
from tests.domain.making import a_device

TENANTS = st.sampled_from(["acme", "umbrella"])
NAMES = st.sampled_from([f"till-{number}" for number in range(3)])


@dataclass(frozen=True)
class Trouble:
    """An alert on a device, which may be anybody's or nobody's."""

    tenant_id: str
    device_id: str
    severity: Severity
    status: AlertStatus


devices = st.lists(
    st.builds(
        a_device,
        tenant_id=TENANTS,
        device_id=NAMES,
        # Most are online: only there do alerts and services make a difference.
        status=st.sampled_from([DeviceStatus.ONLINE] * 4 + [DeviceStatus.OFFLINE, DeviceStatus.UNKNOWN]),
        services_health=st.sampled_from(HealthStatus),
        kind=st.sampled_from([None, "pos", HOST_KIND]),
        retired_at=st.sampled_from([None, None, None, NOW]),
    ),
    unique_by=lambda device: device.id,
    min_size=2,
    max_size=6,
)
troubles = st.lists(
    st.builds(
        Trouble, tenant_id=TENANTS, device_id=NAMES, severity=st.sampled_from(Severity), status=st.sampled_from(AlertStatus)
    ),
    min_size=2,
    max_size=12,
)
filters = st.lists(st.sampled_from(HealthStatus), unique=True).map(tuple)
callers = st.sampled_from([owner, outsider, both, root])


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database) as opened:
        yield opened


async def fill(client: "MongoClient[dict[str, Any]]", context: Context, fleet: list[Device], alerts: list[Alert]) -> None:
    for name in ("devices", "provider_alerts"):
        client[context.settings.mongo_database][name].delete_many({})
    await context.mongo.tenant_collection("devices").insert(EVERY_TENANT, [to_document(device) for device in fleet])
    await keep(context, *alerts)


def alarms(chosen: list[Trouble]) -> list[Alert]:
    return [
        an_alert(
            id=f"alert-{number}",
            dedup_key=f"key-{number}",
            tenant_id=one.tenant_id,
            subject_id=one.device_id,
            severity=one.severity,
            status=one.status,
        )
        for number, one in enumerate(chosen)
    ]


@settings(max_examples=80)
@given(fleet=devices, chosen=troubles, wanted=filters, caller=callers)
async def test_all_agree_about_any_fleet(
    context: Context,
    mongo_client: "MongoClient[dict[str, Any]]",
    fleet: list[Device],
    chosen: list[Trouble],
    wanted: tuple[HealthStatus, ...],
    caller: Principal,
) -> None:
    alerts = alarms(chosen)
    await fill(mongo_client, context, fleet, alerts)
    seen = [device for device in fleet if device.retired_at is None and caller.scope.covers(device.tenant_id)]
    live = [alert for alert in alerts if alert.live and caller.scope.covers(alert.tenant_id)]
    verdicts = {
        device.id: device_health(
            device.status,
            device.services_health,
            [alert.severity for alert in live if device_key(alert.tenant_id, alert.subject_id) == device.id],
        )
        for device in seen
    }
    assert await health_of(context, seen) == verdicts

    for healths in (wanted, *((health,) for health in HealthStatus)):
        selected = {key for key, verdict in verdicts.items() if not healths or verdict in healths}
        page = await list_devices(context, caller, None, DeviceFilter(health=healths), 200, None)
        assert {device.id for device in page.items} == selected
        assert await count_devices(context, caller, None, DeviceFilter(health=healths)) == len(selected)

    figures = await overview(context, caller, None)
    counts, severities = Counter(verdicts.values()), Counter(alert.severity for alert in live)
    assert {health: count for health, count in figures.devices.items() if count} == counts
    assert (figures.status, figures.score) == (fleet_health(counts, severities), fleet_score(counts))
    assert (figures.active_alerts, figures.alerts_by_severity) == (len(live), severities)
    status = Counter(device.status for device in seen)
    assert (figures.devices_online, figures.devices_offline) == (status[DeviceStatus.ONLINE], status[DeviceStatus.OFFLINE])
    assert {host.id for host in figures.hosts} == {device.id for device in seen if device.kind == HOST_KIND}
