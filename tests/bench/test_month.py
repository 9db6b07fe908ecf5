"""The labelled month: the same from the same seed, with seasons by the clock on the wall, and blind to how it is judged."""

import ast
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import bench.accuracy
from bench.accuracy.calendar import DAY, END, HOUR, START, ZONES
from bench.accuracy.events import Stream
from bench.accuracy.fleet import SERVICES, Shop
from bench.accuracy.gauges import GAUGES, Telemetry
from bench.accuracy.generate import Month, month
from bench.accuracy.incidents import Silence

SEED = 7
BLIND = ("calendar", "fleet", "incidents", "gauges", "events", "services", "generate")


@pytest.fixture(scope="module")
def whole() -> Month:
    return month(SEED)


@pytest.fixture(scope="module")
def sales(whole: Month) -> list[tuple[Shop, Stream]]:
    """Of one shop in each zone, without the sales at night that are incidents."""
    shops = [next(shop for shop in whole.shops if shop.zone == zone) for zone in ZONES]
    quiet = Month(whole.seed, whole.shops, [])
    return [(shop, quiet.events(shop, "sale")) for shop in shops]


def said(telemetry: Telemetry) -> list[bytes]:
    values = ([telemetry.gauge(name).value(at) for at in telemetry.beats[:200]] for name in GAUGES)
    return [telemetry.beats.tobytes(), repr(list(values)).encode()]


def everything(of: Month) -> list[object]:
    shop = of.shops[3]
    return [
        of.shops,
        of.incidents,
        said(of.telemetry(shop, shop.machines[0])),
        of.events(shop, "payment").times.tobytes(),
        of.webhooks("tenant-1").times.tobytes(),
        of.states("tenant-1", SERVICES[0]),
    ]


def test_the_same_seed_makes_the_same_month(whole: Month) -> None:
    assert everything(whole) == everything(month(SEED))


def test_another_seed_makes_another_month(whole: Month) -> None:
    assert all(one != other for one, other in zip(everything(whole), everything(month(SEED + 1)), strict=True))


@pytest.mark.parametrize("name", BLIND)
def test_whoever_makes_the_month_knows_nothing_of_the_product(name: str) -> None:
    [folder] = bench.accuracy.__path__
    tree = ast.parse((Path(folder) / f"{name}.py").read_text(encoding="utf-8"))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    known = {f"bench.accuracy.{one}" for one in BLIND} | {"bench.accuracy"}
    assert all(one in known for one in imported if one.startswith(("app", "bench")))


def test_there_are_500_devices_and_40_incidents(whole: Month) -> None:
    names = {machine.id for shop in whole.shops for machine in shop.machines}
    assert (len(names), len(whole.shops), len(whole.incidents)) == (500, 25, 40)
    assert all(START < one.start < one.end < END for one in whole.incidents)


def test_the_month_holds_changes_of_the_clock_both_ways() -> None:
    def offsets(zone: str) -> list[float]:
        moments = (datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)) for at in (START, END - 1))
        return [offset.total_seconds() / HOUR for at in moments if (offset := at.utcoffset()) is not None]

    changes = {zone: offsets(zone)[1] - offsets(zone)[0] for zone in ZONES}
    assert sorted(changes.values()) == [-1, 0, 1, 1, 1]


def test_shops_sell_between_the_same_hours_on_the_wall_before_and_after_a_change(sales: list[tuple[Shop, Stream]]) -> None:
    for shop, stream in sales:
        for first, last in ((START, START + DAY), (END - 2 * DAY, END)):
            local = [datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(shop.zone)) for at in stream.times if first <= at < last]
            seconds = [at.hour * HOUR + at.minute * 60 + at.second for at in local]
            assert shop.opens <= min(seconds) < shop.opens + HOUR
            assert shop.closes - HOUR < max(seconds) < shop.closes


def test_saturdays_are_busier_than_sundays(sales: list[tuple[Shop, Stream]]) -> None:
    for shop, stream in sales:
        days = Counter(datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(shop.zone)).weekday() for at in stream.times)
        assert days[5] > 1.5 * days[6]


def test_gauges_follow_the_day(whole: Month) -> None:
    shop = whole.shops[0]
    cpu = whole.telemetry(shop, next(one for one in shop.machines if not one.hot)).gauge("cpu")

    def mean(hour: int) -> float:
        """Of three weeks, on the wall of Berlin in winter."""
        times = [START + day * DAY + (hour - 1) * HOUR + minute * 60 for day in range(21) for minute in range(60)]
        return sum(cpu.value(at) for at in times) / len(times)

    assert mean(17) > mean(3) + 10


def test_what_is_over_a_bound_is_found_without_working_out_the_rest(whole: Month) -> None:
    shop = whole.shops[0]
    telemetry = whole.telemetry(shop, shop.machines[2])
    for name in GAUGES:
        values = [telemetry.gauge(name).value(at) for at in telemetry.beats]
        bound = sorted(values)[-40]
        assert telemetry.gauge(name).over(bound, telemetry.beats) == [n for n, value in enumerate(values) if value > bound]


def test_beats_stop_in_an_outage_and_hardly_ever_else(whole: Month) -> None:
    outage = next(one for one in whole.incidents if isinstance(one.effect, Silence) and len(one.effect.machines) == 1)
    assert isinstance(outage.effect, Silence)
    [shop, machine] = next((shop, one) for shop in whole.shops for one in shop.machines if one.id in outage.effect.machines)
    beats = whole.telemetry(shop, machine).beats
    assert not [at for at in beats if outage.start <= at < outage.end]
    assert [at for at in beats if outage.end <= at <= outage.end + 5]
    gaps = [later - at for at, later in pairwise(beats)]
    assert sum(gap > 120 for gap in gaps) <= 2
    assert sum(gap > 70 for gap in gaps) > 5
