import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from schema.json_body import MalformedJsonError, UnsafeJsonError, decode, encode_text

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


@given(values)
def test_all_json_is_read_as_it_was_written(value: Any) -> None:
    assert decode(json.dumps(value)) == value
    assert decode(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        expected = MalformedJsonError
    if expected is MalformedJsonError:
        with pytest.raises(MalformedJsonError):
            decode(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"variables": {"input": {"cpuUsage": NaN}}}', "variables.input.cpuUsage"),
        ('{"a": [0, -Infinity]}', "a[1]"),
        ('{"a": [{"b": 1e999}]}', "a[0].b"),
        ('{"a": -1e999}', "a"),
        ('{"a": "\\ud800"}', "a"),
        ('{"a": "\\udc00x"}', "a"),
        ('{"a": {"b": 1, "b": 2}}', "a.b"),
        ("NaN", ""),
        ('{"a": ' + "1" * 5_000 + "}", "a"),
    ],
)
def test_what_is_no_value_is_named_by_its_path(text: str, path: str) -> None:
    with pytest.raises(UnsafeJsonError) as refused:
        decode(text)
    assert [field.path for field in refused.value.fields] == [path]


def test_all_bad_values_are_named_at_once_and_the_rest_is_kept() -> None:
    with pytest.raises(UnsafeJsonError) as refused:
        decode(b'{"id": "1", "a": NaN, "b": [1, Infinity]}')
    assert [field.path for field in refused.value.fields] == ["a", "b[1]"]
    assert refused.value.lenient == {"id": "1", "a": None, "b": [1, None]}


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b"[" * 100_000, b"{'a': 1}", b'{"a": 1} x', b"\xef\xbb\xbf{}", '"\ud800"', b"01"]
)
def test_what_is_no_json_is_refused(text: bytes | str) -> None:
    with pytest.raises((MalformedJsonError, UnsafeJsonError)):
        decode(text)


def test_a_surrogate_in_a_key_is_refused() -> None:
    with pytest.raises(UnsafeJsonError):
        decode('{"a": {"\\ud800": 1}}')


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert decode('"\\ud83e\\uddc0"') == "🧀"


def test_frames_are_text() -> None:
    assert encode_text({"a": "Käse"}) == '{"a":"Käse"}'
