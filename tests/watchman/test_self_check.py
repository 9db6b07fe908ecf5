"""What is late, and the watch from one look to the next, as pure functions of time."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.domain.self_check import (
    DELIVERIES_LATE,
    LEAST_LATE_SEC,
    LONGEST_WAIT_SEC,
    Facts,
    TickFact,
    Trouble,
    is_late,
    is_well,
    troubles,
)
from app.domain.watch import LAPSE, MOST_TELLINGS, WELL_FOR, News, Watch, look, told
from tests.cast import NOW

LONG_AGO = NOW - timedelta(days=1)


def facts(**values: Any) -> Facts:
    """All is well, but for these."""
    return Facts(
        **{"watched_since": LONG_AGO, "ticks": (), "rule_tick_sec": 15, "judged_until": NOW, "api_alive_at": NOW, **values}
    )


def trouble(subject: str) -> Trouble:
    return Trouble(rule_key=DELIVERIES_LATE, subject=subject, text=subject, late_sec=61, bound_sec=60)


@pytest.mark.parametrize(("interval", "late"), [(0.1, 10), (1, 10), (3, 10), (5, 15), (15, 45), (60, 180)])
def test_a_tick_is_late_by_three_intervals_and_never_before_ten_seconds(interval: float, late: float) -> None:
    assert not is_late(NOW - timedelta(seconds=late), interval, NOW)
    assert is_late(NOW - timedelta(seconds=late + 0.001), interval, NOW)


def test_a_platform_that_is_well_has_no_trouble() -> None:
    tick = TickFact(name="sweep", interval_sec=1, ended_at=NOW)
    assert troubles(facts(ticks=(tick,), oldest_delivery_sec=LONGEST_WAIT_SEC), NOW) == []


def test_every_trouble_is_found_and_said_in_words() -> None:
    late = facts(
        ticks=(TickFact(name="sweep", interval_sec=1, ended_at=NOW - timedelta(seconds=14.2)),),
        judged_until=NOW - timedelta(seconds=50),
        oldest_delivery_sec=75,
        api_alive_at=NOW - timedelta(seconds=61),
    )
    assert [one.text for one in troubles(late, NOW)] == [
        "the sweep tick is late: 14.2 s, its interval is 1 s",
        "judging is late: 50.0 s behind, it should be at most 15 s",
        "the oldest delivery waits for 75 s, over 60 s",
        "no API process has given a sign of life for 61 s: no beat comes in, and no device is judged",
    ]


@given(age=st.floats(0, 1e6), watched=st.floats(0, 1e6), interval=st.floats(0.1, 3600))
def test_what_was_before_anybody_looked_is_no_trouble(age: float, watched: float, interval: float) -> None:
    tick = TickFact(name="sweep", interval_sec=interval, ended_at=NOW - timedelta(seconds=age))
    found = troubles(facts(watched_since=NOW - timedelta(seconds=watched), ticks=(tick,)), NOW)
    assert not found or watched >= LEAST_LATE_SEC


def test_what_was_not_seen_in_time_yet_is_no_trouble_and_not_well_either() -> None:
    started = facts(watched_since=NOW, ticks=(TickFact(name="sweep", interval_sec=1, ended_at=None),))
    assert troubles(started, NOW) == []
    assert not is_well(started, NOW)
    assert is_well(facts(ticks=(TickFact(name="sweep", interval_sec=1, ended_at=NOW),)), NOW)


Step = tuple[float, set[str]]
STEPS = st.lists(st.tuples(st.floats(1, 90), st.sets(st.sampled_from("abc"))), max_size=40)


@given(STEPS)
def test_each_trouble_begins_and_ends_in_turn_and_each_is_told_once(steps: list[Step]) -> None:
    now, watch, said = NOW, None, list[tuple[News, str]]()
    for seconds, names in steps:
        now += timedelta(seconds=seconds)
        watch = look(watch, [trouble(name) for name in sorted(names)], True, now)
        for telling in watch.tellings:
            said += [(telling.news, one.trouble.subject) for one in telling.troubles]
            watch = told(watch, telling)
        assert watch.tellings == ()
        assert names <= {one.trouble.subject for one in watch.ongoing}
    for name in "abc":
        of_one = [news for news, subject in said if subject == name]
        assert of_one == [News.TROUBLE, News.WELL] * (len(of_one) // 2) + [News.TROUBLE] * (len(of_one) % 2)


@given(STEPS)
def test_a_trouble_ends_only_once_nothing_was_found_of_it_for_half_a_minute(steps: list[Step]) -> None:
    now, watch, found_at = NOW, None, dict[str, Any]()
    for seconds, names in steps:
        now += timedelta(seconds=seconds)
        found_at.update(dict.fromkeys(names, now))
        watch = look(watch, [trouble(name) for name in sorted(names)], True, now)
        for _, name in watch.ended:
            assert now - found_at[name] >= WELL_FOR


@given(STEPS)
def test_an_alert_keeps_its_id_while_its_trouble_goes_on(steps: list[Step]) -> None:
    now, watch, ids = NOW, Watch(since=NOW, looked_at=NOW), dict[str, str]()
    for seconds, names in steps:
        now += timedelta(seconds=seconds)
        watch = look(watch, [trouble(name) for name in sorted(names)], True, now)
        after = {one.trouble.subject: one.alert_id for one in watch.ongoing}
        assert all(after[name] == ids[name] for name in ids.keys() & after.keys())
        ids = after


def test_who_did_not_look_for_a_minute_begins_anew_but_forgets_no_trouble() -> None:
    first = look(None, [trouble("a")], True, NOW)
    near, far = NOW + LAPSE, NOW + LAPSE + timedelta(seconds=1)
    assert look(first, [], True, near).since == NOW
    assert look(first, [], True, far).since == far
    assert [one.alert_id for one in look(first, [trouble("a")], True, far).ongoing] == [one.alert_id for one in first.ongoing]


def test_what_there_is_to_say_to_a_receiver_that_never_answers_has_an_end() -> None:
    watch, now = None, NOW
    for number in range(3 * MOST_TELLINGS):
        now += WELL_FOR
        watch = look(watch, [trouble(str(number))], True, now)
    assert watch is not None
    assert len(watch.tellings) == MOST_TELLINGS
    assert watch.tellings[-1].at == now
