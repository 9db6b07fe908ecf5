"""A fresh installation for each flow."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.flows.installation import Installation, installed


@pytest.fixture
async def installation(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database) as here:
        yield here


@pytest.fixture
async def two_workers(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Installation]:
    async with installed(mongo_uri, redis_url, database, workers=2) as here:
        yield here


_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes what was measured, to be shown at the end of the run."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = terminalreporter.config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.write_line(line)
