"""What Slack is told: new messages, changes of the first one, and what becomes of its errors."""

import json
from typing import Any

import pytest

from app.channels.slack_message import LONGEST_TEXT, payload_of
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.channel import SlackConfig
from app.domain.delivery import Never, Sent, TryAgain
from app.domain.message import Bundling
from tests.channels.messages import RUNBOOK, URL, a_message, a_note, a_storm, offline, over, the_end
from tests.channels.sending import only_body, send
from tests.delivery.receiver import Receiver

OK = b'{"ok": true, "channel": "C1", "ts": "1405894322.002768"}'
FIRST = "C1:1405894322.002768"
BOT = SlackConfig(token="xoxb-1", channel="#alerts")


async def by_bot(receiver: Receiver, message: Any) -> Any:
    return await send(BOT, message, slack_api_url=receiver.url)


def refused(code: str) -> bytes:
    return json.dumps({"ok": False, "error": code}).encode()


def texts(payload: dict[str, Any]) -> list[str]:
    [attachment] = payload["attachments"]
    return [block["text"]["text"] for block in attachment["blocks"]]


def colour(payload: dict[str, Any]) -> str:
    found: str = payload["attachments"][0]["color"]
    return found


async def test_a_webhook_gets_a_headline_the_facts_and_links(receiver: Receiver) -> None:
    receiver.body = b"ok"
    note = a_note(offline(severity=Severity.CRITICAL, runbook_url=RUNBOOK), also_told=("Mail", "Ops"))
    config = SlackConfig(webhook_url=f"{receiver.url}/services/T0")
    assert await send(config, a_message(note)) == Sent()
    [header, body] = texts(only_body(receiver))
    assert header == "🔴 CRITICAL · Device offline: Till 1"
    assert body.splitlines() == [
        "silent for 130 s",
        "since 06:00:00 UTC · Acme · store north · pos-1",
        "value 130 s, threshold 120 s",
        "also told: Mail, Ops",
        f"<{URL}|Open the alert>",
        "<https://wiki.example.com/till?a=1&amp;b=2|Runbook>",
    ]
    assert receiver.calls[0].path == "/hook/services/T0"


async def test_a_bot_posts_with_its_token_and_keeps_where_its_message_is(receiver: Receiver) -> None:
    receiver.body = OK
    assert await by_bot(receiver, a_message(a_note())) == Sent(FIRST)
    [call] = receiver.calls
    assert (call.path, call.headers["Authorization"]) == ("/hook/chat.postMessage", "Bearer xoxb-1")
    assert call.said["channel"] == "#alerts"
    assert call.said["attachments"][0]["fallback"] == "🔴 HIGH · Device offline: Till 1"


@pytest.mark.parametrize(
    "kind",
    [
        AlertEventType.RESOLVED,
        AlertEventType.ACKNOWLEDGED,
        AlertEventType.UNACKNOWLEDGED,
        AlertEventType.SEVERITY_CHANGED,
    ],
)
async def test_news_of_an_alert_changes_its_first_message(kind: AlertEventType, receiver: Receiver) -> None:
    receiver.body = OK
    assert await by_bot(receiver, a_message(a_note(type=kind), first_receipt=FIRST)) == Sent(FIRST)
    [call] = receiver.calls
    assert call.path == "/hook/chat.update"
    assert (call.said["channel"], call.said["ts"]) == ("C1", "1405894322.002768")


@pytest.mark.parametrize("kind", [AlertEventType.OPENED, AlertEventType.REOPENED])
async def test_what_somebody_should_look_at_is_a_new_message(kind: AlertEventType, receiver: Receiver) -> None:
    receiver.body = OK
    await by_bot(receiver, a_message(a_note(type=kind), first_receipt=FIRST))
    assert [call.path for call in receiver.calls] == ["/hook/chat.postMessage"]


@pytest.mark.parametrize("code", ["message_not_found", "edit_window_closed", "cant_update_message", "channel_not_found"])
async def test_a_first_message_that_cannot_be_changed_is_told_anew(code: str, receiver: Receiver) -> None:
    receiver.body = refused(code)
    await by_bot(receiver, a_message(the_end(), first_receipt=FIRST))
    assert [call.path for call in receiver.calls] == ["/hook/chat.update", "/hook/chat.postMessage"]
    assert receiver.calls[1].said["channel"] == "#alerts"


@pytest.mark.parametrize(
    "code", ["ratelimited", "rate_limited", "internal_error", "service_unavailable", "fatal_error", "request_timeout"]
)
async def test_a_busy_slack_is_tried_again_when_it_says(code: str, receiver: Receiver) -> None:
    receiver.body, receiver.headers = refused(code), {"Retry-After": "30"}
    assert await by_bot(receiver, a_message(a_note())) == TryAgain(f"Slack is busy: {code}", 30)


@pytest.mark.parametrize("code", ["channel_not_found", "invalid_auth", "not_in_channel", "is_archived", "invalid_blocks"])
async def test_every_other_error_is_for_good_and_named_by_its_code(code: str, receiver: Receiver) -> None:
    receiver.body = refused(code)
    assert await by_bot(receiver, a_message(a_note())) == Never(f"Slack refused: {code}")


async def test_an_error_that_is_no_code_is_not_repeated(receiver: Receiver) -> None:
    receiver.body = refused("<script>alert('xoxb-1')</script>")
    assert await by_bot(receiver, a_message(a_note())) == Never("Slack refused: no code")


