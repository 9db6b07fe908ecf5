"""The overview of a fleet, and how Fleetbeat itself is doing."""

from collections import Counter
from datetime import timedelta

import pytest

from app import __version__
from app.clock import ManualClock
from app.context import Context
from app.devices import health_of
from app.domain.alert import AlertStatus, Severity
from app.domain.beat import HealthStatus
from app.domain.device import DeviceStatus
from app.domain.health import fleet_health, fleet_score
from app.domain.ids import LANES
from app.errors import ForbiddenError, UnauthenticatedError
from app.overview import overview
from app.principal import ANONYMOUS, Principal
from app.rule_tick import MARK
from app.store.intakes import IntakeRecord
from app.store.workers import WorkerRecord
from app.system import evaluation_lag_sec, system_status
from tests.alerts.world import an_alert, keep
from tests.cast import NOW, both, open_test_context, outsider, owner, root, viewer
from tests.counting import counted
from tests.devices.test_reading import keep_every_health
from tests.devices.world import a_device, keep_devices, the_device, trouble


async def test_an_empty_fleet_is_not_known_and_has_lost_nothing(context: Context) -> None:
    figures = await overview(context, viewer, None)
    assert (figures.status, figures.score, figures.at) == (HealthStatus.UNKNOWN, 100.0, NOW)
    assert (sum(figures.devices.values()), figures.devices_online, figures.devices_offline, figures.hosts) == (0, 0, 0, [])
    assert (figures.active_alerts, figures.alerts_by_severity) == (0, {})


async def test_the_figures_are_those_of_the_devices_one_by_one(context: Context) -> None:
    await keep_every_health(context)
    await keep_devices(context, a_device("gone", retired_at=NOW), a_device("theirs", "umbrella"))
    await trouble(context, "gone", Severity.CRITICAL)
    await trouble(context, "theirs", Severity.LOW, "umbrella")
    for caller in (owner, outsider, both, root):
        devices = await context.store.devices.choose(caller.scope, (), (), 1_000)
        each = Counter((await health_of(context, devices)).values())
        figures = await overview(context, caller, None)
        assert +Counter(figures.devices) == each
        assert figures.score == fleet_score(each)
        assert figures.status is fleet_health(each, figures.alerts_by_severity)
        status = Counter(device.status for device in devices)
        assert (figures.devices_online, figures.devices_offline) == (status[DeviceStatus.ONLINE], status[DeviceStatus.OFFLINE])


async def test_live_alerts_are_counted_by_severity(context: Context) -> None:
    await keep_devices(context, a_device("till-1"))
    await trouble(context, "till-1", Severity.HIGH)
    await trouble(context, "till-1", Severity.LOW, status=AlertStatus.ACKNOWLEDGED)
    await trouble(context, "till-1", Severity.MEDIUM, status=AlertStatus.RESOLVED)
    await trouble(context, "till-1", Severity.CRITICAL, "umbrella")
    figures = await overview(context, owner, None)
    assert (figures.active_alerts, figures.alerts_by_severity) == (2, {Severity.HIGH: 1, Severity.LOW: 1})
    assert (await overview(context, both, "umbrella")).alerts_by_severity == {Severity.CRITICAL: 1}
    assert (await overview(context, both, None)).active_alerts == 3


async def test_hosts_are_shown_up_to_fifty(context: Context) -> None:
    await keep_devices(context, *(a_device(f"host-{number:02}", kind="host") for number in range(60)))
    await keep_devices(context, a_device("gone", kind="host", retired_at=NOW), a_device("till", kind="pos"))
    hosts = (await overview(context, owner, None)).hosts
    assert [host.device_id for host in hosts] == [f"host-{number:02}" for number in range(50)]


async def test_what_it_asks_does_not_grow_with_the_fleet(context: Context) -> None:
    asked: list[int] = []
    for start, end in ((0, 5), (5, 60)):
        await keep_devices(context, *(a_device(f"till-{number}") for number in range(start, end)))
        for number in range(start, end):
            await trouble(context, f"till-{number}", Severity.HIGH)
        with counted(context.settings.mongo_database) as commands:
            await overview(context, owner, None)
        asked.append(len(commands))
    assert asked[0] == asked[1] <= 7


