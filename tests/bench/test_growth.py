"""What the curves of growth say is put together rightly, and docs/scaling.md says what they and the indexes say."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.domain.ids import LANES, lane_of
from app.store.indexes import INDEXES
from bench.growth.failover import Failover
from bench.growth.fleet import TENANTS, has_version, name
from bench.growth.model import costs, needs
from bench.growth.slopes import line
from bench.growth.table import GROWTH, SCALING, TABLES, marks, written
from bench.results import read

TEXT = SCALING.read_text()
MEASURED = read(GROWTH)
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \|", re.MULTILINE)


def test_a_line_goes_through_what_lies_on_it() -> None:
    found = line([(0, 5.0), (10, 25.0), (100, 205.0)])
    assert (round(found.fixed, 6), round(found.each, 6)) == (5, 2)


def test_one_point_is_no_line() -> None:
    with pytest.raises(ValueError, match="one place"):
        line([(10, 1.0), (10, 2.0)])


def test_every_lane_has_the_same_share_of_a_fleet() -> None:
    assert [lane_of(tenant) for tenant in TENANTS] == list(range(LANES))
    lanes = [lane_of(name(number)[0]) for number in range(LANES * 20)]
    assert {lanes.count(lane) for lane in range(LANES)} == {20}


def test_one_device_in_ten_has_the_version_in_every_lane() -> None:
    of_version = [lane_of(name(number)[0]) for number in range(LANES * 20) if has_version(number)]
    assert sorted(of_version) == sorted([*range(LANES), *range(LANES)])


def test_the_document_holds_the_tables_of_what_was_measured() -> None:
    assert written(TEXT, MEASURED) == TEXT
    assert marks(TEXT) == [*dict.fromkeys(marks(TEXT))]
    assert set(marks(TEXT)) == set(TABLES)


def test_a_document_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="growth:machine"):
        written("nothing here", MEASURED)


def test_twice_the_devices_need_twice_of_everything() -> None:
    one, two = needs(MEASURED, 1_000_000), needs(MEASURED, 2_000_000)
    for field in one.__struct_fields__:
        assert getattr(two, field) == pytest.approx(2 * getattr(one, field)), field


def test_a_tick_costs_what_changed_and_not_what_is_there() -> None:
    found = costs(MEASURED)
    largest = MEASURED["devices"][-1]["devices"]
    assert largest >= 100_000
    # What all idle devices together add to a tick is less than a thousand devices that beat.
    assert found.device_idle.each * largest < 1_000 * max(found.changed.each, 1) + found.changed.fixed
    assert found.changed.each > 10 * abs(found.device_idle.each)


def test_the_drill_lost_nothing() -> None:
    drill = MEASURED["failover"]
    assert Failover(**drill).faults() == []
    assert drill["killed"] == ["primary", "worker", "api", "worker"]
    # Three subscribers, each told of every device that it opened and that it resolved.
    assert drill["streams"]["events"] == 3 * 2 * drill["silent"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("alerts", 79), ("alerts_twice", 1), ("alerts_of_the_living", 1), ("lost_beats", 1), ("unresolved", 1)],
)
def test_whatever_a_drill_loses_is_a_fault(field: str, value: int) -> None:
    [fault] = Failover(**{**MEASURED["failover"], field: value}).faults()
    assert fault.startswith(f"{field}: {value}")


@pytest.mark.parametrize("kind", ["twice", "disordered", "missed", "resyncs"])
def test_whatever_a_subscriber_misses_is_a_fault(kind: str) -> None:
    drill = MEASURED["failover"]
    assert Failover(**{**drill, "streams": {**drill["streams"], kind: 2}}).faults() == [f"streams: 2 {kind}"]


def shard_keys() -> dict[str, list[str] | None]:
    """Of every collection in the document's table; None where it is not sharded."""
    table = TEXT[TEXT.index("| Collection | Shard key |") :].partition("\n\n")[0]
    return {collection: None if key == "not sharded" else re.findall(r"`(\w+)`", key) for collection, key in ROW.findall(table)}


def test_every_collection_has_its_shard_key_or_is_said_to_have_none() -> None:
    assert shard_keys().keys() == INDEXES.keys()


def test_every_unique_index_begins_with_the_shard_key() -> None:
    for collection, key in shard_keys().items():
        for index in INDEXES[collection]:
            described: dict[str, Any] = index.document
            if key is not None and described.get("unique"):
                assert list(described["key"])[: len(key)] == key, (collection, described["name"])


def test_what_is_sharded_is_sharded_by_the_commands_of_the_document() -> None:
    commands = TEXT[TEXT.index("```js") :].partition("```\n")[0]
    for collection, key in shard_keys().items():
        assert (f'"{collection}"' in commands or f"fleetbeat.{collection}" in commands) is (key is not None), collection


def test_the_document_names_the_programs_that_there_are() -> None:
    root = Path(__file__).parents[2]
    for path in ("docker-compose.scale.yml", "deploy/haproxy.cfg", "deploy/replica-set.js", "app/domain/ids.py"):
        assert path in TEXT
        assert (root / path).exists()
    assert "bench-growth" in (root / "Makefile").read_text()