@pytest.mark.parametrize(("status", "code"), [(404, "no_service"), (410, "channel_is_archived"), (403, "action_prohibited")])
async def test_a_webhook_that_is_no_more_says_why(status: int, code: str, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [status], code.encode()
    answer = await send(SlackConfig(webhook_url=receiver.url), a_message(a_note()))
    assert answer == Never(f"Slack refused: {code}")


async def test_a_channel_without_anything_to_send_with_says_so() -> None:
    answer = await send(SlackConfig(token="xoxb-1"), a_message(a_note()))
    assert answer == Never("the channel has neither a webhook's address nor a token with a channel")


def test_the_colour_is_that_of_the_severity_and_green_at_the_end() -> None:
    colours = [colour(payload_of(a_message(a_note(offline(severity=severity))))) for severity in Severity]
    assert len(set(colours)) == len(Severity)
    assert colour(payload_of(a_message(the_end()))) == "#2f9e44" not in colours


def test_an_end_says_how_long_it_lasted_and_how_it_ended() -> None:
    header, body = texts(payload_of(a_message(the_end())))
    assert header == "🟢 RESOLVED · Device offline: Till 1"
    assert body.splitlines()[:3] == [
        "recovered",
        "it was: silent for 130 s",
        "after 12 min, from 06:00:00 to 06:12:00 UTC · Acme · store north · pos-1",
    ]


def test_who_acknowledged_is_named_with_the_reason() -> None:
    note = a_note(offline(status=AlertStatus.ACKNOWLEDGED), type=AlertEventType.ACKNOWLEDGED, actor="bea", reason="on my way")
    header, body = texts(payload_of(a_message(note)))
    assert header == "🔴 ACKNOWLEDGED · Device offline: Till 1"
    assert "by bea: on my way" in body


def test_nothing_in_a_title_or_a_reason_is_markup() -> None:
    note = a_note(offline(message="<!channel> <https://evil.example|click> & more"), reason="<@U1>", actor="<!here>")
    _, body = texts(payload_of(a_message(note)))
    assert "&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; more" in body
    assert not any(mark in body for mark in ("<!", "<@", "<https://evil"))


def test_a_link_cannot_be_broken_out_of() -> None:
    note = a_note(offline(runbook_url="https://wiki.example.com/a|b>c"))
    _, body = texts(payload_of(a_message(note)))
    assert "<https://wiki.example.com/a%7Cb&gt;c|Runbook>" in body


def test_the_limits_of_slack_hold_whatever_is_said() -> None:
    long = "&" * 5_000
    note = a_note(
        offline(title=long, message=long, runbook_url=f"https://wiki.example.com/{long}"), actor=long, also_told=(long,)
    )
    header, *bodies = texts(payload_of(a_message(note)))
    assert len(header) <= 150
    assert all(0 < len(body) <= 3_000 for body in bodies)
    assert URL in "".join(bodies)


def test_a_bundle_lists_every_alert_with_its_link() -> None:
    payload = payload_of(a_storm(40))
    header, *bodies = texts(payload)
    assert header == "🔴 Acme: 40 alerts at once, all open"
    lines = "\n".join(bodies).splitlines()
    assert lines[0] == f"<{URL}|🔴 HIGH · Device offline: Till 0 · store north · since 06:00:00 UTC>"
    assert len(lines) == 41
    assert lines[-1] == "<https://fleet.example.com/alerts|Open the dashboard>"
    assert len(bodies) > 1
    assert all(len(body) <= 3_000 for body in bodies)


def test_five_hundred_alerts_are_in_one_message_and_none_is_missing() -> None:
    text = payload_of(a_storm(500))["text"]
    assert len(text) <= LONGEST_TEXT
    assert all(f"Till {number} ·" in text for number in range(500))


def test_what_opened_and_ended_is_one_line_and_the_worst_comes_first() -> None:
    first, second = offline(id="1", title="Till 1"), offline(id="2", title="Till 2", severity=Severity.CRITICAL)
    bundle = a_message(a_note(first), a_note(second), the_end(alert=over(first)), bundling=Bundling.STORM)
    header, body = texts(payload_of(bundle))
    assert header == "🔴 Acme: 2 alerts at once, 1 open, 1 resolved"
    assert [line.partition("|")[2] for line in body.splitlines()[:2]] == [
        "🔴 CRITICAL · Till 2 · store north · since 06:00:00 UTC>",
        "🟢 RESOLVED · Till 1 · store north · after 12 min>",
    ]


def test_a_runbook_that_is_no_web_page_is_no_link() -> None:
    assert "javascript" not in str(payload_of(a_message(a_note(offline(runbook_url="javascript:alert(1)")))))


def test_what_no_message_can_hold_says_how_many_more_there_are() -> None:
    text = payload_of(a_storm(2_000))["text"]
    shown = text.count("Device offline")
    assert len(text) <= LONGEST_TEXT
    assert f"… and {2_000 - shown} more" in text
    assert text.endswith("|Open the dashboard>")


def test_a_bundle_has_the_colour_of_its_worst_that_is_not_over() -> None:
    notes = (
        a_note(offline(id="1", severity=Severity.LOW)),
        a_note(over(offline(id="2"), severity=Severity.CRITICAL)),
        a_note(offline(id="3")),
    )
    bundle = payload_of(a_message(*notes, bundling=Bundling.DIGEST))
    assert colour(bundle) == colour(payload_of(a_message(a_note(offline(severity=Severity.HIGH)))))
    assert texts(bundle)[0] == "🔴 Acme: 3 alerts in your digest, 2 open, 1 resolved"


def test_a_test_says_that_it_is_one() -> None:
    assert texts(payload_of(a_message())) == [
        "🟢 Test of the channel Pager",
        "This is a test of the channel Pager of Acme. It works.",
    ]
