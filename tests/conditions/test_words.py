"""How reasons name figures."""

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.words import amount, counted, duration, percent
from app.domain.operational_event import EventKind


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 s"),
        (90, "90 s"),
        (60, "1 min"),
        (3600, "60 min"),
        (5400, "90 min"),
        (7200, "2 h"),
        (86_400, "24 h"),
        (172_800, "2 d"),
        (604_800, "7 d"),
    ],
)
def test_a_duration_is_named_in_its_largest_whole_unit(seconds: int, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_has_a_word_for_one_and_for_many(kind: EventKind) -> None:
    assert counted(kind, 1).startswith("1 ")
    assert counted(kind, 1) != counted(kind, 2).replace("2", "1")
    assert counted(kind, 1_200).startswith("1,200 ")


@pytest.mark.parametrize(("share", "words"), [(0, "0 %"), (0.07, "7 %"), (8 / 60, "13.3 %"), (1, "100 %"), (0.0004, "0.04 %")])
def test_a_share_is_shown_in_percent(share: float, words: str) -> None:
    assert percent(share) == words


@given(some.floats(-1e12, 1e12), some.floats(-1e12, 1e12))
def test_two_different_figures_never_look_the_same(one: float, other: float) -> None:
    assert (amount(one, beside=other) == amount(other, beside=one)) == (one == other)
