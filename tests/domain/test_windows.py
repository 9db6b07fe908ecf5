"""Windows that are kept from look to look hold what a window that is read anew would hold."""

from typing import Any

from hypothesis import given, strategies as st

from app.domain.windows import LaneWindows, Windows
from tests.domain.making import at

TILL = ("acme", "till-1")
CPU = frozenset({"cpuUsage"})
BOTH = frozenset({"cpuUsage", "queue"})


def reading(number: int, seconds: float, cpu: float | None = None, device: str = "till-1", **named: float) -> dict[str, Any]:
    return {
        "_id": f"{device}:{number}",
        "tenant_id": "acme",
        "device_id": device,
        "timestamp": at(seconds),
        "cpu_usage": cpu,
        "metrics": [{"name": name, "value": value} for name, value in named.items()],
    }


def kept(*readings: dict[str, Any], since: float = 0, metrics: frozenset[str] = CPU) -> LaneWindows:
    windows = LaneWindows()
    windows.put([TILL], at(since), metrics, readings)
    return windows


def values(windows: LaneWindows, after: float, until: float, metric: str = "cpuUsage") -> list[float]:
    return sorted(windows.values(TILL, metric, at(after), at(until)))


def test_what_comes_is_added_once_and_in_its_place() -> None:
    windows = kept(reading(1, 10, 40.0))
    windows.add([reading(1, 10, 40.0), reading(2, 20, 60.0), reading(3, 5, 20.0), reading(4, 20, 99.0, device="till-2")])
    assert values(windows, 0, 30) == [20, 40, 60]
    assert values(windows, 5, 19) == [40]


def test_what_is_older_than_the_window_is_dropped_and_never_comes_back() -> None:
    windows = kept(reading(1, 10, 40.0), reading(2, 20, 60.0))
    assert windows.missing({TILL: at(10)}, CPU) == {}
    windows.add([reading(3, 9, 1.0)])
    assert values(windows, 0, 30) == [60]


def test_a_longer_window_and_a_gauge_that_nobody_asked_for_before_are_missing() -> None:
    windows = kept(reading(1, 10, 40.0), since=5)
    assert windows.missing({TILL: at(5)}, CPU) == {}
    assert windows.missing({TILL: at(4)}, CPU) == {TILL: at(4)}
    assert windows.missing({TILL: at(6)}, BOTH) == {TILL: at(6)}
    assert windows.missing({("acme", "till-2"): at(6)}, CPU) == {("acme", "till-2"): at(6)}


def test_named_gauges_are_kept_as_those_with_a_field_and_a_beat_without_either_says_nothing() -> None:
    windows = kept(reading(1, 1, queue=7.0), reading(2, 2, 50.0), reading(3, 3), metrics=BOTH)
    assert values(windows, 0, 9, "queue") == [7]
    assert values(windows, 0, 9) == [50]


def test_devices_that_nobody_looks_at_are_forgotten_and_so_is_what_is_too_much() -> None:
    windows = kept(reading(1, 1, 1.0), reading(2, 2, 2.0))
    windows.put([("acme", "till-2")], at(0), CPU, [reading(1, 1, 1.0, device="till-2")])
    windows.shrink(most=2)
    assert len(windows) == 1
    assert windows.missing({TILL: at(0)}, CPU) == {}
    windows.shrink()
    assert len(windows) == 1
    windows.shrink()
    assert len(windows) == 0


def test_what_is_left_is_for_the_one_look_that_goes_on_from_there() -> None:
    left = Windows()
    left.leave(3, at(15), kept(reading(1, 10, 40.0)))
    assert len(left.take(3, at(15))) == 1
    assert len(left.take(3, at(15))) == 0
    left.leave(3, at(30), kept(reading(1, 10, 40.0)))
    assert len(left.take(3, at(45))) == 0  # another worker has looked since
    left.leave(3, at(45), kept(reading(1, 10, 40.0)))
    assert len(left.take(3, None)) == 0


def test_what_is_not_whole_is_not_left() -> None:
    left, windows = Windows(), kept(reading(1, 10, 40.0))
    windows.whole = False
    left.leave(3, at(15), windows)
    assert len(left.take(3, at(15))) == 0


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 60), st.integers(0, 9)), max_size=40),
    st.lists(st.integers(1, 30), min_size=1, max_size=8),
    st.integers(5, 50),
)
def test_a_kept_window_is_the_one_that_would_be_read(beats: list[tuple[int, int, int]], steps: list[int], span: int) -> None:
    """Each beat comes at a time and speaks of one up to a minute before; looks overlap."""
    come = [(came, reading(number, came - late, float(value))) for number, (came, late, value) in enumerate(beats)]
    windows, now, last = LaneWindows(), -1, -100
    for step in steps:
        now += step
        windows.add([one for came, one in come if last - 5 < came <= now])
        after = at(now - span)
        there = [one for came, one in come if came <= now and after < one["timestamp"] <= at(now)]
        for pair, since in windows.missing({TILL: after}, CPU).items():
            windows.put([pair], since, CPU, there)
        assert sorted(windows.values(TILL, "cpuUsage", after, at(now))) == sorted(one["cpu_usage"] for one in there)
        last = now


def test_an_end_of_a_window_belongs_to_it_and_its_beginning_does_not() -> None:
    windows = kept(reading(1, 10, 1.0), reading(2, 20, 2.0), since=5)
    assert values(windows, 10, 20) == [2.0]
