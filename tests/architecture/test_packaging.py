"""What a machine or an orchestrator reads: the lock, the compose file, the units."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-run.lock"])
def test_the_lock_pins_and_hashes_everything_and_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.match(r"[\w.\[\],-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text().lower()
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    for requirement in asked:
        pinned = re.sub(r"\[.*?\]", "", requirement.partition(";")[0]).strip().lower()
        assert pinned in locked, requirement


def test_the_node_lock_names_no_host() -> None:
    assert "resolved" not in (ROOT / "package-lock.json").read_text()


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


@pytest.mark.parametrize("service", ["mongo", "redis", "api", "worker"])
def test_a_service_is_watched_restarted_and_bounded(service: str) -> None:
    described = compose()["services"][service]
    assert described["healthcheck"]["test"]
    assert described["restart"] == "unless-stopped"
    assert set(described["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


def test_no_secret_stands_in_the_compose_file() -> None:
    environment = compose()["services"]["api"]["environment"]
    assert environment["JWT_SECRET"] == "${JWT_SECRET:-}"
    assert environment["JWT_SECRET_FILE"] == "${JWT_SECRET_FILE:-}"


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_unit_runs_its_part_without_rights_and_restarts_it(part: str) -> None:
    unit = (ROOT / "deploy" / "systemd" / f"fleetbeat-{part}.service").read_text()
    for line in (
        f"ExecStart=/opt/fleetbeat/.venv/bin/fleetbeat {part}",
        "Restart=always",
        "NoNewPrivileges=yes",
        "LoadCredential=",
    ):
        assert line in unit
