"""Many at once, and parts that die in the middle."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.store.devices import DeviceStore
from app.store.mongo import connect
from tests.flows.client import Api
from tests.flows.documents import ALERTS, BEATS, CREATE_TENANT, EVENTS
from tests.flows.installation import Installation

FLEET = 2_000


async def _enrol(root: Api, mongo_uri: str, database: str) -> None:
    """A fleet over four tenants that has not beaten yet, and so is missed by nobody. One by one over the wire takes a minute."""
    mongo, now = connect(mongo_uri, database), datetime.now(UTC)
    devices = DeviceStore(mongo)
    for number in range(4):
        await root.ask(CREATE_TENANT, id=f"shop-{number}", name=f"Shop {number}")
    for number in range(FLEET):
        tenant_id, device_id = f"shop-{number % 4}", f"till-{number}"
        device = Device(
            id=device_key(tenant_id, device_id),
            tenant_id=tenant_id,
            device_id=device_id,
            lane=lane_of(tenant_id),
            status=DeviceStatus.UNKNOWN,
            since=now,
            created_at=now,
            offline_after=5,
            wake_after=5,
        )
        assert await devices.insert(device)
    mongo.close()


async def _beat(root: Api) -> float:
    """All of the fleet; when the last beat was stored."""
    beats = [{"tenantId": f"shop-{number % 4}", "deviceId": f"till-{number}"} for number in range(FLEET)]
    for start in range(0, FLEET, 500):
        answer = (await root.ask(BEATS, inputs=beats[start : start + 500]))["heartbeats"]
        assert (answer["accepted"], answer["rejected"]) == (500, [])
    return time.monotonic()


def _check(events: list[dict[str, object]]) -> None:
    subjects = Counter(str(event["alert"]["subjectId"]) for event in events)  # type: ignore[index]
    assert len(subjects) == FLEET
    assert set(subjects.values()) == {1}
    assert {event["type"] for event in events} == {"OPENED"}
    # In order: the ids of a lane rise.
    for lane in {str(event["id"]).split("-")[0] for event in events}:
        places = [int(str(event["id"]).split("-")[1]) for event in events if str(event["id"]).startswith(f"{lane}-")]
        assert places == sorted(places)


@pytest.mark.timeout(90)
async def test_two_thousand_devices_go_silent_at_once(
    installation: Installation, mongo_uri: str, database: str, figure: Callable[[str], None]
) -> None:
    root = installation.person()
    await _enrol(root, mongo_uri, database)
    async with root.subscribe(EVENTS) as stream:
        stored = await _beat(root)
        events = [one["alertEvents"] for one in await stream.take(FLEET, 40)]
        late = time.monotonic() - stored - 5
    _check(events)
    figure(f"{FLEET} alerts on the subscriber {late:.2f} s after the last deadline")
    assert (await root.ask(ALERTS, filter={"status": ["OPEN"]}, first=1))["alerts"]["totalCount"] == FLEET
    assert late < 5


@pytest.mark.timeout(120)
async def test_a_worker_is_killed_in_the_middle(
    two_workers: Installation, mongo_uri: str, database: str, figure: Callable[[str], None]
) -> None:
    root = two_workers.person()
    await _enrol(root, mongo_uri, database)
    async with root.subscribe(EVENTS) as stream:
        stored = await _beat(root)
        events = [(await stream.next(40))["alertEvents"]]
        two_workers.workers[0].kill()
        events += [one["alertEvents"] for one in await stream.take(FLEET - 1, 40)]
        late = time.monotonic() - stored - 5
    _check(events)
    figure(f"{FLEET} alerts on the subscriber {late:.2f} s after the last deadline, one worker of two killed")
    assert late < 15
