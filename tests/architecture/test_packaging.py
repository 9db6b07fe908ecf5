"""What a machine or an orchestrator reads: the lock, the compose file, the units."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.growth.layout import ELECTION_MS

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


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return read


SCALE = "docker-compose.scale.yml"
SERVICES = [("docker-compose.yml", service) for service in ("mongo", "redis", "api", "worker")]
SERVICES += [(SCALE, f"{kind}-{number}") for kind in ("mongo", "api", "worker") for number in (1, 2, 3)]
SERVICES += [(SCALE, "redis"), (SCALE, "balancer")]


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_a_service_is_watched_restarted_and_bounded(file: str, service: str) -> None:
    described = compose(file)["services"][service]
    assert described["healthcheck"]["test"]
    assert described["restart"] == "unless-stopped"
    assert set(described["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


@pytest.mark.parametrize(("file", "service"), [("docker-compose.yml", "api"), (SCALE, "api-1"), (SCALE, "worker-3")])
def test_no_secret_stands_in_a_compose_file(file: str, service: str) -> None:
    environment = compose(file)["services"][service]["environment"]
    assert environment["JWT_SECRET"] == "${JWT_SECRET:-}"
    assert environment["JWT_SECRET_FILE"] == "${JWT_SECRET_FILE:-}"


def test_both_compose_files_take_the_same_settings() -> None:
    one, many = (compose(file)["services"][service]["environment"] for file, service in (SERVICES[2], (SCALE, "api-1")))
    differing = {"MONGO_URI", "FORWARDED_ALLOW_IPS"}
    assert {name: value for name, value in many.items() if name not in differing} == {
        name: value for name, value in one.items() if name not in differing
    }
    assert many.keys() - one.keys() == {"FORWARDED_ALLOW_IPS"}


def test_the_large_layout_names_each_member_of_its_set_where_it_is_made_and_where_it_is_used() -> None:
    services = compose(SCALE)["services"]
    members = {f"mongo-{number}:27017" for number in (1, 2, 3)}
    uri = services["api-1"]["environment"]["MONGO_URI"].removeprefix("${MONGO_URI:-").removesuffix("}")
    hosts, _, options = uri.removeprefix("mongodb://").partition("/")
    assert set(hosts.split(",")) == members <= {f"{name}:27017" for name in services}
    assert options == "fleetbeat?replicaSet=rs0&w=majority"
    script = (ROOT / "deploy" / "replica-set.js").read_text()
    assert all(f'"{member.partition(":")[0]}"' in script for member in members)
    assert services["seed"]["depends_on"] == {"replica-set": {"condition": "service_completed_successfully"}}


def test_only_the_balancer_of_the_large_layout_is_reached_from_outside_and_it_knows_every_api() -> None:
    services = compose(SCALE)["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["balancer"]
    apis = {name for name in services if name.startswith("api-")}
    config = (ROOT / "deploy" / "haproxy.cfg").read_text()
    assert set(re.findall(r"^ +server (\S+) \1:8080$", config, re.MULTILINE)) == apis == set(services["balancer"]["depends_on"])
    assert "cookie" not in config


def test_the_drill_elects_as_fast_as_the_large_layout() -> None:
    assert f"electionTimeoutMillis: {ELECTION_MS}" in (ROOT / "deploy" / "replica-set.js").read_text()


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
