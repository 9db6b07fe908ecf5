"""Settings are typed, come from variables or files, and are refused with every fault at once."""

from pathlib import Path

import pytest

from app.durations import parse_duration
from app.sentinels import Sentinels, read_sentinels
from app.settings import Settings, SettingsError, read_settings, to_environment

SECRET = "a-secret-of-forty-bytes-that-nobody-knows"
GOOD = {"JWT_SECRET": SECRET}


def problems(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(environment)
    return str(caught.value)


def test_a_secret_is_enough_to_start() -> None:
    settings = read_settings(GOOD)
    assert (settings.heartbeat_offline_seconds, settings.sync_lag_warn_seconds, settings.worker_max_retries) == (120, 90, 3)
    assert (settings.deadline_sweep_seconds, settings.rule_tick_seconds, settings.device_auth) == (1.0, 15.0, "on")
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == SECRET


def test_values_are_read_from_the_environment() -> None:
    settings = read_settings({**GOOD, "CORS_ORIGINS": "https://a.example, http://b:3000", "PORT": "9000", "GRAPHQL_IDE": "true"})
    assert settings.cors_origins == ("https://a.example", "http://b:3000")
    assert settings.port == 9000
    assert settings.graphql_ide is True


def test_any_variable_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    settings = read_settings({"JWT_SECRET_FILE": str(path)})
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == SECRET


def test_a_file_that_is_not_there_is_named() -> None:
    assert "JWT_SECRET_FILE names '/nowhere/at/all'" in problems({"JWT_SECRET_FILE": "/nowhere/at/all"})


@pytest.mark.parametrize(
    ("environment", "rule_tick", "offline"),
    [
        ({"WORKER_SLEEP_SECONDS": "20"}, 20, 120),
        ({"MACHINE_HEARTBEAT_CHECK_INTERVAL": "30s"}, 30, 120),
        ({"MACHINE_OFFLINE_THRESHOLD": "2m"}, 15, 120),
        ({"MACHINE_OFFLINE_THRESHOLD": "1h"}, 15, 3600),
        # Fleetbeat's own names win.
        ({"RULE_TICK_SECONDS": "5", "WORKER_SLEEP_SECONDS": "20"}, 5, 120),
        ({"HEARTBEAT_OFFLINE_SECONDS": "60", "MACHINE_OFFLINE_THRESHOLD": "2m"}, 15, 60),
    ],
)
def test_aliases_mean_the_same(environment: dict[str, str], rule_tick: float, offline: int) -> None:
    settings = read_settings({**GOOD, **environment})
    assert (settings.rule_tick_seconds, settings.heartbeat_offline_seconds) == (rule_tick, offline)


def test_every_fault_is_told_at_once_and_says_what_would_be_right() -> None:
    said = problems(
        {
            "MONGO_URI": "postgres://x",
            "PORT": "99999",
            "DEVICE_AUTH": "perhaps",
            "RULE_TICK_SECONDS": "soon",
            "CORS_ORIGINS": "dash",
        }
    )
    lines = said.splitlines()
    assert len(lines) == 6
    for expected in (
        "MONGO_URI='postgres://x': should be",
        "PORT='99999'",
        "'on' or 'off'",
        '"30s"',
        "CORS_ORIGINS='dash'",
        "JWT_SECRET",
    ):
        assert expected in said


def test_a_missing_secret_stops_the_start() -> None:
    assert "JWT_SECRET is missing" in problems({})


def test_a_short_secret_stops_the_start_and_is_not_shown() -> None:
    said = problems({"JWT_SECRET": "tiny-one"})
    assert "tiny-one" not in said
    assert "at least 32" in said


def test_keys_by_url_need_an_audience_and_an_issuer_and_no_secret() -> None:
    keys = {"JWT_JWKS_URL": "https://id.example/jwks.json"}
    said = problems(keys)
    assert "JWT_AUDIENCE" in said
    assert "JWT_ISSUER" in said
    assert read_settings({**keys, "JWT_AUDIENCE": "fleetbeat", "JWT_ISSUER": "https://id.example"}).jwt_secret is None


def test_the_password_in_an_address_is_not_shown() -> None:
    assert "hunter2" not in problems({**GOOD, "MONGO_URI": "http://root:hunter2@db/x"})


@pytest.mark.parametrize("name", ["SLACK_API_URL", "TELEGRAM_API_URL", "TWILIO_API_URL", "PAGERDUTY_API_URL"])
@pytest.mark.parametrize("value", ["api.example.com", "ftp://api.example.com", "https://"])
def test_a_service_that_messages_go_by_has_an_address(name: str, value: str) -> None:
    assert f"{name}='{value}': should be an address that begins with http:// or https://" in problems({**GOOD, name: value})


def test_an_empty_variable_is_as_one_that_is_not_set() -> None:
    assert read_settings({**GOOD, "PUBLIC_URL": "", "JWT_JWKS_URL": ""}).public_url == "http://127.0.0.1:8080"


def test_settings_reach_a_child_through_its_environment() -> None:
    settings = read_settings({**GOOD, "CORS_ORIGINS": "https://a.example,https://b.example", "LOG_FORMAT": "console"})
    assert read_settings(to_environment(settings)) == settings


def test_printed_settings_hold_no_secret() -> None:
    assert SECRET not in repr(read_settings(GOOD))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(port=1).port = 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2m", 120), ("1h30m", 5400), ("90", 90), ("0.5", 0.5), ("250ms", 0.25), ("1 d", 86400)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3s", "3 weeks", "1s2", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="should be a duration"):
        parse_duration(text)


def test_redis_may_be_named_by_its_sentinels() -> None:
    url = "redis+sentinel://me:p%40ss@a.example,b.example:26380,[::1]:26381/fleet/2"
    assert read_settings({**GOOD, "REDIS_URL": url}).redis_url == url
    hosts = (("a.example", 26379), ("b.example", 26380), ("::1", 26381))
    assert read_sentinels(url) == Sentinels(hosts, "fleet", 2, "me", "p@ss")
    assert read_sentinels("redis+sentinel://a.example/fleet") == Sentinels((("a.example", 26379),), "fleet")
    assert read_sentinels("redis://a.example:6379/0") is None


@pytest.mark.parametrize(
    "rest", ["", "/fleet", "a.example", "a.example/", "a.example/fleet/x", ",a.example/fleet", "a.example:x/fleet"]
)
def test_sentinels_without_a_master_or_a_host_are_refused(rest: str) -> None:
    assert problems({**GOOD, "REDIS_URL": f"redis+sentinel://{rest}"}).startswith("REDIS_URL=")


def test_the_password_of_sentinels_is_hidden() -> None:
    assert "p4ss" not in problems({**GOOD, "REDIS_URL": "redis+sentinel://me:p4ss@a.example"})
