from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from schema.limits import MAX_ALIASES, MAX_DEPTH, MAX_DIRECTIVES, MAX_ROOT_FIELDS, MAX_TOKENS
from schema.transport import TransportOptions


@pytest.fixture
def options() -> TransportOptions:
    return TransportOptions()


async def errors_of(http: httpx2.AsyncClient, query: str, variables: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    response = await http.post("/", json={"query": query, "variables": variables})
    errors: list[dict[str, Any]] = response.json()["errors"]
    assert "hunter2" not in response.text
    return errors


async def fields_of(http: httpx2.AsyncClient, query: str, variables: dict[str, Any]) -> list[str]:
    errors = await errors_of(http, query, variables)
    assert {error["extensions"]["code"] for error in errors} == {"BAD_USER_INPUT"}
    return [field["path"] for error in errors for field in error["extensions"]["fields"]]


@pytest.mark.parametrize("query", ["{ crash }", "{ node { broken } }", "{ tooBig }"])
async def test_what_nobody_expected_is_masked_and_logged_with_its_id(http: httpx2.AsyncClient, query: str) -> None:
    with capture_logs() as logs:
        [error] = await errors_of(http, query)
    assert error["message"] == "Internal error"
    assert error["extensions"] == {"code": "INTERNAL", "id": logs[0]["error_id"]}
    assert (logs[0]["log_level"], logs[0]["path"]) == ("error", error["path"])


async def test_what_the_caller_did_wrong_is_not_logged(http: httpx2.AsyncClient) -> None:
    with capture_logs() as logs:
        await errors_of(http, "{ missing conflict refused nothing }")
        await errors_of(http, "{ missing conflict refused }")
    assert logs == []


@pytest.mark.parametrize(
    ("field", "extensions"),
    [
        ("missing", {"code": "NOT_FOUND"}),
        ("conflict", {"code": "CONFLICT", "current": {"version": 4}}),
        ("lost", {"code": "UNAVAILABLE", "retryAfterSec": 2}),
        (
            "refused",
            {"code": "BAD_USER_INPUT", "fields": [{"path": "a", "message": "is bad"}, {"path": "b", "message": "is worse"}]},
        ),
    ],
)
async def test_an_error_of_ours_keeps_its_code_and_its_extensions(
    http: httpx2.AsyncClient, field: str, extensions: dict[str, Any]
) -> None:
    [error] = await errors_of(http, f"{{ {field} }}")
    assert error["extensions"] == extensions
    assert (error["path"], error["locations"]) == ([field], [{"line": 1, "column": 3}])


async def test_every_variable_that_does_not_fit_is_named_by_its_path(http: httpx2.AsyncClient) -> None:
    query = "mutation ($input: BeatInput!, $skip: Boolean!) { beat(input: $input) @skip(if: $skip) }"
    value = {"cpuUsage": "much", "sequence": 2**40, "sentAt": "yesterday", "metrics": [{"name": "a"}], "colour": 1}
    paths = await fields_of(http, query, {"input": value, "skip": "x"})
    expected = [
        "input.cpuUsage",
        "input.sequence",
        "input.sentAt",
        "input.metrics[0].value",
        "input.deviceId",
        "input.colour",
        "skip",
    ]
    assert sorted(paths) == sorted(expected)


async def test_a_variable_left_out_is_named(http: httpx2.AsyncClient) -> None:
    assert await fields_of(http, "query ($at: DateTime!) { time(at: $at) }", {}) == ["at"]


async def test_a_null_where_none_may_be_is_named_by_its_argument(http: httpx2.AsyncClient) -> None:
    assert await fields_of(http, "query ($v: Int) { whole(value: $v) }", {"v": None}) == ["value"]


@pytest.mark.parametrize("literal", ["1e999", "-1e999", "1" + "0" * 400])
async def test_a_literal_beyond_all_numbers_is_refused(http: httpx2.AsyncClient, literal: str) -> None:
    [error] = await errors_of(http, f"{{ number(value: {literal}) }}")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_an_integer_beyond_all_floats_is_refused(http: httpx2.AsyncClient) -> None:
    assert await fields_of(http, "query ($v: Float!) { number(value: $v) }", {"v": 10**400}) == ["v"]


async def test_a_value_of_any_length_makes_a_short_message(http: httpx2.AsyncClient) -> None:
    [error] = await errors_of(http, "query ($v: Float!) { number(value: $v) }", {"v": "x" * 3_000})
    assert len(error["message"]) <= 501


async def test_names_are_not_guessed_for_those_who_probe(http: httpx2.AsyncClient) -> None:
    [error] = await errors_of(http, "{ ech }")
    assert "echo" not in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "{ node " + "{ child " * MAX_DEPTH + "{ name }" + " }" * MAX_DEPTH + " }",
        "{ node { " + " ".join(f"a{n}: name" for n in range(MAX_ALIASES + 1)) + " } }",
        "{ " + "echo " * (MAX_ROOT_FIELDS + 1) + "}",
        "{ ...A } fragment A on Query { " + "echo " * (MAX_ROOT_FIELDS + 1) + "}",
        "{ echo " + "@include(if: true) " * (MAX_DIRECTIVES + 1) + "}",
        "{ " + "echo " * MAX_TOKENS + "}",
        "{ ...F0 } "
        + " ".join(f"fragment F{n} on Query {{ node {{ ...G{n} ...G{n} }} ...F{n + 1} ...F{n + 1} }}" for n in range(40))
        + " fragment F40 on Query { echo }",
        "{ ...F0 } "
        + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(390))
        + " fragment F390 on Query { echo }",
    ],
    ids=[
        "depth",
        "aliases",
        "roots",
        "roots in a fragment",
        "directives",
        "tokens",
        "doubling fragments",
        "a chain of fragments",
    ],
)
async def test_a_document_over_a_limit_is_too_complex(http: httpx2.AsyncClient, query: str) -> None:
    response = await http.post("/", content=b'{"query": "%s"}' % query.encode(), headers={"content-type": "application/json"})
    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"TOO_COMPLEX"}
