import json
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from schema.transport import TransportOptions
from tests.api.transport.conftest import asking
from tests.api.transport.toy import World, toy_app

GRAPHQL = "application/graphql-response+json"


async def ask(http: httpx2.AsyncClient, query: str, **parameters: Any) -> dict[str, Any]:
    response = await http.post("/", json={"query": query, **parameters})
    answer: dict[str, Any] = response.json()
    return answer


def code(answer: dict[str, Any]) -> str:
    found: str = answer["errors"][0]["extensions"]["code"]
    return found


async def test_a_query_is_answered_as_json(http: httpx2.AsyncClient) -> None:
    response = await http.post("/", json={"query": "{ echo }"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {"data": {"echo": "hello"}}


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json", GRAPHQL),
        (f"application/json;q=0.9, {GRAPHQL};q=0.8", "application/json"),
        (f"text/html, {GRAPHQL};q=0.5, */*;q=0.1", GRAPHQL),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_the_answer_has_the_type_that_the_client_wants_most(http: httpx2.AsyncClient, accept: str, given: str) -> None:
    response = await http.post("/", json={"query": "{ echo }"}, headers={"accept": accept})
    assert response.headers["content-type"].split(";")[0] == given


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/png, application/json;q=x"])
async def test_an_answer_in_another_type_is_refused_with_406(http: httpx2.AsyncClient, accept: str) -> None:
    response = await http.post("/", json={"query": "{ echo }"}, headers={"accept": accept})
    assert (response.status_code, code(response.json())) == (406, "BAD_USER_INPUT")


async def test_a_mutation_over_get_is_405_and_says_how_to_send_it(http: httpx2.AsyncClient) -> None:
    response = await http.get("/", params={"query": 'mutation { beat(input: {deviceId: "d"}) }'})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_another_method_is_405(http: httpx2.AsyncClient) -> None:
    response = await http.put("/", json={"query": "{ echo }"})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=latin-1", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_415(http: httpx2.AsyncClient, content_type: str) -> None:
    response = await http.post("/", content=b"{}", headers={"content-type": content_type})
    assert response.status_code == 415


async def test_a_compressed_body_is_415(http: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert (await http.post("/", content=b"{}", headers=headers)).status_code == 415


async def test_an_announced_body_over_the_limit_is_413(http: httpx2.AsyncClient) -> None:
    response = await http.post("/", json={"query": "{ echo }", "variables": {"a": "x" * 5_000}})
    assert (response.status_code, code(response.json())) == (413, "TOO_COMPLEX")


async def test_a_chunked_body_is_not_read_beyond_the_limit(world: World) -> None:
    """Straight on ASGI: the server would hide what is read."""
    app = toy_app(world, TransportOptions(max_body_bytes=100))
    given = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal given
        given += 60
        return {"type": "http.request", "body": b" " * 60, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    assert sent[0]["status"] == 413
    assert given == 120


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "null", "[{}]", "{}", '{"query": 1}', '{"query": ""}', "{", ""])
async def test_a_body_that_is_no_request_is_400_with_a_graphql_error(http: httpx2.AsyncClient, body: str) -> None:
    response = await http.post("/", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, code(response.json())) == (400, "BAD_USER_INPUT")
    assert "data" not in response.json()


async def test_all_wrong_parameters_are_named_at_once(http: httpx2.AsyncClient) -> None:
    answer = await ask(http, "{ echo }", variables=[], operationName=3, extensions="x")
    assert [field["path"] for field in answer["errors"][0]["extensions"]["fields"]] == [
        "operationName",
        "variables",
        "extensions",
    ]


async def test_nan_is_refused_by_the_path_of_each(http: httpx2.AsyncClient, world: World) -> None:
    body = '{"query": "mutation M($input: BeatInput!) {beat(input: $input)}", "variables": {"input": {"cpuUsage": NaN, "a": [-Infinity]}}}'
    response = await http.post("/", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {
        "code": "BAD_USER_INPUT",
        "fields": [
            {"path": "variables.input.cpuUsage", "message": "NaN is no JSON number; leave the field out or send null"},
            {"path": "variables.input.a[0]", "message": "Infinity is no JSON number; leave the field out or send null"},
        ],
    }
    assert world.contexts == []


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query ($id: ID!) { echo }", "query A { echo } query B { echo }"])
async def test_a_request_that_cannot_run_is_400_without_data_or_200_for_plain_json(http: httpx2.AsyncClient, query: str) -> None:
    for accept, status in ((GRAPHQL, 400), ("application/json", 200)):
        response = await http.post("/", json={"query": query}, headers={"accept": accept})
        assert (response.status_code, code(response.json())) == (status, "BAD_USER_INPUT")
        assert "data" not in response.json()


async def test_an_unknown_operation_name_is_400(http: httpx2.AsyncClient) -> None:
    response = await http.post("/", json={"query": "query A { echo }", "operationName": "B"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["fields"][0]["path"] == "operationName"


async def test_a_subscription_over_post_is_sent_to_the_socket(http: httpx2.AsyncClient) -> None:
    response = await http.post("/", json={"query": "subscription { count(to: 1) }"})
    assert response.status_code == 400
    assert "WebSocket" in response.json()["errors"][0]["message"]


async def test_the_authorization_and_the_address_reach_the_application(http: httpx2.AsyncClient, world: World) -> None:
    await http.post("/", json={"query": "{ echo }"}, headers={"authorization": "Bearer me"})
    await http.post("/", json={"query": "{ echo }"}, headers={"x-api-key": "fbk_1"})
    assert world.asked == [("Bearer me", "127.0.0.1"), ("X-API-Key fbk_1", "127.0.0.1")]


@pytest.mark.parametrize(
    ("token", "status", "expected"),
    [("bad", 401, "UNAUTHENTICATED"), ("down", 503, "UNAVAILABLE"), ("lost", 503, "UNAVAILABLE"), ("broken", 500, "INTERNAL")],
)
async def test_who_is_not_let_in_reads_why_in_the_status(
    http: httpx2.AsyncClient, token: str, status: int, expected: str
) -> None:
    response = await http.post("/", json={"query": "{ echo }"}, headers={"authorization": f"Bearer {token}"})
    assert (response.status_code, code(response.json())) == (status, expected)
    assert "hunter2" not in response.text
    assert ("retry-after" in response.headers) == (status == 503)
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_each_request_has_a_context_of_its_own(http: httpx2.AsyncClient, world: World) -> None:
    await ask(http, "{ echo }")
    await ask(http, "{ echo }")
    assert len({id(context) for context in world.contexts}) == 2


async def test_the_page_to_try_queries_is_there_only_when_asked_for(http: httpx2.AsyncClient, world: World) -> None:
    page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert (await http.get("/", headers=page)).status_code == 400
    async with asking(toy_app(world, TransportOptions(graphql_ide=True))) as http_with_ide:
        assert "<html" in (await http_with_ide.get("/", headers=page)).text
        assert (await http_with_ide.get("/", params={"query": "{ echo }"}, headers=page)).json() == {"data": {"echo": "hello"}}


async def test_text_beyond_ascii_comes_back_as_it_was(http: httpx2.AsyncClient) -> None:
    assert await ask(http, "query ($t: String!) { echo(text: $t) }", variables={"t": "Käse 🧀"}) == {"data": {"echo": "Käse 🧀"}}


async def test_a_key_given_twice_is_refused(http: httpx2.AsyncClient) -> None:
    body = json.dumps({"query": "{ echo }"})[:-1] + ', "query": "{ caller }"}'
    response = await http.post("/", content=body, headers={"content-type": "application/json"})
    assert response.json()["errors"][0]["extensions"]["fields"] == [{"path": "query", "message": "the key stands more than once"}]


async def test_a_client_that_goes_while_it_sends_is_no_error_of_ours(world: World) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        """Nobody listens."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    with capture_logs() as logs:
        await toy_app(world)(scope, receive, send)
    assert logs == []
