"""Uptime is made of outages, and an outage that was none does not count."""

from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from app.domain.alert import Alert, AlertStatus
from app.domain.uptime import Span, outages, uptime
from tests.alerts.world import an_alert
from tests.cast import NOW, viewer
from tests.domain.making import at
from tests.evaluation.fleet import Fleet
from tests.wire import ask, refusal

UPTIME = """query ($from: DateTime!, $to: DateTime!) {
  device(deviceId: "till-1") { uptime(range: {from: $from, to: $to}) { ratio upSec downSec excludedSec outages } } }"""


def outage(start: float, end: float | None, **fields: object) -> Alert:
    status = AlertStatus.OPEN if end is None else AlertStatus.RESOLVED
    return an_alert(first_seen=at(start), resolved_at=None if end is None else at(end), status=status, **fields)


def test_outages_that_overlap_are_one_and_a_live_one_lasts_until_now() -> None:
    spans = outages([outage(10, 20), outage(15, 30), outage(50, None)], at(60))
    assert spans == [Span(at(10), at(30)), Span(at(50), at(60))]


def test_what_late_beats_disproved_was_no_outage() -> None:
    assert outages([outage(10, 20, details={"disproved": True}), outage(30, 40)], at(60)) == [Span(at(30), at(40))]


moments = st.integers(0, 1_000)
pairs = st.tuples(moments, st.integers(1, 300)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(pairs, pairs | st.none(), st.lists(pairs, max_size=8))
def test_up_down_and_excluded_make_the_range(
    asked: tuple[int, int], counted: tuple[int, int] | None, down: list[tuple[int, int]]
) -> None:
    spans = outages([outage(*one) for one in down], at(2_000))
    found = uptime(span(asked), None if counted is None else span(counted), spans)
    inside = set(range(*asked)) & (set() if counted is None else set(range(*counted)))
    lost = {second for one in down for second in range(*one)} & inside
    assert (found.down_sec, found.up_sec, found.excluded_sec) == (
        len(lost),
        len(inside) - len(lost),
        asked[1] - asked[0] - len(inside),
    )
    assert found.ratio == ((len(inside) - len(lost)) / len(inside) if inside else None)


def span(seconds: tuple[int, int]) -> Span:
    return Span(at(seconds[0]), at(seconds[1]))


async def asked(fleet: Fleet, start: datetime, end: datetime) -> dict[str, float]:
    shown = await ask(fleet.context, viewer, UPTIME, **{"from": start.isoformat(), "to": end.isoformat()})
    found: dict[str, float] = shown["device"]["uptime"]
    return found


async def test_on_the_wire_time_before_the_first_beat_and_after_now_is_excluded(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await fleet.pass_time(100)
    await fleet.beat("till-1")
    await fleet.pass_time(120)
    await fleet.sweep()
    await fleet.pass_time(80)
    await fleet.beat("till-1")
    await fleet.sweep()
    await fleet.pass_time(200)
    assert await asked(fleet, NOW, NOW + timedelta(seconds=600)) == {
        "ratio": 0.8,
        "upSec": 320.0,
        "downSec": 80.0,
        "excludedSec": 200.0,
        "outages": 1,
    }


async def test_a_device_that_was_never_heard_of_has_no_uptime(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await fleet.pass_time(100)
    assert await asked(fleet, NOW, NOW + timedelta(seconds=50)) == {
        "ratio": None,
        "upSec": 0.0,
        "downSec": 0.0,
        "excludedSec": 50.0,
        "outages": 0,
    }


async def test_a_range_that_ends_before_it_begins_is_refused(fleet: Fleet) -> None:
    await fleet.add("till-1")
    refused = await refusal(fleet.context, viewer, UPTIME, **{"from": NOW.isoformat(), "to": NOW.isoformat()})
    assert refused == ("BAD_USER_INPUT", ["range"])
