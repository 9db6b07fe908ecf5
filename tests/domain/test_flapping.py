"""Flapping, by Nagios' formula."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.domain.flapping import BEGINS, ENDS, STATE, STATES, calm_at, forgotten_at, is_flapping, share, still_counted
from tests.domain.making import at

SLOT = STATE.total_seconds()
turns = st.lists(st.integers(0, 4_000), min_size=1, max_size=STATES, unique=True).map(
    lambda found: [at(s) for s in sorted(found)]
)


def test_twenty_changes_in_a_row_are_all_of_it() -> None:
    assert share([at(s) for s in range(STATES)], at(STATES)) == pytest.approx(1)


def test_one_change_just_now_weighs_most() -> None:
    assert share([at(0)], at(0)) == pytest.approx(1.2 / 20)


def test_an_old_change_weighs_least_and_then_nothing() -> None:
    assert share([at(0)], at(19 * SLOT)) == pytest.approx(0.8 / 20)
    assert share([at(0)], at(20 * SLOT)) == 0


@pytest.mark.parametrize(("changes", "flapping"), [(5, False), (6, True)])
def test_three_outages_in_quick_succession_are_flapping_and_two_and_a_half_are_not(changes: int, flapping: bool) -> None:
    assert is_flapping([at(s) for s in range(changes)], at(changes), was=False) is flapping


def test_between_the_two_bounds_it_stays_what_it_was() -> None:
    five = [at(s) for s in range(5)]
    assert ENDS < share(five, at(5)) < BEGINS
    assert is_flapping(five, at(5), was=True)
    assert not is_flapping(five, at(5), was=False)


@given(turns)
def test_it_is_calm_at_the_time_that_was_said_and_not_a_state_before(found: list[datetime]) -> None:
    now = found[-1]
    when = calm_at(found, now)
    assert not is_flapping(found, when, was=True)
    before = when - STATE
    assert before < now or before == now or is_flapping(found, before, was=True)


@given(turns, st.integers(0, 10_000))
def test_what_is_forgotten_never_mattered(found: list[datetime], later: int) -> None:
    now = found[-1] + timedelta(seconds=later)
    assert share(still_counted(found, now), now) == pytest.approx(share(found, now))
    assert (still_counted(found, now) == ()) is (now >= forgotten_at(found))
