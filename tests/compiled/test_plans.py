"""What is compiled, what is left to the general way, and that nobody can tell which it was."""

import json
from typing import Any

import pytest

from app.errors import UnavailableError
from schema.compiled.operations import LONGEST, MOST, MOST_OPENINGS
from tests.compiled.twins import Twin
from tests.flows.documents import BEAT, BEATS

EVENTS = "mutation($events: [OperationalEventInput!]!) { recordEvents(events: $events) { accepted rejected { index code } } }"
TILL = {"deviceId": "till-1"}


def body(query: str, variables: Any = None, **members: Any) -> bytes:
    return json.dumps({"query": query, "variables": variables, **members}).encode()


async def way_of(twin: Twin, asked: bytes, caller: str = "olga") -> str:
    """Which way a request goes once its document is known."""
    await twin.post(asked, caller)
    before = twin.served
    await twin.post(asked, caller)
    return "plan" if twin.served == before + 1 else "general"


@pytest.mark.parametrize(
    "asked",
    [
        body(BEAT, {"input": TILL}),
        body(BEATS, {"inputs": [TILL]}),
        body(EVENTS, {"events": [{"kind": "SALE"}]}),
        body('mutation { heartbeat(input: {deviceId: "till-1"}) { accepted } }'),
        body("mutation B($b: HeartbeatInput!) { beat: heartbeat(input: $b) { __typename ok: accepted } }", {"b": TILL}),
        body("mutation($b: HeartbeatInput!) { t: __typename heartbeat(input: $b) { ...F } } fragment F on HeartbeatAck { status }", {"b": TILL}),
        body("mutation B($b: HeartbeatInput!) { heartbeat(input: $b) { accepted } }", {"b": TILL}, operationName="B"),
        body(BEAT, {"input": {**TILL, "name": "é :😀", "services": [{"name": "web", "status": "HEALTHY", "checks": {"a": [1, None]}}]}}),
    ],
)  # fmt: skip
async def test_a_hot_field_is_served_by_a_plan(compiling: Twin, asked: bytes) -> None:
    assert await way_of(compiling, asked) == "plan"


@pytest.mark.parametrize(
    "asked",
    [
        body("{ __typename }"),
        body("mutation($id: ID!) { deleteAlert(id: $id) }", {"id": "1"}),
        body("mutation($id: ID!) { heartbeat(input: {deviceId: $id}) { accepted } }", {"id": "till-1"}),
        body("mutation($b: HeartbeatInput! = {deviceId: \"a\"}) { heartbeat(input: $b) { accepted } }", {"b": TILL}),
        body("mutation($b: HeartbeatInput!) { heartbeat(input: $b) { accepted @skip(if: false) } }", {"b": TILL}),
        body("mutation($b: HeartbeatInput!) { a: heartbeat(input: $b) { accepted } b: heartbeat(input: $b) { accepted } }", {"b": TILL}),
        body("mutation A($b: HeartbeatInput!) { heartbeat(input: $b) { accepted } } query B { __typename }", {"b": TILL}, operationName="A"),
        body(BEAT, {"input": TILL}, id=1),
        body(BEAT, {"input": TILL, "more": 1}),
        body(BEAT, {"input": {**TILL, "more": 1}}),
        body(BEAT, {"input": {**TILL, "sequence": 1.0}}),
        body(BEAT, {"input": {**TILL, "cpuUsage": 2**53}}),
        body(BEAT, {"input": {"deviceId": 7}}),
        body(BEAT, {"input": None}),
        body(BEAT, {}),
        body(BEATS, {"inputs": TILL}),
        body(BEAT, {"input": TILL}).replace(b'{"deviceId"', b'{"deviceId": "till-2", "deviceId"'),
        body(BEAT, {"input": TILL}).replace(b'{"query"', b'{"variables": {}, "query"'),
        body(f"{BEAT} #{'x' * LONGEST}", {"input": TILL}),
    ],
)  # fmt: skip
async def test_what_does_not_fit_goes_the_general_way(compiling: Twin, asked: bytes) -> None:
    assert await way_of(compiling, asked) == "general"


KNOWN = body(BEAT, {"input": TILL})


@pytest.mark.parametrize(
    "asked",
    [
        KNOWN[:-1],
        KNOWN + b"}",
        KNOWN + b" x",
        KNOWN[:-1] + b', "id": 1}',
        KNOWN[:-1] + b', "variables": {"input": {"deviceId": "till-2"}}}',
        KNOWN[:-1] + b', "query": "{ __typename }"}',
        KNOWN[:-2] + b', "more": 1}}',
        KNOWN.replace(b'{"input"', b'{"input": {"deviceId": "till-2"}, "input"'),
        KNOWN.replace(b'"till-1"', b'"till-1", "deviceId": "till-2"'),
        KNOWN.replace(b'{"input": {"deviceId": "till-1"}}', b"null"),
        KNOWN.replace(b'{"input": {"deviceId": "till-1"}}', b""),
        KNOWN.replace(b'{"input": {"deviceId": "till-1"}}', b"[]"),
    ],
)
async def test_a_request_that_only_begins_like_one_that_is_known_goes_the_general_way(
    compiling: Twin, general: Twin, asked: bytes
) -> None:
    assert await way_of(compiling, KNOWN) == "plan"
    assert compiling.graphql.compiled is not None
    assert compiling.graphql.compiled.call(KNOWN.replace(b"till-1", b"till-9")) is not None
    compiling.taken.clear()
    before = compiling.served
    assert await compiling.post(asked, "olga") == await general.post(asked, "olga")
    assert compiling.served == before
    assert compiling.taken == general.taken


