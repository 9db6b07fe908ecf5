"""Nobody takes a run without the clients in Node for a whole one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.node.conftest import why_not
from tests.contract.protocol import ROOT

LOCK = {"packages": {"": {"name": "x"}, "node_modules/ws": {"version": "8.23.0"}}}


def _run_without_node(nowhere: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/api/node/test_audits.py"]
    given = {name: value for name, value in os.environ.items() if name != "CI"} | {"PATH": str(nowhere)} | environment
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_without_node_it_is_said_loudly_what_was_left_out(tmp_path: Path) -> None:
    run = _run_without_node(tmp_path)
    assert run.returncode == 0
    assert "LEFT OUT: the clients and audits in Node" in run.stdout


def test_without_node_ci_fails(tmp_path: Path) -> None:
    run = _run_without_node(tmp_path, CI="true")
    assert run.returncode == 1
    assert "CI has to run the clients in Node: there is no Node here" in run.stdout


@pytest.mark.parametrize(("version", "wrong"), [("8.23.0", False), ("8.22.9", True), (None, True)])
def test_packages_that_are_not_as_locked_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, wrong: bool
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "node").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    (tmp_path / "package-lock.json").write_text(json.dumps(LOCK))
    if version is not None:
        (tmp_path / "node_modules" / "ws").mkdir(parents=True)
        (tmp_path / "node_modules" / "ws" / "package.json").write_text(json.dumps({"version": version}))
    assert why_not(tmp_path) == ("node_modules/ws: not as locked (make node)" if wrong else None)
