"""What is measured is what it says: the product's own way but for the database, and peers that are pinned."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.clock import ManualClock
from app.domain.beat_input import BeatInput
from app.domain.device import DeviceStatus
from app.heartbeats import record, record_many
from bench.peers.at_once import AtOnce
from tests.cast import NOW, open_test_context, owner

PEERS = Path(__file__).parents[2] / "bench" / "peers"


async def test_the_intake_of_the_bench_says_yes_by_the_use_cases_of_the_product(
    mongo_uri: str, redis_url: str, database: str
) -> None:
    async with open_test_context(mongo_uri, redis_url, database, ManualClock(NOW)) as context:
        at_once = replace(context, intake=AtOnce(context.store, context.bus, context.clock))
        one = await record(at_once, owner, BeatInput(device_id="till-7"))
        many = await record_many(at_once, owner, [BeatInput(device_id="till-7"), BeatInput(device_id="till-8")])
        stored = await context.mongo.database["device_heartbeats"].count_documents({})
    assert (one.accepted, one.status, one.next_within_sec) == (True, DeviceStatus.ONLINE, 60)
    assert (many.accepted, many.rejected) == (2, [])
    assert stored == 0


def test_peers_in_node_are_pinned_and_name_no_host() -> None:
    lock = (PEERS / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
    assert all(re.fullmatch(r"[\d.]+", one) for one in re.findall(r'": "([^"]*\d[^"]*)",?\n', _dependencies()))


def _dependencies() -> str:
    return (PEERS / "package.json").read_text().partition('"dependencies"')[2]


@pytest.mark.parametrize("line", (PEERS / "alerta" / "requirements.txt").read_text().splitlines())
def test_alerta_is_pinned(line: str) -> None:
    assert re.fullmatch(r"[\w.\-]+==[\w.]+", line)
