"""A real mongod and redis-server for the whole run, and a fresh database for each test that asks for one."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from pymongo import MongoClient

from app.embedded import Server, embedded_servers, mongo_uri as uri_of, redis_command, redis_url as url_of
from tests.api.node.conftest import why_not

# A machine that is slow for a moment is no fault of what is tested, and the database is there for all cases of a test.
# CI tries the same cases each time, everyone else new ones.
settings.register_profile(
    "fleetbeat",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("fleetbeat")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """mongod takes fail points (`configureFailPoint`), so that a test can make it fail on purpose."""
    with embedded_servers(tmp_path_factory.mktemp("servers"), {"enableTestCommands": "1"}) as pair:
        yield pair


@pytest.fixture(scope="session")
def mongo_uri(servers: tuple[Server, Server]) -> str:
    return uri_of(servers[0].port)


@pytest.fixture(scope="session")
def mongo_client(mongo_uri: str) -> Iterator["MongoClient[dict[str, Any]]"]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri, tz_aware=True)
    with client:
        yield client


@pytest.fixture
def redis_url(servers: tuple[Server, Server]) -> str:
    """Redis as a new one: emptied before each test."""
    port = servers[1].port
    assert redis_command(port, "FLUSHALL") == b"+OK"
    return url_of(port)


@pytest.fixture
def database(mongo_client: "MongoClient[dict[str, Any]]") -> str:
    """The name of a database that is empty but for its indexes: emptying costs 6 ms where making and dropping cost 200."""
    name = "fleetbeat_test"
    for collection in mongo_client[name].list_collection_names():
        mongo_client[name][collection].delete_many({})
    return name


@pytest.fixture
def new_database(mongo_client: "MongoClient[dict[str, Any]]") -> Iterator[str]:
    """The name of a database that was never there; dropped afterwards."""
    name = f"test_{uuid4().hex[:16]}"
    yield name
    mongo_client.drop_database(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, and what was left out. Here and from the reports, since the tests run in other processes than this."""
    passed, skipped = terminalreporter.stats.get("passed", []), terminalreporter.stats.get("skipped", [])
    figures = [value for report in passed for name, value in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("measured")
        for line in dict.fromkeys(figures):
            terminalreporter.write_line(str(line))
    if any("tests/api/node" in report.nodeid for report in skipped) and (reason := why_not()) is not None:
        terminalreporter.section("LEFT OUT: the clients and audits in Node", sep="!", red=True, bold=True)
        terminalreporter.line(f"graphql-ws and the 61 audits of graphql-http were not run: {reason}.", red=True)
