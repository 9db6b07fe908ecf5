"""What an operator types at three in the morning finds what the README says, and what other programs write is held to shape."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo import MongoClient
from pymongo.errors import WriteError

from app.clock import ManualClock
from app.domain.beat import Beat
from app.domain.defaults import platform_rules
from app.domain.ids import device_key, lane_of
from app.domain.tenant import only
from tests.cast import NOW, open_test_context
from tests.evaluation.fleet import Fleet, numbered

Client = MongoClient[dict[str, Any]]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
QUERY = re.compile(r"^db\.(\w+)\.find\((.*?)\)(?:\.sort\((.*?)\))?(?:\.limit\((\d+)\))?$", re.MULTILINE)
WRITTEN = [
    "db.device_heartbeats.find().sort({timestamp: -1}).limit(10)",
    'db.provider_alerts.find({status: "open"}).sort({first_seen: -1})',
    "db.alert_rules.find({enabled: true})",
]


@pytest.fixture
async def fleet(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Fleet]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        fleet = Fleet(context, clock)
        await fleet.sign()
        yield fleet
        await context.intake.drain()


def typed(client: Client, database: str, query: str) -> list[dict[str, Any]]:
    """What the shell would answer: its literals are read as YAML reads them."""
    found = QUERY.fullmatch(query)
    assert found is not None
    collection, where, order, limit = found.groups()
    cursor = client[database][collection].find(yaml.safe_load(where or "{}"))
    if order:
        cursor = cursor.sort(list(yaml.safe_load(order).items()))
    return list(cursor.limit(int(limit or 0)))


def test_the_readme_has_them_as_they_are_tested_here() -> None:
    assert [found.group() for found in QUERY.finditer(README)] == WRITTEN


async def test_the_newest_beats_of_all(fleet: Fleet, mongo_client: Client, database: str) -> None:
    await fleet.add("till-1")
    for number in range(12):
        await fleet.beat("till-1", cpu_usage=float(number), app_version="1.4.2")
        await fleet.pass_time(1)
    found = typed(mongo_client, database, WRITTEN[0])
    assert [beat["cpu_usage"] for beat in found] == [float(number) for number in range(11, 1, -1)]
    assert (found[0]["tenant_id"], found[0]["device_id"]) == ("acme", "till-1")
    assert (found[0]["timestamp"], found[0]["app_version"]) == (NOW + timedelta(seconds=11), "1.4.2")


async def test_what_is_open_the_newest_first(fleet: Fleet, mongo_client: Client, database: str) -> None:
    await fleet.add("till-1", "till-2")
    await fleet.beat("till-1")
    await fleet.pass_time(60)
    await fleet.beat("till-2")
    for seconds in (61, 60):
        await fleet.pass_time(seconds)
        await fleet.sweep()
    found = typed(mongo_client, database, WRITTEN[1])
    assert [(alert["rule_key"], alert["subject_id"]) for alert in found] == [
        ("device_offline", "till-2"),
        ("device_offline", "till-1"),
    ]
    assert [alert["first_seen"] for alert in found] == [NOW + timedelta(seconds=180), NOW + timedelta(seconds=120)]
    await fleet.beat("till-2")
    await fleet.sweep()
    assert [alert["subject_id"] for alert in typed(mongo_client, database, WRITTEN[1])] == ["till-1"]


async def test_the_open_ones_are_found_along_an_index(fleet: Fleet, mongo_client: Client, database: str) -> None:
    plan = mongo_client[database]["provider_alerts"].find({"status": "open"}).sort([("first_seen", -1)]).explain()
    assert "SORT" not in str(plan["queryPlanner"]["winningPlan"])
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


async def test_the_rules_that_are_on(fleet: Fleet, mongo_client: Client, database: str) -> None:
    keys = sorted(rule.key for rule in platform_rules(90, NOW))
    assert sorted(rule["key"] for rule in typed(mongo_client, database, WRITTEN[2])) == keys
    mongo_client[database]["alert_rules"].update_one({"key": "slow_api"}, {"$set": {"enabled": False}})
    assert "slow_api" not in {rule["key"] for rule in typed(mongo_client, database, WRITTEN[2])}


@contextmanager
def profiled(client: Client, database: str) -> Iterator[list[dict[str, Any]]]:
    """What the database itself notes of each operation, complete when the block has ended."""
    notes: list[dict[str, Any]] = []
    client[database].command("profile", 2)
    try:
        yield notes
    finally:
        client[database].command("profile", 0)
        notes += client[database]["system.profile"].find({"op": {"$in": ["command", "query"]}, "appName": "fleetbeat"})
        client[database]["system.profile"].drop()


def many_beats(devices: int, each: int) -> list[Beat]:
    return [
        Beat(
            id=f"{device}-{number}",
            tenant_id="acme",
            device_id=f"till-{device}",
            lane=lane_of("acme"),
            timestamp=NOW - timedelta(minutes=number),
            received_at=NOW,
            expire_at=NOW + timedelta(days=7),
            cpu_usage=float(number),
        )
        for device in range(devices)
        for number in range(each)
    ]


async def test_the_latest_beats_of_fifty_devices_are_fifty_look_ups(fleet: Fleet, mongo_client: Client, database: str) -> None:
    await fleet.add(*numbered(50))
    await fleet.context.store.heartbeats.insert(many_beats(50, 200))
    with profiled(mongo_client, database) as notes:
        found = await fleet.context.store.heartbeats.latest(only("acme"), [("acme", one) for one in numbered(50)])
    assert {key: beat.cpu_usage for key, beat in found.items()} == {device_key("acme", one): 0.0 for one in numbered(50)}
    [note] = notes
    assert note["ns"] == f"{database}.devices"
    assert note["docsExamined"] == 100
    assert note["keysExamined"] <= 200
    assert "COLLSCAN" not in note["planSummary"]


async def test_a_devices_history_reads_what_it_shows(fleet: Fleet, mongo_client: Client, database: str) -> None:
    await fleet.add("till-0", "till-1")
    await fleet.context.store.heartbeats.insert(many_beats(2, 200))
    with profiled(mongo_client, database) as notes:
        start, end = NOW - timedelta(minutes=100), NOW - timedelta(minutes=50)
        found = await fleet.context.store.heartbeats.history(only("acme"), "acme", "till-1", start, end, 10)
    assert [beat.cpu_usage for beat in found] == [float(number) for number in range(51, 61)]
    assert [(note["docsExamined"], note["keysExamined"]) for note in notes] == [(10, 10)]


BEAT: dict[str, Any] = {
    "tenant_id": "acme",
    "device_id": "till-1",
    "lane": 1,
    "timestamp": NOW,
    "received_at": NOW,
    "expire_at": NOW,
}
ALERT: dict[str, Any] = {
    "tenant_id": "acme",
    "rule_key": "hot",
    "dedup_key": "k",
    "status": "open",
    "live": True,
    "severity": "high",
    "first_seen": NOW,
    "last_seen": NOW,
    "version": 1,
}
RULE: dict[str, Any] = {
    "tenant_id": None,
    "key": "hot",
    "name": "Hot",
    "severity": "high",
    "condition": {"family": "absence"},
    "enabled": True,
    "version": 1,
}
GOOD = {"device_heartbeats": BEAT, "provider_alerts": ALERT, "alert_rules": RULE}
LEFT_OUT: Any = "left out"
BAD: list[tuple[str, dict[str, Any]]] = [
    ("device_heartbeats", {"tenant_id": LEFT_OUT}),
    ("device_heartbeats", {"tenant_id": 7}),
    ("device_heartbeats", {"timestamp": "2026-11-21T06:00:00Z"}),
    ("device_heartbeats", {"expire_at": LEFT_OUT}),
    ("device_heartbeats", {"cpu_usage": "hot"}),
    ("provider_alerts", {"status": "OPEN"}),
    ("provider_alerts", {"severity": "awful"}),
    ("provider_alerts", {"live": 1}),
    ("provider_alerts", {"version": LEFT_OUT}),
    ("provider_alerts", {"first_seen": NOW.timestamp()}),
    ("alert_rules", {"enabled": "yes"}),
    ("alert_rules", {"condition": {}}),
    ("alert_rules", {"condition": LEFT_OUT}),
    ("alert_rules", {"severity": None}),
    ("alert_rules", {"tenant_id": ["acme"]}),
]


@pytest.mark.parametrize(("collection", "changed"), BAD, ids=str)
async def test_what_another_program_writes_is_refused_where_it_has_not_our_shape(
    fleet: Fleet, mongo_client: Client, database: str, collection: str, changed: dict[str, Any]
) -> None:
    document = {name: value for name, value in {**GOOD[collection], **changed}.items() if value is not LEFT_OUT}
    with pytest.raises(WriteError) as refused:
        mongo_client[database][collection].insert_one(document)
    assert refused.value.code == 121
    mongo_client[database][collection].insert_one(dict(GOOD[collection]))
