"""What Twilio is told to send, and what becomes of its errors."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from app.channels.sms import LONGEST_TEXT, text_of
from app.domain.alert import Severity
from app.domain.channel import SmsConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Bundling, Message
from tests.channels.messages import URL, a_message, a_note, a_storm, offline, the_end
from tests.channels.sending import send
from tests.delivery.receiver import Receiver

TO = SmsConfig(to=("+15550001234", "+15550005678"))


async def text(receiver: Receiver, message: Message, **settings: Any) -> Answer:
    given: dict[str, Any] = {
        "twilio_api_url": receiver.url,
        "twilio_account_sid": "AC1",
        "twilio_auth_token": SecretStr("auth-token"),
        "twilio_from": "+15559990000",
        **settings,
    }
    return await send(TO, message, **given)


def form_of(receiver: Receiver, number: int = 0) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(receiver.calls[number].body.decode()).items()}


async def test_one_number_gets_one_short_text(receiver: Receiver) -> None:
    receiver.answers, receiver.body = [201], b'{"sid": "SM1", "status": "queued"}'
    note = a_note(offline(severity=Severity.CRITICAL))
    assert await text(receiver, a_message(note, to="+15550001234")) == Sent("SM1")
    [call] = receiver.calls
    assert call.path == "/hook/2010-04-01/Accounts/AC1/Messages.json"
    assert base64.b64decode(call.headers["Authorization"].removeprefix("Basic ")) == b"AC1:auth-token"
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = form_of(receiver)
    assert (form["To"], form["From"]) == ("+15550001234", "+15559990000")
    assert form["Body"].splitlines() == [
        "CRITICAL: Device offline: Till 1",
        "silent for 130 s",
        "since 06:00:00 UTC, Acme, store north, pos-1",
        "value 130 s, threshold 120 s",
        URL,
    ]


async def test_a_messaging_service_sends_in_the_place_of_a_number(receiver: Receiver) -> None:
    await text(receiver, a_message(a_note(), to="+15550001234"), twilio_from="MG0123")
    form = form_of(receiver)
    assert form["MessagingServiceSid"] == "MG0123"
    assert "From" not in form


async def test_a_message_to_nobody_in_particular_goes_to_every_number(receiver: Receiver) -> None:
    await text(receiver, a_message(a_note()))
    assert [form_of(receiver, number)["To"] for number in range(len(receiver.calls))] == list(TO.to)


@pytest.mark.parametrize("missing", ["twilio_account_sid", "twilio_auth_token", "twilio_from"])
async def test_without_an_account_it_says_what_is_missing(missing: str, receiver: Receiver) -> None:
    answer = await text(receiver, a_message(a_note(), to=TO.to[0]), **{missing: None})
    assert answer == TryAgain("SMS is not set up: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM are needed")
    assert receiver.calls == []


@pytest.mark.parametrize(("status", "code"), [(400, 21211), (400, 21610)])
async def test_a_refusal_is_named_by_its_code_alone(status: int, code: int, receiver: Receiver) -> None:
    said = {"code": code, "message": "The 'To' number +15550001234 is not a valid phone number.", "status": status}
    receiver.answers, receiver.body = [status], json.dumps(said).encode()
    assert await text(receiver, a_message(a_note(), to=TO.to[0])) == Never(f"Twilio refused: code {code}")


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20005), (404, 20404)])
async def test_an_account_that_does_not_hold_is_not_the_channels_fault(status: int, code: int, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [status], json.dumps({"code": code, "message": "Authenticate"}).encode()
    refused = TryAgain(f"Twilio refused the account (code {code}): TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    assert await text(receiver, a_message(a_note(), to=TO.to[0])) == refused


@pytest.mark.parametrize("code", [21212, 21603, 21606, 21659, 21660, 21703, 21705])
async def test_a_sender_that_may_not_send_is_not_the_channels_fault(code: int, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [400], json.dumps({"code": code, "message": "Invalid 'From'"}).encode()
    refused = TryAgain(f"Twilio refused the sender (code {code}): TWILIO_FROM")
    assert await text(receiver, a_message(a_note(), to=TO.to[0])) == refused


async def test_too_many_requests_are_tried_again(receiver: Receiver) -> None:
    receiver.answers, receiver.body = [429], b'{"code": 20429, "message": "Too Many Requests"}'
    assert isinstance(await text(receiver, a_message(a_note(), to=TO.to[0])), TryAgain)


def test_an_end_says_so() -> None:
    assert text_of(a_message(the_end())).splitlines()[0] == "RESOLVED: Device offline: Till 1"


def test_a_bundle_says_how_many_the_first_few_and_where_the_rest_is() -> None:
    assert text_of(a_storm(500)).splitlines() == [
        "Acme: 500 alerts at once, all open",
        "HIGH: Device offline: Till 0",
        "HIGH: Device offline: Till 1",
        "HIGH: Device offline: Till 2",
        "https://fleet.example.com/alerts",
    ]


def test_a_bundle_names_the_worst() -> None:
    notes = [a_note(offline(id=severity.name, severity=severity, title=severity.value)) for severity in reversed(Severity)]
    assert text_of(a_message(*notes, bundling=Bundling.DIGEST)).splitlines()[1:4] == [
        "CRITICAL: critical",
        "HIGH: high",
        "MEDIUM: medium",
    ]


def test_a_text_is_short_and_its_link_whole_whatever_is_said() -> None:
    long = "x" * 5_000
    note = a_note(offline(title=long, message=long), actor=long, also_told=(long,))
    said = text_of(a_message(note))
    assert len(said) <= LONGEST_TEXT
    assert said.endswith(URL)


def test_a_text_has_no_signs_that_double_its_price() -> None:
    long = a_note(offline(title="x" * 100))
    for message in (a_message(a_note()), a_message(long), a_message(the_end()), a_storm(9), a_message()):
        assert text_of(message).isascii()


def test_a_test_says_that_it_is_one() -> None:
    assert text_of(a_message()) == "This is a test of the channel Pager of Acme. It works."
