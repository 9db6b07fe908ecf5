from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import httpx2
import pytest
from graphql import GraphQLError
from hypothesis import given, strategies as st

from schema.scalars import parse_datetime, print_datetime

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    assert parse_datetime(print_datetime(at)) == at.replace(microsecond=at.microsecond // 1000 * 1000)


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), offsets)  # noqa: DTZ001
def test_any_offset_names_the_same_moment(local: datetime, offset: timezone) -> None:
    at = local.replace(tzinfo=offset)
    parsed = parse_datetime(at.isoformat(timespec="microseconds"))
    assert timedelta(0) <= at - parsed < timedelta(milliseconds=1)
    assert parsed.utcoffset() == timedelta(0)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    with suppress(GraphQLError):
        assert parse_datetime(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-11-21T06:26:00Z", 0),
        ("2026-11-21t06:26:00.1z", 100),
        ("2026-11-21 07:26:00.123999999+01:00", 123),
        ("2026-11-20T23:25:60-07:01", -1_000 + 60_000),
    ],
)
def test_forms_of_rfc_3339_are_read(text: str, milliseconds: int) -> None:
    expected = datetime(2026, 11, 21, 6, 26, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert parse_datetime(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T06:26:00",
        "2026-11-21",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T06:26:00+24:00",
        "2026-11-21T06:26:00.Z",
        "٢٠٢٦-11-21T06:26:00Z",
        " 2026-11-21T06:26:00Z",
        1_700_000_000,
        None,
        True,
        "1" * 10_000,
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        parse_datetime(value)


def test_the_edges_of_the_calendar_are_printed() -> None:
    assert print_datetime(datetime.min.replace(tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"
    assert print_datetime(datetime.max.replace(tzinfo=UTC)) == "9999-12-31T23:59:59.999Z"


def test_a_naive_time_is_never_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        print_datetime(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_scalars_pass_as_variables_and_as_literals(http: httpx2.AsyncClient) -> None:
    query = """query ($at: DateTime!, $any: JSON!, $after: Cursor!) {
        time(at: $at) any(value: $any) cursor(after: $after) node { name }
    }"""
    variables = {"at": "2026-11-21T07:26:00+01:00", "any": {"a": [1, None]}, "after": "abc"}
    data = (await http.post("/", json={"query": query, "variables": variables})).json()["data"]
    assert data == {"time": "2026-11-21T06:26:00.000Z", "any": {"a": [1, None]}, "cursor": "abc", "node": {"name": "n"}}
    literal = '{ time(at: "2026-11-21T06:26:00Z") any(value: {a: [1]}) cursor(after: "x") }'
    data = (await http.post("/", json={"query": literal})).json()["data"]
    assert data == {"time": "2026-11-21T06:26:00.000Z", "any": {"a": [1]}, "cursor": "x"}


async def test_a_literal_that_is_no_time_is_bad_input(http: httpx2.AsyncClient) -> None:
    [error] = (await http.post("/", json={"query": '{ time(at: "noon") }'})).json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "RFC 3339" in error["message"]
