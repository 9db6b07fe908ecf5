"""Says loudly when the clients in Node were left out."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_LEFT_OUT = pytest.StashKey[str]()


def why_not() -> str | None:
    """Why Node cannot run the scripts here."""
    if shutil.which("node") is None:
        return "there is no Node here"
    probe = ["node", "-e", "['graphql', 'graphql-http', 'graphql-ws', 'ws'].forEach((name) => require.resolve(name))"]
    found = subprocess.run(probe, cwd=ROOT, capture_output=True, check=False)
    return None if found.returncode == 0 else "the Node packages are not installed (npm ci)"


@pytest.fixture(scope="session", autouse=True)
def node(request: pytest.FixtureRequest) -> None:
    if (reason := why_not()) is not None:
        request.config.stash[_LEFT_OUT] = reason
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if (reason := config.stash.get(_LEFT_OUT, None)) is not None:
        terminalreporter.section("LEFT OUT: the clients and audits in Node", sep="!", red=True, bold=True)
        terminalreporter.line(f"graphql-ws and the 61 audits of graphql-http were not run: {reason}.", red=True)