@pytest.mark.parametrize("who", [owner, root], ids=["one tenant", "all tenants"])
async def test_it_reads_no_device_that_is_well_and_no_alert_that_is_over(
    mongo_uri: str, redis_url: str, new_database: str, clock: ManualClock, who: Principal
) -> None:
    async with open_test_context(mongo_uri, redis_url, new_database, clock) as context:
        await keep_devices(context, *(a_device(f"till-{number}") for number in range(300)))
        await keep_devices(context, *(a_device(f"gone-{number}", retired_at=NOW) for number in range(50)))
        await keep_devices(context, *(a_device(f"off-{number}", status=DeviceStatus.OFFLINE) for number in range(5)))
        await keep_devices(context, a_device("host-1", kind="host"))
        over = [an_alert(id=f"over-{number}", status=AlertStatus.RESOLVED) for number in range(50)]
        await keep(context, *over, an_alert(id="now", subject_id="till-1"))
        await context.mongo.database.command("profile", 2)
        figures = await overview(context, who, None)
        await context.mongo.database.command("profile", 0)
        asked = await context.mongo.database["system.profile"].find({"docsExamined": {"$gt": 0}}).to_list(None)
    assert (figures.devices_online, figures.devices_offline, figures.active_alerts) == (301, 5, 1)
    # The five that are offline, the host, the alert (by severity and by device), and its device.
    assert sum(row["docsExamined"] for row in asked) == 9


async def test_an_overview_is_for_the_tenants_people(context: Context) -> None:
    with pytest.raises(ForbiddenError):
        await overview(context, owner, "umbrella")
    for work in (overview(context, the_device("till-1"), None), system_status(context, the_device("till-1"))):
        with pytest.raises(ForbiddenError):
            await work
    for work in (overview(context, ANONYMOUS, None), system_status(context, ANONYMOUS)):
        with pytest.raises(UnauthenticatedError):
            await work


async def test_the_system_says_what_runs(context: Context, clock: ManualClock) -> None:
    beat = IntakeRecord(id="api-1", at=NOW, beats_per_sec=2.5, subscribers=3)
    for record in (beat, IntakeRecord(id="api-2", at=NOW, beats_per_sec=0.25, subscribers=4)):
        await context.store.intakes.sign(record, timedelta(seconds=3))
    worker = WorkerRecord(id="worker-1", last_seen=NOW, jobs_done=5, jobs_failed=1, jobs_ongoing=2)
    await context.store.workers.report(worker)
    assert await context.store.leases.claim_tick("rules", 15.0, NOW)
    clock.advance(2)
    await context.store.leases.finish_tick("rules", NOW, clock.now(), "boom")
    status = await system_status(context, viewer)
    assert (status.version, status.workers) == (__version__, [worker])
    assert (status.heartbeats_per_sec, status.subscribers) == (2.75, 7)
    assert (status.mongo, status.redis) == (HealthStatus.HEALTHY, HealthStatus.HEALTHY)
    [tick] = status.ticks
    assert (tick.record.name, tick.record.duration_sec, tick.record.last_error, tick.late) == ("rules", 2.0, "boom", False)


async def test_who_went_silent_is_not_counted_and_its_tick_is_late(context: Context, clock: ManualClock) -> None:
    await context.store.intakes.sign(IntakeRecord(id="api-1", at=NOW, beats_per_sec=9, subscribers=9), timedelta(seconds=3))
    await context.store.workers.report(WorkerRecord(id="w", last_seen=NOW, jobs_done=0, jobs_failed=0, jobs_ongoing=0))
    await context.store.leases.claim_tick("rules", 15.0, NOW)
    await context.store.leases.finish_tick("rules", NOW, NOW, None)
    clock.advance(45)
    assert [tick.late for tick in (await system_status(context, viewer)).ticks] == [False]
    clock.advance(1)
    status = await system_status(context, viewer)
    assert (status.workers, status.subscribers, status.heartbeats_per_sec) == ([], 0, 0)
    assert [tick.late for tick in status.ticks] == [True]


async def test_the_lag_is_that_of_the_lane_that_waits_longest(context: Context, clock: ManualClock) -> None:
    assert await evaluation_lag_sec(context) == 0
    for lane in range(LANES):
        await context.store.leases.advance(MARK, lane, NOW + timedelta(seconds=lane))
    clock.advance(20)
    assert await evaluation_lag_sec(context) == 20
    await context.store.leases.advance(MARK, 0, NOW + timedelta(seconds=19))
    assert await evaluation_lag_sec(context) == 19
