"""Log lines are JSON, carry their ids, and hold no secret wherever one comes from."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app.logging import REDACTED, configure_logging, get_logger

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def last(output: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(output.getvalue().splitlines()[-1])
    return line


def test_a_line_is_json_with_the_ids_of_its_request(output: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1", tenant="acme", trace_id="t1")
    get_logger("app.test").info("beat stored", count=3)
    line = last(output)
    assert line["event"] == "beat stored"
    assert (line["request_id"], line["tenant"], line["trace_id"], line["count"]) == ("r1", "acme", "t1", 3)
    assert (line["level"], line["logger"]) == ("info", "app.test")
    assert line["timestamp"].endswith("Z")


def test_other_libraries_log_the_same_way(output: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r2")
    logging.getLogger("some.library").warning("lost %s", "a thing", extra={"attempt": 2})
    line = last(output)
    assert (line["event"], line["request_id"], line["attempt"]) == ("lost a thing", "r2", 2)


@pytest.mark.parametrize("key", ["authorization", "token", "jwt_secret", "password", "Authorization", "api_key", "X-API-Key"])
def test_the_value_of_a_key_that_names_a_secret_is_hidden(output: io.StringIO, key: str) -> None:
    get_logger("app.test").info("call", **{key: "hush-hush"})
    assert last(output)[key] == REDACTED
    assert "hush-hush" not in output.getvalue()


@pytest.mark.parametrize(
    "secret",
    ["fbd_d1_s3cr3t", "fbk_k1_s3cr3t", JWT, "Bearer abcdefgh12345678", "mongodb://root:hunter22@db/x", "redis://:hunter22@r:1/0"],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(output: io.StringIO, secret: str) -> None:
    hidden = secret.removeprefix("Bearer ") if "@" not in secret else "hunter22"
    log = get_logger("app.test")
    log.info(f"said {secret} aloud", value=secret, nested={"deep": [{"x": secret}]}, raw=secret.encode())
    log.info("refused", error=ValueError(secret))
    try:
        raise ValueError(f"with {secret}")
    except ValueError:
        log.exception("failed")
    logging.getLogger("some.library").warning("lost %s", secret)
    assert hidden not in output.getvalue()
    assert REDACTED in output.getvalue()
    assert "ValueError" in output.getvalue()


def test_below_the_level_nothing_is_written(output: io.StringIO) -> None:
    get_logger("app.test").debug("a detail")
    assert output.getvalue() == ""


def test_the_console_form_hides_secrets_too(output: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging("info", "console", stream)
    get_logger("app.test").info("hello", token="hush-hush", note=JWT)
    try:
        raise ValueError(f"with {JWT}")
    except ValueError:
        get_logger("app.test").exception("failed")
    assert "hello" in stream.getvalue()
    assert "hush-hush" not in stream.getvalue()
    assert JWT not in stream.getvalue()
    assert output.getvalue() == ""
