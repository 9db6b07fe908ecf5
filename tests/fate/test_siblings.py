"""The database counts a group as the domain judges its devices, and along an index."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from pymongo import MongoClient

from app.domain.conditions.absence import absence_after, absence_deadline
from app.domain.device import Device, DeviceStatus, silent_since
from app.domain.fate import Group
from app.domain.ids import device_key, lane_of
from app.domain.rule import AbsenceCondition
from app.domain.subject import SubjectKind
from tests.cast import NOW
from tests.evaluation.fleet import Fleet

NORTH = Group("acme", SubjectKind.STORE, "north")


def random_device(number: int, chance: Random) -> Device:
    seen = None if chance.random() < 0.1 else NOW - timedelta(seconds=chance.randrange(0, 400))
    return Device(
        id=device_key("acme", f"till-{number}"),
        tenant_id="acme",
        device_id=f"till-{number}",
        lane=lane_of("acme"),
        status=DeviceStatus.UNKNOWN if seen is None else chance.choice([DeviceStatus.ONLINE, DeviceStatus.OFFLINE]),
        since=NOW - timedelta(seconds=chance.randrange(0, 400)),
        created_at=NOW,
        offline_after=chance.choice([60, 120]),
        wake_after=60,
        last_seen=seen,
        missed=chance.random() < 0.5,
        judged_seen=seen if chance.random() < 0.5 else None,
        store_id=chance.choice(["north", "south"]),
        retired_at=NOW if chance.random() < 0.1 else None,
    )


@pytest.mark.parametrize("after_sec", [None, 30, 200])
@pytest.mark.parametrize("gap", [0, 100, 1_000])
async def test_the_count_is_the_verdict_of_absence(fleet: Fleet, after_sec: int | None, gap: int) -> None:
    devices = [random_device(number, Random(number)) for number in range(150)]
    await asyncio.gather(*(fleet.context.store.devices.insert(device) for device in devices))
    condition, gap_end = AbsenceCondition(after_sec=after_sec), NOW - timedelta(seconds=gap)
    mine = [one for one in devices if one.store_id == "north" and one.last_seen is not None and one.retired_at is None]
    bounds = {one.id: absence_deadline(condition, one, gap_end) for one in mine}
    fallen = [bound for bound in bounds.values() if bound is not None and bound <= NOW]

    def is_suspect(device: Device) -> bool:
        since, bound = silent_since(device, gap_end), bounds[device.id]
        half = timedelta(seconds=absence_after(condition, device) / 2)
        return since is not None and bound is not None and bound > NOW and NOW - since > half

    standing = await fleet.context.store.siblings.standing(NORTH, after_sec, gap_end, NOW)
    assert standing.total == len(mine)
    assert sum(one.count for one in standing.fallen) == len(fallen)
    assert sorted(one.first for one in standing.fallen) == sorted(set(fallen))
    assert sum(one.count for one in standing.suspects) == sum(1 for one in mine if is_suspect(one))
    assert standing.returned_at == max(one.since for one in mine if one.status is DeviceStatus.ONLINE)


async def test_what_is_explained_counts_in_the_total_alone(fleet: Fleet) -> None:
    await fleet.add("till-1", "till-2", store_id="north", app_version="3.2.0", last_seen=NOW - timedelta(seconds=200))
    await fleet.add("till-3", app_version="3.2.0", last_seen=NOW - timedelta(seconds=200))
    group = Group("acme", SubjectKind.VERSION, "3.2.0")
    explained = {SubjectKind.STORE: ["north"], SubjectKind.GATEWAY: ["gw-1"]}
    standing = await fleet.context.store.siblings.standing(group, None, NOW - timedelta(days=1), NOW, explained=explained)
    assert (standing.total, [(one.count, one.store_id) for one in standing.fallen]) == (3, [(1, None)])


@pytest.mark.parametrize(
    ("collection", "where", "index"),
    [
        ("devices", {"tenant_id": "acme", "store_id": "north", "retired_at": None, "last_seen": {"$ne": None}}, "by_store"),
        ("devices", {"tenant_id": "acme", "gateway_id": "gw-1", "retired_at": None}, "by_gateway"),
        ("devices", {"tenant_id": "acme", "app_version": "3.2.0", "retired_at": None}, "by_version"),
        ("provider_alerts", {"tenant_id": "acme", "parent_id": {"$in": ["a", "b"]}}, "children"),
        ("provider_alerts", {"tenant_id": "acme", "parent_id": "a", "live": True}, "children"),
        (
            "provider_alerts",
            {"tenant_id": "acme", "telling_held_until": {"$gt": NOW}, "live": True, "parent_id": None},
            "held",
        ),
        ("device_heartbeats", {"lane": 3, "late": True, "received_at": {"$gt": NOW}}, "late_feed"),
    ],
)
async def test_the_questions_find_their_indexes(
    fleet: Fleet,
    mongo_client: "MongoClient[dict[str, Any]]",
    database: str,
    collection: str,
    where: dict[str, Any],
    index: str,
) -> None:
    plan = mongo_client[database][collection].find(where).explain()["queryPlanner"]
    plans = [plan["winningPlan"], *plan["rejectedPlans"]]
    assert any(f"'indexName': '{index}'" in str(one) for one in plans), plan["winningPlan"]


@pytest.mark.parametrize("after_sec", [None, 30, 200])
@pytest.mark.parametrize("gap", [0, 100, 1_000])
async def test_who_is_silent_is_at_least_who_has_fallen_or_is_suspect_and_who_is_well_is_neither(
    fleet: Fleet, after_sec: int | None, gap: int
) -> None:
    devices = [awaited(random_device(number, Random(number)), after_sec) for number in range(150)]
    await asyncio.gather(*(fleet.context.store.devices.insert(device) for device in devices))
    siblings = fleet.context.store.siblings
    longest = 120 if after_sec is None else after_sec
    silent = await siblings.silent(lane_of("acme"), after_sec, NOW + timedelta(seconds=longest / 2), NOW)
    for store_id in ("north", "south"):
        group = Group("acme", SubjectKind.STORE, store_id)
        standing = await siblings.standing(group, after_sec, NOW - timedelta(seconds=gap), NOW)
        in_doubt = sum(one.count for one in standing.fallen) + sum(one.count for one in standing.suspects)
        well = await siblings.count_well(group, after_sec, NOW, 1_000)
        assert silent[group] >= in_doubt
        assert well <= standing.total - in_doubt
        assert well + silent[group] == standing.total
        assert await siblings.count_well(group, after_sec, NOW, 2) == min(2, well)


def awaited(device: Device, after_sec: int | None) -> Device:
    """As the sweep leaves it: missed once its time is over, else due by then."""
    bound = absence_deadline(AbsenceCondition(after_sec=after_sec), device, None)
    missed = bound is not None and bound <= NOW
    return msgspec.structs.replace(
        device, missed=missed, judged_seen=device.last_seen if missed else None, due_at=None if missed else bound
    )
