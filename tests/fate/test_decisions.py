"""When a fall is shared, for how long a telling waits, and when a group is back: the pure part."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.domain.alert import Alert, AlertStatus
from app.domain.fate import (
    HOLD,
    Fallen,
    FateThresholds,
    Group,
    Standing,
    Suspects,
    back,
    decide,
    hold_until,
    is_told,
    window_of,
)
from app.domain.subject import SubjectKind
from tests.alerts.world import an_alert
from tests.domain.making import NOON, at

NORTH = Group("acme", SubjectKind.STORE, "north")
V3 = Group("acme", SubjectKind.VERSION, "3.2.0")
USUAL = FateThresholds()
WINDOW = timedelta(seconds=60)


def fell(*seconds: float, store_id: str | None = "north") -> tuple[Fallen, ...]:
    return tuple(Fallen(at(second), at(second), 1, store_id) for second in seconds)


def shared(group: Group, standing: Standing, *news: float) -> bool:
    fate = decide(group, standing, USUAL, WINDOW, [at(second) for second in news])
    return fate is not None and fate.shared


@pytest.mark.parametrize(("total", "needed"), [(1, 5), (8, 5), (9, 6), (10, 6), (200, 120), (5_000, 3_000)])
def test_sixty_percent_but_five_at_least(total: int, needed: int) -> None:
    assert USUAL.needed(total) == needed


@given(st.integers(0, 100_000), st.integers(1, 100), st.integers(1, 50))
def test_what_is_needed_is_the_least_number_that_makes_the_share(total: int, percent: int, least: int) -> None:
    needed = FateThresholds(ratio=percent / 100, min=least).needed(total)
    assert needed * 100 >= percent * total
    assert needed == least or (needed - 1) * 100 < percent * total


def test_deadlines_within_one_window_count_together() -> None:
    assert shared(NORTH, Standing(total=8, fallen=fell(0, 15, 30, 45, 60)), 60)
    assert not shared(NORTH, Standing(total=8, fallen=fell(0, 15, 30, 45, 61)), 61)


def test_a_window_without_news_is_an_old_story() -> None:
    standing = Standing(total=8, fallen=(*fell(0, 1, 2, 3, 4), *fell(3600)))
    assert not shared(NORTH, standing, 3600)
    assert shared(NORTH, standing, 2)


def test_what_a_late_sweep_finds_is_judged_by_the_deadlines_and_not_by_its_own_time() -> None:
    standing = Standing(total=8, fallen=(*fell(0, 1, 2, 3, 4), *fell(300)))
    assert shared(NORTH, standing, 0, 300)


deadlines = st.lists(st.integers(0, 300), min_size=1, max_size=30)


@given(deadlines, st.integers(0, 29))
def test_the_window_is_the_fullest_of_those_with_news(seconds: list[int], pick: int) -> None:
    news = seconds[pick % len(seconds)]
    fate = decide(NORTH, Standing(total=30, fallen=fell(*seconds)), USUAL, WINDOW, [at(news)])
    counts = [
        sum(1 for one in seconds if end - 60 <= one <= end)
        for end in seconds
        if min(one for one in seconds if end - 60 <= one <= end) <= news <= end
    ]
    assert fate is not None
    assert fate.missed == max(counts)
    assert fate.start <= at(news) <= fate.end
    assert fate.end - fate.start <= WINDOW


@pytest.mark.parametrize(
    ("stores", "is_shared"),
    [(["north"] * 6, False), (["north"] * 5 + ["south"], True), ([None] * 6, True), ([None] * 5 + ["north"], True)],
)
def test_a_version_falls_in_two_stores_or_where_there_are_none(stores: list[str | None], is_shared: bool) -> None:
    fallen = tuple(one for store in stores for one in fell(0, store_id=store))
    assert shared(V3, Standing(total=6, fallen=fallen), 0) is is_shared


def held(standing: Standing, after_sec: float = 120) -> datetime | None:
    return hold_until(NORTH, standing, USUAL, after_sec, NOON, NOON)


def test_a_telling_waits_for_the_last_suspect() -> None:
    suspects = (Suspects(at(35), 4, "north"), Suspects(at(20), 3, "north"))
    assert held(Standing(total=8, fallen=fell(0), suspects=suspects)) == at(35)


def test_a_telling_waits_for_half_the_offline_time_at_most() -> None:
    assert held(Standing(total=8, fallen=fell(0), suspects=(Suspects(at(500), 7, "north"),))) == at(60)


def test_a_telling_does_not_wait_for_a_few_suspects() -> None:
    assert held(Standing(total=200, fallen=fell(0), suspects=(Suspects(at(35), 118, "north"),))) is None


def test_a_telling_waits_for_the_parent_of_what_has_fallen_already() -> None:
    assert held(Standing(total=5, fallen=fell(0, 0, 0, 0, 0))) == NOON + HOLD


def is_back(standing: Standing, seconds: float = 600) -> bool:
    return back(NORTH, standing, USUAL, WINDOW, NOON, at(seconds)) is not None


@pytest.mark.parametrize(
    ("total", "missing", "over"), [(8, 5, False), (8, 4, True), (200, 61, False), (200, 59, True), (200, 0, True), (5, 3, False)]
)
def test_back_is_clearly_under_what_began_it(total: int, missing: int, over: bool) -> None:
    assert is_back(Standing(total=total, fallen=fell(*[10] * missing))) is over


def test_while_more_come_back_the_rest_may_yet() -> None:
    standing = Standing(total=8, fallen=fell(10), returned_at=at(560))
    assert not is_back(standing, 600)
    assert is_back(standing, 620)


def test_nobody_missing_is_back_at_once() -> None:
    assert is_back(Standing(total=8, returned_at=at(600)), 600)


def test_who_was_down_before_does_not_keep_it_open() -> None:
    assert is_back(Standing(total=8, fallen=fell(*[-3600] * 6)))


def test_the_window_is_one_beat_interval() -> None:
    assert window_of(5) == timedelta(seconds=60)
    assert window_of(600) == timedelta(seconds=300)


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        (an_alert(), True),
        (an_alert(parent_id="p"), False),
        (an_alert(telling_held_until=at(10)), False),
        (an_alert(telling_held_until=at(0)), True),
        # It ended before anybody was to be told.
        (an_alert(telling_held_until=at(-10), resolved_at=at(-20), status=AlertStatus.RESOLVED), False),
    ],
)
def test_people_are_told_of_what_is_neither_folded_nor_held(alert: Alert, told: bool) -> None:
    assert is_told(alert, NOON) is told
