"""Cursors: read back as they were written, or refused."""

import pytest
from hypothesis import given, strategies as some

from app.domain.cursor import StreamCursor, read_cursor, write_cursor
from app.errors import BadInputError


@given(
    some.text("0123456789abcdef", min_size=8, max_size=8),
    some.integers(0, 2**45),
    some.dictionaries(some.integers(0, 15), some.integers(0, 2**50)),
)
def test_a_cursor_is_read_as_it_was_written(epoch: str, issued: int, positions: dict[int, int]) -> None:
    cursor = StreamCursor(epoch, issued, positions)
    assert read_cursor(write_cursor(cursor)) == cursor


@given(some.text(max_size=80))
def test_whatever_is_no_cursor_is_refused_as_bad_input(text: str) -> None:
    with pytest.raises(BadInputError, match="after: is not a cursor"):
        read_cursor(f"!{text}")


@pytest.mark.parametrize("positions", [{16: 1}, {-1: 1}, {0: -1}])
def test_lanes_and_positions_that_cannot_be_are_refused(positions: dict[int, int]) -> None:
    with pytest.raises(BadInputError):
        read_cursor(write_cursor(StreamCursor("00000000", 0, positions)))
