"""Runs the clients in Node with exactly the packages of package-lock.json. Without them it says loudly what was left out; CI fails."""

import json
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def why_not(root: Path = ROOT) -> str | None:
    """Why Node cannot run the scripts here."""
    if shutil.which("node") is None:
        return "there is no Node here"
    locked = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wrong = [path for path, package in locked.items() if path and _installed(root / path) != package["version"]]
    return f"{', '.join(wrong)}: not as locked (make node)" if wrong else None


def _installed(package: Path) -> str | None:
    try:
        version: str = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None
    return version


@pytest.fixture(scope="session", autouse=True)
def node() -> None:
    if (reason := why_not()) is None:
        return
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"CI has to run the clients in Node: {reason}", pytrace=False)
    pytest.skip(reason)
