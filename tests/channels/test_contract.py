"""The contract of a way out, over every kind of channel: when to try again, when never, and that no secret gets out."""

import tracemalloc
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trustme
from pymongo import MongoClient

from app.channels.http import AGAIN
from app.channels.in_app import InAppWay
from app.channels.ways import open_ways
from app.context import Context
from app.domain.alert import Severity
from app.domain.channel import ChannelKind
from app.domain.delivery import Never, Sent, TryAgain
from app.domain.message import Message
from app.domain.tenant import EVERY_TENANT
from app.settings import Settings
from tests.cast import NOW
from tests.channels.kit import CASES, TIMEOUT_SEC, Case, hostile, tried, tried_often, untrusted
from tests.channels.messages import a_message, a_note, a_storm, offline, the_end
from tests.delivery.receiver import Receiver, receiving
from tests.elsewhere import failing

NOBODY = "http://127.0.0.1:9"
UNUSED = "http://nobody.invalid:60999"

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
with_far_end = pytest.mark.parametrize("case", [case for case in CASES if case.has_far_end], ids=lambda case: case.name)
inside = pytest.mark.parametrize("case", [case for case in CASES if not case.has_far_end], ids=lambda case: case.name)
over_http = pytest.mark.parametrize("case", [case for case in CASES if case.over_http], ids=lambda case: case.name)


def message_for(case: Case) -> Message:
    return a_message(a_note(), to=case.to)


def meaning(case: Case, status: int) -> type[Sent | TryAgain | Never]:
    if 200 <= status < 300:
        # An answer of status 204 has no body, and so cannot say that the message was taken.
        return TryAgain if case.reads and status == 204 else Sent
    return TryAgain if status in (*AGAIN, *case.of_settings) or status >= 500 else Never


async def test_every_kind_that_is_registered_is_in_the_kit() -> None:
    async with open_ways(Settings()) as ways:
        assert {*ways, ChannelKind.IN_APP} == set(ChannelKind) == {case.kind for case in CASES}


@every
def test_a_config_shows_nothing_of_itself(case: Case) -> None:
    config = case.config("https://hooks.example.com")
    assert repr(config) == str(config) == f"{type(config).__name__}(...)"


@with_far_end
async def test_nobody_listening_is_tried_again(case: Case) -> None:
    assert isinstance(await tried(case, message_for(case), NOBODY), TryAgain)


@over_http
async def test_each_status_means_sent_try_again_or_never(case: Case, receiver: Receiver) -> None:
    found, meant = dict[int, str](), dict[int, str]()
    for statuses, body in ((range(200, 300), case.success), (range(300, 600), hostile(case))):
        receiver.body, receiver.answers = body, list(statuses)
        answers = await tried_often(case, message_for(case), receiver.url, len(statuses))
        found |= {status: type(answer).__name__ for status, answer in zip(statuses, answers, strict=True)}
        meant |= {status: meaning(case, status).__name__ for status in statuses}
    assert found == meant
    assert len(receiver.calls) == 400


@over_http
async def test_whatever_there_is_to_say_is_sent(case: Case, receiver: Receiver) -> None:
    receiver.body = case.success
    note = a_note(offline(severity=Severity.CRITICAL))
    for message in (a_message(to=case.to), a_message(note, to=case.to), a_message(the_end(), to=case.to, first_receipt="C:1")):
        assert isinstance(await tried(case, message, receiver.url), Sent)
    for count in (1, 60):
        assert isinstance(await tried(case, a_storm(count, to=case.to), receiver.url), Sent)


@inside
async def test_whatever_there_is_to_say_is_kept_once_for_each_key(case: Case, context: Context) -> None:
    way = InAppWay(context.store.notifications, context.bus, timedelta(days=1))
    said = (a_message(to=case.to), a_message(a_note(), to=case.to, id="1"), a_storm(60, to=case.to, id="2"))
    for message in said:
        assert await tried_often(case, message, UNUSED, 2, in_app=way) == [Sent(), Sent()]
    assert len(await context.store.notifications.page(EVERY_TENANT, "vera", False, 10)) == len(said)


