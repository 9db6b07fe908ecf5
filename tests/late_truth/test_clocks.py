"""A clock that is wrong by the same for every beat is learnt; a backlog is late."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.domain.clock_skew import LATE, Clock, Place, follow
from app.domain.device import DeviceStatus
from app.errors import BadInputError
from app.realtime.clocks import Clocks
from tests.domain.making import NOON, at
from tests.evaluation.fleet import Fleet

HOUR = timedelta(hours=1)


def run(*beats: tuple[float, float]) -> tuple[Clock, list[Place]]:
    """Beats that came at so many seconds, with the offset of their `sentAt`."""
    clock, places = Clock(), []
    for seconds, offset in beats:
        clock, place = follow(clock, at(seconds + offset), at(seconds))
        places.append(place)
    return clock, places


@given(st.integers(-86_400, 300), st.integers(10, 120), st.lists(st.floats(-2, 2), min_size=5, max_size=20))
def test_a_steady_offset_is_learnt_after_a_few_beats(offset: int, every: int, jitter: list[float]) -> None:
    clock, places = run(*((number * every, offset + one) for number, one in enumerate(jitter)))
    assert clock.skew is not None
    assert abs(clock.skew.total_seconds() - offset) <= 30
    assert not any(place.late for place in places[4:])
    assert all(place.timestamp == at((number + 4) * every) for number, place in enumerate(places[4:]))


@given(st.integers(-86_400, 300), st.integers(31, 3_600), st.integers(6, 60))
def test_a_backlog_is_placed_by_when_it_was_sent_whatever_the_clock_says(skew: int, age: int, spacing: int) -> None:
    clock = Clock(skew=timedelta(seconds=skew))
    kept = list(range(age, LATE.seconds, -spacing))
    for older in kept:
        clock, place = follow(clock, at(skew - older), at(0))
        assert place == Place(at(-older), late=True)
    assert clock.skew == timedelta(seconds=skew)


def test_a_backlog_that_is_sent_within_a_second_teaches_nothing() -> None:
    clock, places = run((0, 0), *((60 + number / 10, -600 + number / 10) for number in range(10)))
    assert clock.skew == timedelta()
    assert all(place.late for place in places[1:])


def test_a_clock_that_is_set_right_is_believed_at_once() -> None:
    clock, places = run(*((number * 30, -3600) for number in range(4)), (120, 0))
    assert clock.skew == timedelta()
    assert places[-1] == Place(at(120), late=False)


async def test_a_device_an_hour_behind_is_neither_late_nor_offline(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await beat_for(fleet, minutes=10, behind=HOUR)
    device = await fleet.device("till-1")
    assert (device.status, device.clock_skew_sec) == (DeviceStatus.ONLINE, -3600)
    assert device.last_seen == fleet.clock.now()
    beats = await fleet.context.store.heartbeats.window("acme", ["till-1"], NOON, fleet.clock.now())
    assert [beat.late for beat in beats["till-1"]][-8:] == [False] * 8
    assert await fleet.told() == []


async def test_a_process_that_starts_anew_knows_the_clock_from_the_database(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await beat_for(fleet, minutes=10, behind=HOUR)
    place, skew = await Clocks().place(fleet.context.store, "acme:till-1", fleet.clock.now() - HOUR, fleet.clock.now())
    assert (place, skew) == (Place(fleet.clock.now(), late=False), -3600)


async def test_a_backlog_of_a_device_with_a_wrong_clock_lands_in_its_place(fleet: Fleet) -> None:
    await fleet.add("till-1")
    await beat_for(fleet, minutes=10, behind=HOUR)
    sent = fleet.clock.now() - timedelta(seconds=200)
    await fleet.pass_time(60)
    await fleet.beat("till-1", sent_at=sent - HOUR)
    beats = await fleet.context.store.heartbeats.window("acme", ["till-1"], sent - timedelta(seconds=1), sent)
    assert [(beat.timestamp, beat.late) for beat in beats["till-1"] if beat.late] == [(sent, True)]


async def test_a_clock_too_far_ahead_is_refused(fleet: Fleet) -> None:
    await fleet.add("till-1")
    with pytest.raises(BadInputError):
        await fleet.beat("till-1", sent_at=fleet.clock.now() + timedelta(seconds=301))


async def beat_for(fleet: Fleet, minutes: int, behind: timedelta) -> None:
    for _ in range(minutes):
        now: datetime = await minute(fleet)
        await fleet.beat("till-1", sent_at=now - behind)
        await fleet.sweep()
    await fleet.context.intake.drain()


async def minute(fleet: Fleet) -> datetime:
    await fleet.pass_time(60)
    return fleet.clock.now()
