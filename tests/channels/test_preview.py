"""`fleetbeat notify preview`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.channels.preview import PREVIEWS, preview
from app.channels.sample import EVENTS
from app.cli import application
from app.domain.channel import ChannelKind
from tests.channels.notes import message


def run(*words: str) -> Result:
    environment = {"PUBLIC_URL": "https://dash.example.com", "COLUMNS": "300"}
    return CliRunner().invoke(application("notify"), ["notify", "preview", *words], env=environment)


def test_a_mail_is_shown_with_its_subject_and_text() -> None:
    shown = run("--channel", "email", "--event", "device.offline")
    assert shown.exit_code == 0
    assert "[HIGH] Device offline: Till 1 (Acme)" in shown.output
    assert "https://dash.example.com/alerts/" in shown.output
    assert "<html" not in shown.output


def test_html_goes_to_a_file(tmp_path: Path) -> None:
    out = tmp_path / "mail.html"
    assert run("--channel", "email", "--bundle", "12", "--format", "html", "--out", str(out)).output == ""
    assert out.read_text().startswith("<!doctype html>")
    assert "12 alerts" in out.read_text()


def test_json_has_every_part() -> None:
    parts = json.loads(run("--channel", "EMAIL", "--event", "device.online", "--format", "json").output)
    assert sorted(parts) == ["html", "subject", "text"]
    assert parts["subject"].startswith("Resolved: ")


def test_a_bundle_says_why_it_is_one() -> None:
    assert "quiet hours" in run("--channel", "email", "--bundle", "3", "--why", "quiet_hours").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--channel", "pigeon"), ["pigeon", "email", "apprise"]),
        (("--channel", "email", "--event", "device.gone"), ["device.gone", *EVENTS]),
        (("--channel", "apprise", "--format", "html"), ["apprise shows no HTML"]),
        (("--channel", "email", "--bundle", "1001"), ["1000"]),
    ],
)
def test_who_asks_wrongly_hears_what_there_is(words: tuple[str, ...], said: list[str]) -> None:
    shown = run(*words)
    assert shown.exit_code == 2
    assert [one for one in said if one not in shown.output] == []


@pytest.mark.parametrize("kind", PREVIEWS)
@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize("bundle", [0, 3])
def test_every_kind_shows_every_event(kind: ChannelKind, event: str, bundle: int) -> None:
    assert all(part.name and part.content for part in preview(kind, message(event, bundle)))
