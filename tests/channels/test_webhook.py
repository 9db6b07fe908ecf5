"""What a webhook says in each format, and who can tell that it is ours."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.domain.alert import AlertEventType
from app.domain.channel import WebhookConfig, WebhookFormat
from app.domain.delivery import Never, Sent, TryAgain
from app.domain.webhook_message import body_of, has_word_for, headers_of
from tests.cast import NOW
from tests.channels.messages import LATER, URL, a_message, a_note, a_storm, the_end, till
from tests.channels.sending import only_body, send
from tests.delivery.receiver import Receiver

SECRET = "a secret for the tests 0123"
STANDARD, STANDARD_BEFORE = (f"whsec_{base64.b64encode(bytes([byte]) * 32).decode()}" for byte in (7, 8))
PROTOCOL = (Path(__file__).parents[2] / "frontend-contract" / "PROTOCOL.md").read_text(encoding="utf-8")
CHAPTER = PROTOCOL[PROTOCOL.index("## 10 Webhooks") : PROTOCOL.index("## 11 ")]

TILL = {"id": "pos-1", "name": "Till 1", "hostname": "till-1.local", "description": None}


def hook(url: str = "https://hooks.example.com", **values: Any) -> WebhookConfig:
    return WebhookConfig(**{"url": url, "secret": SECRET, **values})


def machine(url: str) -> WebhookConfig:
    return hook(url, format=WebhookFormat.MACHINE)


def signed(config: WebhookConfig, now: datetime = NOW) -> tuple[bytes, dict[str, str]]:
    body = body_of(WebhookFormat.FLEETBEAT, a_note(device=till()))
    return body, headers_of("message-1", config, body, now)


async def test_a_device_that_falls_silent_is_told_with_its_alert_as_it_was(receiver: Receiver) -> None:
    note = a_note(device=till(), reason="silent for 130 s")
    assert await send(hook(receiver.url), a_message(note)) == Sent()
    said = only_body(receiver)
    assert list(said) == ["event", "at", "actor", "reason", "alert", "device"]
    assert (said["event"], said["at"], said["actor"]) == ("device.offline", "2026-11-21T06:00:00.000Z", None)
    assert said["device"] == {**TILL, "status": "offline", "last_seen": "2026-11-21T05:57:50.000Z"}
    assert (said["alert"]["id"], said["alert"]["status"], said["alert"]["url"]) == ("alert-1", "open", URL)


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (AlertEventType.ACKNOWLEDGED, "alert.acknowledged"),
        (AlertEventType.SEVERITY_CHANGED, "alert.severity_changed"),
        (AlertEventType.REOPENED, "alert.reopened"),
    ],
)
async def test_every_other_event_has_the_same_body_with_who_and_why(kind: AlertEventType, event: str, receiver: Receiver) -> None:
    await send(hook(receiver.url), a_message(a_note(type=kind, event=event, actor="bea", reason="on my way", at=LATER)))
    said = only_body(receiver)
    assert (said["event"], said["actor"], said["reason"], said["at"]) == (event, "bea", "on my way", "2026-11-21T06:12:00.000Z")
    assert set(said["alert"]) == set(json.loads(body_of(WebhookFormat.FLEETBEAT, a_note()))["alert"])


async def test_a_test_has_no_alert(receiver: Receiver) -> None:
    await send(hook(receiver.url), a_message())
    assert only_body(receiver) == {"event": "channel.test", "alert": None, "device": None}


async def test_machine_says_exactly_what_its_receivers_know(receiver: Receiver) -> None:
    await send(machine(receiver.url), a_message(a_note(device=till())))
    offline_said = {"id": "pos-1", **TILL, "status": "offline", "last_seen": "2026-11-21T05:57:50.000Z"}
    assert only_body(receiver) == {"event": "machine.offline", "machine": offline_said}
    receiver.calls.clear()
    await send(machine(receiver.url), a_message(the_end(device=till())))
    assert only_body(receiver) == {"event": "machine.online", "machine": {**offline_said, "status": "online"}}


async def test_machine_tells_of_a_device_that_was_deleted_since(receiver: Receiver) -> None:
    await send(machine(receiver.url), a_message(a_note()))
    assert only_body(receiver)["machine"] == {
        "id": "pos-1",
        "name": None,
        "hostname": None,
        "description": None,
        "status": "offline",
        "last_seen": None,
    }


async def test_a_test_of_a_machine_channel_has_no_machine(receiver: Receiver) -> None:
    await send(machine(receiver.url), a_message())
    assert only_body(receiver) == {"event": "channel.test", "machine": None}


async def test_machine_has_no_word_for_anything_else(receiver: Receiver) -> None:
    assert not has_word_for(WebhookFormat.MACHINE, "alert.opened")
    assert has_word_for(WebhookFormat.FLEETBEAT, "alert.opened")
    answer = await send(machine(receiver.url), a_message(a_note(event="alert.opened")))
    assert answer == Never("the format MACHINE has no word for alert.opened")
    assert receiver.calls == []


async def test_what_was_bundled_goes_one_after_the_other_under_ids_of_its_own(receiver: Receiver) -> None:
    assert await send(hook(receiver.url), a_storm(3)) == Sent()
    assert [call.said["alert"]["id"] for call in receiver.calls] == ["alert-0", "alert-1", "alert-2"]
    assert [call.headers["X-Webhook-Id"] for call in receiver.calls] == [f"alert-1-7-channel-1-{n}" for n in (1, 2, 3)]
    receiver.answers = [200, 503]
    assert isinstance(await send(hook(receiver.url), a_storm(3)), TryAgain)
    assert len(receiver.calls) == 5


async def test_only_time_and_standard_signature_differ_between_tries(receiver: Receiver) -> None:
    message = a_message(a_note(device=till()))
    await send(hook(receiver.url), message)
    await send(hook(receiver.url), a_message(*message.notes, now=LATER))
    first, second = receiver.calls
    assert first.body == second.body
    differing = {name.lower() for name in first.headers if first.headers[name] != second.headers[name]}
    assert differing == {"x-webhook-timestamp", "webhook-timestamp", "webhook-signature"}


def example() -> Any:
    """The example of the protocol, as it stands there."""
    [text] = re.findall(r"```python\n(.*?)```", CHAPTER, re.DOTALL)
    assert len(text.strip().splitlines()) <= 10
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope["is_ours"]


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_the_example_of_the_protocol_tells_what_is_ours() -> None:
    body, headers = signed(hook())
    assert example()(body, lowered(headers), SECRET)
    assert not example()(body + b" ", lowered(headers), SECRET)
    assert not example()(body, lowered(headers), SECRET + "!")
    assert "X-Webhook-Signature-Previous" not in headers


def test_the_example_of_the_protocol_holds_through_a_rotation() -> None:
    rotated = hook(secret="the new secret 0123456789", previous_secret=SECRET, previous_until=NOW + timedelta(seconds=1))
    body, headers = signed(rotated)
    assert example()(body, lowered(headers), SECRET)
    assert example()(body, lowered(headers), "the new secret 0123456789")
    assert not example()(body, lowered(headers), "neither of the two 0123456789")


def test_the_secret_before_signs_no_longer_when_its_overlap_ends() -> None:
    rotated = hook(secret="the new secret 0123456789", previous_secret=SECRET, previous_until=NOW)
    body, headers = signed(rotated)
    assert not example()(body, lowered(headers), SECRET)
    assert "X-Webhook-Signature-Previous" not in headers
    assert len(headers["webhook-signature"].split()) == 1


@pytest.mark.parametrize("secret", [STANDARD, STANDARD.rstrip("=")], ids=["padded", "not padded"])
async def test_the_library_of_standard_webhooks_verifies_what_comes_over_the_wire(secret: str, receiver: Receiver) -> None:
    # The library holds the time against its own clock.
    await send(hook(receiver.url, secret=secret), a_message(a_note(device=till()), now=datetime.now(UTC)))
    [call] = receiver.calls
    assert Webhook(secret).verify(call.body, call.headers) == call.said
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(call.body + b" ", call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(STANDARD_BEFORE).verify(call.body, call.headers)


def test_the_library_of_standard_webhooks_verifies_either_secret_through_a_rotation() -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(hours=1)
    body, headers = signed(hook(secret=STANDARD, previous_secret=STANDARD_BEFORE, previous_until=ends), now)
    for secret in (STANDARD, STANDARD_BEFORE):
        assert Webhook(secret).verify(body, headers)
    body, headers = signed(hook(secret=STANDARD, previous_secret=STANDARD_BEFORE, previous_until=now), now)
    with pytest.raises(WebhookVerificationError):
        Webhook(STANDARD_BEFORE).verify(body, headers)


def test_the_bodies_of_the_protocol_have_the_fields_that_are_sent() -> None:
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", CHAPTER, re.DOTALL)]
    ours = [json.loads(body_of(form, a_note(device=till()))) for form in (WebhookFormat.FLEETBEAT, WebhookFormat.MACHINE)]
    assert [fields(said) for said in shown] == [fields(said) for said in ours]


def fields(said: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, dict) else None for name, value in said.items()}


def test_an_end_says_when_and_how() -> None:
    said = json.loads(body_of(WebhookFormat.FLEETBEAT, the_end()))["alert"]
    assert (said["status"], said["resolved_at"], said["resolution"]) == ("resolved", "2026-11-21T06:12:00.000Z", "recovered")