@inside
async def test_what_the_database_says_gets_no_further(
    case: Case, context: Context, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    way = InAppWay(context.store.notifications, context.bus, timedelta(days=1))
    with failing(mongo_client, "update", times=1, errorCode=50):
        answers = await tried_often(case, message_for(case), UNUSED, 2, in_app=way)
    assert answers == [TryAgain("the database did not take it"), Sent()]


@over_http
async def test_a_redirect_is_not_followed(case: Case, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [302, 307], {"Location": receiver.url + "/elsewhere"}
    for _ in range(2):
        answer = await tried(case, message_for(case), receiver.url)
        assert isinstance(answer, Never)
        assert "redirect" in answer.error
    assert not any("elsewhere" in call.path for call in receiver.calls)


@over_http
@pytest.mark.parametrize("failure", ["hang", "reset", "amid"])
async def test_no_answer_or_half_a_head_is_tried_again(case: Case, failure: str, receiver: Receiver) -> None:
    receiver.answers = [failure]
    timeout_sec = 0.3 if failure == "hang" else TIMEOUT_SEC
    assert isinstance(await tried(case, message_for(case), receiver.url, timeout_sec), TryAgain)


@over_http
async def test_half_a_body_is_tried_again_where_the_body_says_what_became_of_it(case: Case, receiver: Receiver) -> None:
    receiver.answers = ["half"]
    answer = await tried(case, message_for(case), receiver.url)
    # Slack's webhooks and the others say it by their status; who reads on needs the whole answer all the same.
    assert isinstance(answer, TryAgain) or not case.reads


@over_http
async def test_an_endless_answer_costs_little_memory_and_no_more_than_its_time(case: Case, receiver: Receiver) -> None:
    receiver.answers = ["endless"]
    tracemalloc.start()
    try:
        answer = await tried(case, message_for(case), receiver.url, 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(answer, TryAgain if case.reads else Sent)
    assert peak < 4 * 1024 * 1024


@over_http
@pytest.mark.parametrize(
    "body", [b"<html>welcome to the hotel</html>", b"", b"[" * 60_000, b'"ok"', b"\xff\xfe", b'{"ok": "yes"}'], ids=range(6)
)
async def test_an_answer_that_is_not_the_vendors_is_no_success(case: Case, body: bytes, receiver: Receiver) -> None:
    receiver.body = body
    answer = await tried(case, message_for(case), receiver.url)
    assert isinstance(answer, TryAgain if case.reads else Sent)


@over_http
async def test_a_certificate_that_nobody_vouches_for_is_not_believed(case: Case) -> None:
    async with receiving(untrusted(trustme.CA())) as receiver:
        answer = await tried(case, message_for(case), receiver.url)
        assert isinstance(answer, TryAgain)
        assert "certificate" in answer.error
        assert receiver.calls == []


@over_http
async def test_a_wrong_token_is_tried_again_only_where_the_operator_can_mend_it(case: Case, receiver: Receiver) -> None:
    status, receiver.body = case.wrong_token
    receiver.answers = [status]
    meant = TryAgain if status in case.of_settings else Never
    assert isinstance(await tried(case, message_for(case), receiver.url), meant)
    assert len(receiver.calls) == 1


@over_http
@pytest.mark.parametrize("wish", ["17", format_datetime(NOW + timedelta(seconds=17), usegmt=True)], ids=["seconds", "date"])
async def test_retry_after_is_heard(case: Case, wish: str, receiver: Receiver) -> None:
    receiver.answers, receiver.headers, receiver.body = [429, 503], {"Retry-After": wish}, hostile(case)
    for answer in await tried_often(case, message_for(case), receiver.url, 2):
        assert isinstance(answer, TryAgain)
        assert answer.after_sec == 17


@over_http
async def test_every_try_has_the_same_key(case: Case, receiver: Receiver) -> None:
    receiver.answers, receiver.body = [503, "reset", 200], case.success
    answers = await tried_often(case, message_for(case), receiver.url, 3)
    assert [type(answer) for answer in answers] == [TryAgain, TryAgain, Sent]
    assert [case.key_of(call) for call in receiver.calls] == ["alert-1-7-channel-1"] * 3


@over_http
async def test_a_proxy_of_the_environment_is_not_asked(case: Case, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NOBODY)
    receiver.body = case.success
    assert isinstance(await tried(case, message_for(case), receiver.url), Sent)


@over_http
async def test_no_cookie_is_kept(case: Case, receiver: Receiver) -> None:
    receiver.headers, receiver.body = {"Set-Cookie": "session=1; Path=/"}, case.success
    # By a name: a jar keeps none of bare addresses anyway.
    await tried_often(case, message_for(case), receiver.url.replace("127.0.0.1", "localhost"), 2)
    assert len(receiver.calls) == 2
    assert not any("Cookie" in call.headers for call in receiver.calls)
