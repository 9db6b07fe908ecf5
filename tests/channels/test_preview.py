"""`fleetbeat notify preview`."""

import hashlib
import hmac
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
    assert parts["subject"].startswith("Re: [HIGH] ")


def test_a_bundle_says_why_it_is_one() -> None:
    assert "quiet hours" in run("--channel", "email", "--bundle", "3", "--why", "quiet_hours").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--channel", "pigeon"), ["pigeon", *(kind.value for kind in ChannelKind)]),
        (("--channel", "email", "--event", "device.gone"), ["device.gone", *EVENTS]),
        (("--channel", "apprise", "--format", "html"), ["apprise shows no HTML"]),
        (("--channel", "email", "--bundle", "1001"), ["1000"]),
    ],
)
def test_who_asks_wrongly_hears_what_there_is(words: tuple[str, ...], said: list[str]) -> None:
    shown = run(*words)
    assert shown.exit_code == 2
    assert [one for one in said if one not in shown.output] == []


def test_there_is_a_preview_of_each_kind() -> None:
    assert set(PREVIEWS) == set(ChannelKind)


@pytest.mark.parametrize("kind", PREVIEWS)
@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize("bundle", [0, 3])
def test_every_kind_shows_every_event(kind: ChannelKind, event: str, bundle: int) -> None:
    assert all(part.name and part.content for part in preview(kind, message(event, bundle)))


def test_slack_is_shown_as_it_reads_and_as_blocks() -> None:
    parts = shown("slack", "device.offline")
    assert parts["text"].startswith("🔴 HIGH · Device offline: Till 1\n")
    assert json.loads(parts["json"])["attachments"][0]["blocks"][0]["type"] == "header"


def test_telegram_is_shown_as_it_reads_and_as_html() -> None:
    assert "<b>🔴 HIGH · Device offline: Till 1</b>" in run("--channel", "telegram", "--format", "html").output
    parts = shown("telegram", "device.offline")
    assert "<" not in parts["text"]
    assert parts["text"].endswith("Open the alert · Runbook")


def test_a_bundle_too_long_for_telegram_is_shown_as_the_document_that_it_is_sent_as() -> None:
    assert list(shown("telegram", "device.offline", 500)) == ["document"]


def test_a_text_is_shown_with_what_it_costs() -> None:
    parts = shown("sms", "device.offline")
    assert parts["length"] == f"{len(parts['text'])} characters of GSM-7, 2 segments"


def test_pagerduty_is_shown_as_an_event_for_each() -> None:
    assert json.loads(shown("pagerduty", "device.online")["json"])["event_action"] == "resolve"
    assert list(shown("pagerduty", "device.offline", 3)) == ["json", "json 2", "json 3"]


def test_a_webhook_is_shown_in_both_formats_with_signatures_that_hold() -> None:
    parts = shown("webhook", "device.offline")
    assert json.loads(parts["FLEETBEAT body"])["event"] == "device.offline"
    assert json.loads(parts["MACHINE body"])["event"] == "machine.offline"
    for form in ("FLEETBEAT", "MACHINE"):
        mac = hmac.new(parts["secret"].encode(), parts[f"{form} body"].encode(), hashlib.sha256).hexdigest()
        assert f"X-Webhook-Signature: sha256={mac}" in parts[f"{form} headers"].splitlines()


def test_a_webhook_says_what_the_format_has_no_word_for() -> None:
    assert shown("webhook", "alert.opened")["MACHINE"] == "(nothing: the format MACHINE has no word for alert.opened)"


def test_a_notification_is_shown_with_its_title_and_body() -> None:
    parts = shown("in_app", "device.online")
    assert list(parts) == ["title", "body"]
    assert parts["title"] == "Resolved: Device offline: Till 1"


def shown(kind: str, event: str, bundle: int = 0) -> dict[str, str]:
    return {part.name: part.content for part in preview(ChannelKind(kind), message(event, bundle))}
