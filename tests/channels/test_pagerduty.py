"""What PagerDuty is told: one incident for each alert, from its trigger to its end."""

from typing import Any

import pytest

from app.domain.alert import AlertEventType, Severity
from app.domain.channel import PagerDutyConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message
from tests.channels.messages import RUNBOOK, URL, a_message, a_note, a_storm, offline, the_end, till
from tests.channels.sending import only_body, send
from tests.delivery.receiver import Receiver

KEY = PagerDutyConfig(routing_key="e93facc04764012d7bfb002500d5d1a6")


async def tell(receiver: Receiver, message: Message) -> Answer:
    return await send(KEY, message, pagerduty_api_url=receiver.url)


async def test_an_alert_triggers_with_all_that_helps(receiver: Receiver) -> None:
    receiver.answers = [202]
    note = a_note(offline(severity=Severity.CRITICAL, runbook_url=RUNBOOK), device=till(), also_told=("Mail",))
    assert await tell(receiver, a_message(note)) == Sent("alert-1")
    assert receiver.calls[0].path == "/hook/v2/enqueue"
    said = only_body(receiver)
    assert (said["routing_key"], said["event_action"], said["dedup_key"]) == (KEY.routing_key, "trigger", "alert-1")
    assert (said["client"], said["client_url"]) == ("Fleetbeat", URL)
    assert said["links"] == [{"href": URL, "text": "Open the alert"}, {"href": RUNBOOK, "text": "Runbook"}]
    assert said["payload"] == {
        "summary": "Device offline: Till 1 (Acme)",
        "severity": "critical",
        "source": "till-1.local",
        "timestamp": "2026-11-21T06:00:00+00:00",
        "component": "pos-1",
        "group": "north",
        "class": "device_offline",
        "custom_details": {
            "event": "device.offline",
            "tenant": "Acme",
            "facts": [
                "silent for 130 s",
                "since 06:00:00 UTC · Acme · store north · pos-1 · till-1.local",
                "value 130 s, threshold 120 s",
                "also told: Mail",
            ],
            "value": 130.0,
            "threshold": 120.0,
            "unit": "s",
        },
    }


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (AlertEventType.OPENED, "trigger"),
        (AlertEventType.REOPENED, "trigger"),
        (AlertEventType.SEVERITY_CHANGED, "trigger"),
        (AlertEventType.ACKNOWLEDGED, "acknowledge"),
        (AlertEventType.RESOLVED, "resolve"),
    ],
)
async def test_what_happened_to_the_alert_happens_to_the_incident(kind: AlertEventType, action: str, receiver: Receiver) -> None:
    await tell(receiver, a_message(a_note(type=kind)))
    said = only_body(receiver)
    assert (said["event_action"], said["dedup_key"]) == (action, "alert-1")


@pytest.mark.parametrize(
    ("severity", "theirs"),
    [
        (Severity.CRITICAL, "critical"),
        (Severity.HIGH, "error"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "warning"),
        (Severity.INFO, "info"),
    ],
)
async def test_severities_are_told_in_their_words(severity: Severity, theirs: str, receiver: Receiver) -> None:
    await tell(receiver, a_message(a_note(offline(severity=severity))))
    assert only_body(receiver)["payload"]["severity"] == theirs


async def test_a_summary_is_as_long_as_it_may_be(receiver: Receiver) -> None:
    await tell(receiver, a_message(a_note(offline(title="x" * 2_000))))
    summary = only_body(receiver)["payload"]["summary"]
    assert len(summary) <= 1_024
    assert summary.endswith("xxx… (Acme)")


async def test_an_end_names_the_incident_by_the_same_key(receiver: Receiver) -> None:
    assert await tell(receiver, a_message(the_end())) == Sent("alert-1")
    assert only_body(receiver)["dedup_key"] == "alert-1"


@pytest.mark.parametrize(("status", "answer"), [(400, Never("answered 400")), (429, TryAgain("answered 429"))])
async def test_a_bad_event_is_never_tried_again_and_a_throttled_one_is(status: int, answer: Any, receiver: Receiver) -> None:
    receiver.answers = [status]
    assert await tell(receiver, a_message(a_note())) == answer


async def test_what_was_bundled_is_an_event_for_each(receiver: Receiver) -> None:
    await tell(receiver, a_storm(3))
    assert [call.said["dedup_key"] for call in receiver.calls] == ["alert-0", "alert-1", "alert-2"]


async def test_a_test_is_an_incident_of_its_own_that_wakes_nobody(receiver: Receiver) -> None:
    await tell(receiver, a_message(id="test-1"))
    said = only_body(receiver)
    assert (said["event_action"], said["dedup_key"], said["payload"]["severity"]) == ("trigger", "test-1", "info")
