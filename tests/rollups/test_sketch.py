"""Sketches: percentiles within 1 %, however the values were split up and put together."""

import math

import pytest
from hypothesis import given, strategies as st

from app.domain.sketch import ACCURACY, MOST_BUCKETS, Sketch, decode_sketch, merge_sketches, sketch_of

FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.lists(FINITE, max_size=60)
SOME = st.lists(FINITE, min_size=1, max_size=60)
WIDE = st.builds(
    lambda first, count, sign: [sign * 1.05**n for n in range(first, first + count)],
    st.integers(-900, 0),
    st.integers(0, 900),
    st.sampled_from([1, -1]),
)
SHARE = st.floats(0, 1)


def nearest_rank(values: list[float], q: float) -> float:
    return sorted(values)[max(1, math.ceil(q * len(values))) - 1]


@given(SOME, SHARE)
def test_a_quantile_is_within_its_bound_of_the_true_value(values: list[float], q: float) -> None:
    true = nearest_rank(values, q)
    assert sketch_of(values).quantile(q) == pytest.approx(true, rel=ACCURACY * (1 + 1e-6), abs=1e-320)


@given(VALUES, VALUES)
def test_merging_is_counting_everything_at_once(one: list[float], other: list[float]) -> None:
    assert merge_sketches([sketch_of(one), sketch_of(other)]) == sketch_of(one + other)


@given(VALUES, VALUES, VALUES)
def test_the_order_of_merging_makes_no_difference(a: list[float], b: list[float], c: list[float]) -> None:
    one, two, three = sketch_of(a), sketch_of(b), sketch_of(c)
    forth = merge_sketches([merge_sketches([one, two]), three])
    assert forth == merge_sketches([one, merge_sketches([two, three])]) == merge_sketches([three, one, two])


@given(WIDE, WIDE, WIDE)
def test_a_sketch_stays_small_and_still_merges_exactly(one: list[float], other: list[float], third: list[float]) -> None:
    whole = sketch_of(one + other + third)
    assert len(whole.counts) <= MOST_BUCKETS
    first = merge_sketches([sketch_of(one), sketch_of(other)])
    assert merge_sketches([first, sketch_of(third)]) == whole
    assert whole.total == len(one) + len(other) + len(third)


def test_where_a_sketch_is_full_the_highest_values_keep_their_precision() -> None:
    values = [1.05**n for n in range(-2_000, 2_000)]
    assert len(sketch_of(values).counts) == MOST_BUCKETS
    for q in (0.8, 0.95, 0.99, 1):
        assert sketch_of(values).quantile(q) == pytest.approx(nearest_rank(values, q), rel=ACCURACY * (1 + 1e-6))


@given(VALUES)
def test_a_sketch_survives_being_written_down(values: list[float]) -> None:
    sketch = sketch_of(values)
    assert decode_sketch(sketch.encode()) == sketch
    assert len(sketch.encode()) == 8 * len(sketch.counts)


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        Sketch().quantile(0.5)


def test_the_largest_the_smallest_and_zero_have_a_place() -> None:
    values = [-1.7976931348623157e308, -5e-324, 0.0, 5e-324, 1.7976931348623157e308]
    sketch = sketch_of(values)
    assert len(sketch.counts) == 5
    assert [sketch.quantile(q) < 0 for q in (0.2, 0.4, 0.6, 0.8, 1)] == [True, True, False, False, False]
    assert math.isfinite(sketch.quantile(1))