@pytest.mark.parametrize(
    ("query", "first", "then"),
    [
        (BEAT, '"variables":V,"extensions":V', '"variables":V,"extensions":W'),
        (BEAT, '"extensions":V,"variables":V', '"extensions":V,"variables":W'),
        ('mutation { heartbeat(input: {deviceId: "till-1"}) { accepted } }', '"variables":null,"operationName":null', '"variables":null,"operationName":{}'),
        ('mutation { heartbeat(input: {deviceId: "till-1"}) { accepted } }', '"variables":{},"extensions":{}', '"variables":{},"extensions":null'),
        ('mutation { heartbeat(input: {deviceId: "till-1"}) { accepted } }', '"variables":{}', '"variables":'),
    ],
)  # fmt: skip
async def test_another_member_that_is_the_same_as_the_variables_is_not_taken_for_them(
    compiling: Twin, general: Twin, query: str, first: str, then: str
) -> None:
    values = {"V": '{"input":{"deviceId":"till-1"}}', "W": '{"input":{"deviceId":"till-2"}}'}
    for members in (first, first, first, then):
        text = members
        for name, value in values.items():
            text = text.replace(f":{name}", f":{value}")
        asked = f'{{"query":{json.dumps(query)},{text}}}'.encode()
        assert await compiling.post(asked, "olga") == await general.post(asked, "olga")
        assert compiling.taken == general.taken


async def test_of_requests_that_begin_alike_only_a_few_beginnings_are_remembered(compiling: Twin) -> None:
    for number in range(3 * MOST_OPENINGS):
        assert await way_of(compiling, KNOWN.replace(b'{"query"', b'{%b"query"' % (b" " * number))) == "plan"
    assert compiling.graphql.compiled is not None
    assert len(compiling.graphql.compiled._openings) == MOST_OPENINGS


async def test_the_first_call_of_a_document_goes_the_general_way(compiling: Twin) -> None:
    query = "mutation Never($seen: HeartbeatInput!) { heartbeat(input: $seen) { status } }"
    await compiling.post(body(query, {"seen": TILL}))
    assert compiling.served == 0
    await compiling.post(body(query, {"seen": TILL}))
    assert compiling.served == 1


async def test_a_plan_answers_in_the_order_of_the_selection(compiling: Twin) -> None:
    asked = body(
        "mutation($b: HeartbeatInput!) { heartbeat(input: $b) { n: nextWithinSec __typename ok: accepted receivedAt } }",
        {"b": TILL},
    )
    assert await way_of(compiling, asked) == "plan"
    expected = b'{"n":60,"__typename":"HeartbeatAck","ok":true,"receivedAt":"2026-11-21T06:00:00.000Z"}'
    assert (await compiling.post(asked))[2] == b'{"data":{"heartbeat":%b}}' % expected


async def test_errors_of_a_plan_have_path_and_location(compiling: Twin, general: Twin) -> None:
    asked = body(
        "mutation($b: HeartbeatInput!) {\n  beat: heartbeat(input: $b) { status }\n}", {"b": {"deviceId": "", "cpuUsage": 101}}
    )
    assert await way_of(compiling, asked) == "plan"
    answered = await compiling.post(asked)
    assert answered == await general.post(asked)
    [error] = json.loads(answered[2])["errors"]
    assert (error["path"], error["locations"]) == (["beat"], [{"line": 2, "column": 3}])
    assert [field["path"] for field in error["extensions"]["fields"]] == ["input.deviceId", "input.cpuUsage"]


async def test_a_use_case_that_fails_is_not_called_again(compiling: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = body(BEAT, {"input": TILL})
    assert await way_of(compiling, asked) == "plan"
    calls: list[int] = []

    async def take(arrived: Any) -> Any:
        calls.append(len(arrived))
        raise UnavailableError("too many wait", 1)

    monkeypatch.setattr(compiling.context.intake, "take", take)
    status, _, content = await compiling.post(asked)
    assert (status, json.loads(content)["errors"][0]["extensions"]) == (200, {"code": "UNAVAILABLE", "retryAfterSec": 1})
    assert calls == [1]


async def test_a_thousand_spellings_are_not_all_remembered(compiling: Twin) -> None:
    for number in range(MOST + 10):
        asked = body(
            f"mutation($b: HeartbeatInput!) {{ heartbeat(input: $b) {{ a{number}: accepted }} }}", {"b": {"deviceId": ""}}
        )
        await compiling.post(asked)
        await compiling.post(asked)
    assert compiling.graphql.compiled is not None
    assert len(compiling.graphql.compiled) == MOST


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "text/plain"}, {"content_encoding": "gzip"}, {"accept": "text/html"}, {"content_length": str(2**30)}],
)
async def test_a_plan_is_no_way_round_what_http_refuses(compiling: Twin, general: Twin, headers: dict[str, str]) -> None:
    asked = body(BEAT, {"input": TILL})
    assert await way_of(compiling, asked) == "plan"
    before, taken = compiling.served, len(compiling.taken)
    answered = await compiling.post(asked, **headers)
    assert answered == await general.post(asked, **headers)
    assert answered[0] in (406, 413, 415)
    assert (compiling.served, len(compiling.taken)) == (before, taken)
