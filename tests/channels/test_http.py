"""What HTTP takes and refuses before and after the vendor's own words."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from app.channels.http import REFUSED, InsideError, Reply, checked_socket, code_of, open_http, seconds_of
from app.courier import AT_ONCE
from app.domain.delivery import Never, TryAgain
from tests.cast import NOW
from tests.delivery.receiver import Receiver


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://[not-an-address]/",
        "ftp://hooks.example.com/",
        "http://",
        "http:///path",
        "hooks.example.com",
        "http://hooks.example.com:99999/",
        "http://" + "a" * 70 + ".example.com/",
        "http://a..example.com/",
    ],
)
async def test_what_is_no_address_is_never_tried_again(url: str) -> None:
    async with open_http(checked=True, timeout_sec=1) as http:
        assert isinstance(await http.post(url, NOW, data=b""), Never)


@pytest.mark.parametrize("value", ["two\r\nX-Lines: 1", "null\x00"])
async def test_a_header_that_cannot_be_is_never_tried_again_and_not_shown(value: str, receiver: Receiver) -> None:
    async with open_http(checked=False, timeout_sec=1) as http:
        answer = await http.post(receiver.url, NOW, data=b"", headers={"Authorization": f"Bearer {value}"})
    assert isinstance(answer, Never)
    assert "two" not in answer.error
    assert receiver.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:{port}/",
        "http://127.0.0.1:{port}\\@8.8.8.8/",
        "http://8.8.8.8@127.0.0.1:{port}/",
        "http://127.0.0.1。:{port}/",
        "http://①②⑦.0.0.1:{port}/",
    ],
)
async def test_no_spelling_of_an_address_leads_into_the_network(url: str, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    async with open_http(checked=True, timeout_sec=1) as http:
        answer = await http.post(url.replace("{port}", port), NOW, data=b"{}")
    assert isinstance(answer, Never)
    assert receiver.calls == []


def test_the_address_that_is_connected_to_is_checked_itself() -> None:
    with pytest.raises(InsideError):
        checked_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))
    with checked_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))) as opened:
        assert opened.family is socket.AF_INET


async def test_a_literal_address_inside_is_refused_in_words_that_say_what_to_do(receiver: Receiver) -> None:
    async with open_http(checked=True) as http:
        assert await http.post(receiver.url, NOW, data=b"") == Never(REFUSED)
    assert "ALLOW_PRIVATE_WEBHOOKS" in REFUSED


async def test_a_failure_is_known_by_its_status_though_its_body_breaks_off(receiver: Receiver) -> None:
    receiver.answers = ["refused, in half"]
    async with open_http(checked=False, timeout_sec=1) as http:
        assert await http.post(receiver.url, NOW, data=b"") == Reply(404)


async def test_an_answer_over_the_limit_counts_by_its_status_alone(receiver: Receiver) -> None:
    receiver.answers, receiver.body = [200, 404], b'{"ok": true, "filler": "' + b"x" * 70_000 + b'"}'
    async with open_http(checked=False) as http:
        assert await http.post(receiver.url, NOW, data=b"") == Reply(200)
        assert await http.post(receiver.url, NOW, data=b"") == Reply(404)


async def test_a_compressed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.body, receiver.headers = b"\x1f\x8b\x08 a bomb", {"Content-Encoding": "gzip"}
    async with open_http(checked=False) as http:
        reply = await http.post(receiver.url, NOW, data=b"")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.said) == (200, {})
    assert receiver.calls[0].headers["Accept-Encoding"] == "identity"


async def test_a_time_limit_is_named(receiver: Receiver) -> None:
    receiver.answers = ["hang"]
    async with open_http(checked=False, timeout_sec=0.2) as http:
        assert await http.post(receiver.url, NOW, data=b"") == TryAgain("no answer within 0.2 s")


@pytest.mark.parametrize("body", [b"", b"[1]", b"nothing", b"[" * 60_000, b"\xff", b"1"])
def test_what_is_no_object_says_nothing(body: bytes) -> None:
    assert Reply(200, body).said == {}


@pytest.mark.parametrize("text", ["Invalid auth", "x" * 41, "", "path-t0ken", "ok!", None, 7, "two\nlines"])
def test_only_a_code_of_a_vendor_is_repeated(text: object) -> None:
    assert code_of(text) is None
    assert code_of("channel_not_found") == "channel_not_found"


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [A-Z+\-0-9]{1,6}")))
def test_retry_after_is_seconds_or_nothing_whatever_is_said(text: str) -> None:
    found = seconds_of(text, NOW)
    assert found is None or found >= 0


def test_retry_after_in_the_past_is_now() -> None:
    assert seconds_of("Sat, 21 Nov 2026 05:00:00 GMT", datetime(2026, 11, 21, 6, tzinfo=UTC)) == 0


async def test_whatever_the_courier_sends_at_once_goes_to_one_host_without_waiting(receiver: Receiver) -> None:
    receiver.answers = ["hang"] * AT_ONCE
    async with open_http(checked=False, timeout_sec=20) as http:
        tasks = [asyncio.create_task(http.post(receiver.url, NOW, data=b"")) for _ in range(AT_ONCE)]
        await receiver.until(AT_ONCE)
        assert isinstance(await http.post(receiver.url, NOW, data=b""), Reply)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
