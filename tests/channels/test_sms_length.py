"""What a text costs."""

import pytest
from hypothesis import given, strategies as st

from app.channels.sms_length import Length, length_of


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", Length(0, 1, "GSM-7")),
        ("x" * 160, Length(160, 1, "GSM-7")),
        ("x" * 161, Length(161, 2, "GSM-7")),
        ("x" * 306, Length(306, 2, "GSM-7")),
        ("x" * 307, Length(307, 3, "GSM-7")),
        ("Läden: 5 €", Length(11, 1, "GSM-7")),
        ("a · b", Length(5, 1, "UCS-2")),
        ("ж" * 70, Length(70, 1, "UCS-2")),
        ("ж" * 71, Length(71, 2, "UCS-2")),
        ("🔴" * 35, Length(70, 1, "UCS-2")),
    ],
)
def test_a_text_is_counted_as_it_is_billed(text: str, length: Length) -> None:
    assert length_of(text) == length


@given(st.text(max_size=700))
def test_a_longer_text_never_costs_less(text: str) -> None:
    assert length_of(text + "x").segments >= length_of(text).segments >= 1
