"""What dashboard developers are given agrees with what the code does."""

import json
import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from app.errors import (
    BadInputError,
    ConflictError,
    ErrorCode,
    FieldError,
    FleetbeatError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    TooComplexError,
    UnauthenticatedError,
    UnavailableError,
)
from schema.errors import MaskedError
from schema.export import sdl

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "frontend-contract"
OPERATIONS = sorted((CONTRACT / "operations").glob("*.graphql"))
PROTOCOL = (CONTRACT / "PROTOCOL.md").read_text()


def test_the_exported_schema_is_the_one_of_the_code() -> None:
    assert (CONTRACT / "schema.graphql").read_text() == sdl()


@pytest.mark.parametrize("file", OPERATIONS, ids=[file.stem for file in OPERATIONS])
def test_every_operation_is_valid(file: Path) -> None:
    schema = build_schema((CONTRACT / "schema.graphql").read_text())
    assert validate(schema, parse(file.read_text())) == []


def test_every_root_field_has_an_operation() -> None:
    schema = build_schema((CONTRACT / "schema.graphql").read_text())
    written = "\n".join(file.read_text() for file in OPERATIONS)
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root is not None]
    missing = [name for root in roots for name in root.fields if re.search(rf"\b{name}\b", written) is None]
    assert missing == []


@pytest.mark.parametrize(
    "error",
    [
        UnauthenticatedError("x"),
        ForbiddenError("x"),
        NotFoundError("x"),
        ConflictError("x", {}),
        BadInputError([FieldError("a", "b")]),
        RateLimitedError("x", 1),
        UnavailableError("x", 1),
        TooComplexError("x"),
        MaskedError(),
    ],
    ids=lambda error: error.code.name,
)
def test_errors_json_names_what_an_error_carries(error: FleetbeatError) -> None:
    listed = json.loads((CONTRACT / "errors.json").read_text())
    assert listed[error.code.name]["extensions"] == list(error.extensions())


def test_errors_json_and_protocol_name_every_code() -> None:
    listed = json.loads((CONTRACT / "errors.json").read_text())
    assert sorted(listed) == sorted(code.name for code in ErrorCode)
    assert [code.name for code in ErrorCode if f"`{code.name}`" not in PROTOCOL] == []


def test_the_graphql_of_the_protocol_is_valid() -> None:
    schema = build_schema((CONTRACT / "schema.graphql").read_text())
    examples = [block for block in re.findall(r"```graphql\n(.*?)```", PROTOCOL, re.DOTALL) if "…" not in block]
    assert examples
    for example in examples:
        assert validate(schema, parse(example)) == []


def test_the_protocol_explains_every_close_code_that_is_sent() -> None:
    sent = {
        code for file in (ROOT / "schema").glob("*.py") for code in re.findall(r"(?:\bclose\(|= \()(\d{4}), ", file.read_text())
    }
    assert {"1012", "1013", "4400", "4401", "4403", "4408", "4409", "4429", "4500"} <= sent
    assert [code for code in sorted(sent) if f"| {code} |" not in PROTOCOL] == []


def test_the_examples_of_the_protocol_are_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PROTOCOL, re.DOTALL)
    assert blocks
    for block in blocks:
        json.loads(block)
