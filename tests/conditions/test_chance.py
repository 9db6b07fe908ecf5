"""How likely so many are by chance alone."""

import math

import pytest
from hypothesis import given, strategies as some

from app.domain.conditions.chance import chance_of_count, chance_of_hits


@pytest.mark.parametrize(("hits", "total", "share"), [(1, 10, 0.01), (3, 13, 0.007), (8, 60, 0.02), (60, 60, 0.5)])
def test_hits_are_as_probable_as_all_ways_to_have_them(hits: int, total: int, share: float) -> None:
    ways = sum(math.comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(hits, total + 1))
    assert chance_of_hits(hits, total, share) == pytest.approx(ways)


def test_one_failure_of_ten_is_nothing_where_one_of_a_hundred_is_usual() -> None:
    assert chance_of_hits(1, 10, 0.01) == pytest.approx(1 - 0.99**10)
    assert chance_of_hits(5, 10, 0.01) < 1e-5


def test_no_more_hits_than_expected_are_no_surprise() -> None:
    assert chance_of_hits(5, 100, 0.05) == 1


def test_nine_where_one_is_usual_may_be_chance_and_twelve_hardly() -> None:
    assert chance_of_count(9, [1] * 7) > 1e-5 > chance_of_count(13, [1] * 7)


def test_a_count_without_any_history_says_nothing() -> None:
    assert chance_of_count(5, []) == 1


@given(count=some.integers(1, 400), like=some.lists(some.integers(0, 60), min_size=1, max_size=28))
def test_counts_are_as_probable_as_all_that_are_at_least_as_large(count: int, like: list[int]) -> None:
    shape, windows = sum(like) + 1, len(like)
    below = math.fsum(
        math.exp(math.lgamma(n + shape) - math.lgamma(n + 1) - math.lgamma(shape) - n * math.log(windows + 1))
        * (windows / (windows + 1)) ** shape
        for n in range(count)
    )
    found = chance_of_count(count, like)
    assert 0 <= found <= 1
    if count * windows > shape:
        assert found == pytest.approx(1 - below, abs=1e-9)


@given(hits=some.integers(1, 500), more=some.integers(0, 100_000), share=some.floats(1e-6, 1 - 1e-6))
def test_more_hits_are_never_more_probable(hits: int, more: int, share: float) -> None:
    total = hits + 1 + more
    assert 0 <= chance_of_hits(hits + 1, total, share) <= chance_of_hits(hits, total, share) * (1 + 1e-9) <= 1 + 1e-9
