"""Operations by the SHA-256 of their text, over HTTP and over sockets, the general way and by a plan."""

import json
from typing import Any

import pytest

from schema.documents import digest_of
from tests.api.serving import Serve
from tests.api.transport.conftest import connected
from tests.compiled.twins import Twin

NAMED = "mutation Persisted{}($b: HeartbeatInput!) {{ heartbeat(input: $b) {{ accepted }} }}"
VARIABLES = {"b": {"deviceId": "till-1"}}
ACCEPTED = {"data": {"heartbeat": {"accepted": True}}}


def by_hash(text: str, **members: Any) -> dict[str, Any]:
    return {"variables": VARIABLES, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest_of(text)}}, **members}


async def post(twin: Twin, request: Any, **headers: str) -> tuple[int, Any]:
    status, _, content = await twin.post(json.dumps(request).encode(), **headers)
    return status, json.loads(content)


async def test_a_hash_is_not_known_until_its_text_was_sent(compiling: Twin) -> None:
    text = NAMED.format("Http")
    unknown = {"message": "PersistedQueryNotFound", "extensions": {"code": "NOT_FOUND"}}
    assert await post(compiling, by_hash(text)) == (200, {"errors": [unknown]})
    assert await post(compiling, by_hash(text), accept="application/graphql-response+json") == (400, {"errors": [unknown]})
    assert await post(compiling, by_hash(text, query=text)) == (200, ACCEPTED)
    before = compiling.served
    assert await post(compiling, by_hash(text)) == (200, ACCEPTED)
    assert await post(compiling, by_hash(text, query=None)) == (200, ACCEPTED)
    assert await post(compiling, by_hash(text, query=text)) == (200, ACCEPTED)
    assert compiling.served == before + 3


async def test_a_text_that_is_not_valid_has_no_hash(compiling: Twin) -> None:
    text = "mutation { heartbeat { nothing } }"
    await post(compiling, by_hash(text, query=text))
    assert (await post(compiling, by_hash(text)))[1]["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize("persisted", [1, {}, {"version": 2, "sha256Hash": "0" * 64}, {"version": 1, "sha256Hash": 5}])
async def test_what_is_no_hash_is_refused(compiling: Twin, persisted: Any) -> None:
    status, answered = await post(compiling, {"extensions": {"persistedQuery": persisted}})
    assert (status, answered["errors"][0]["extensions"]["fields"][0]["path"]) == (400, "extensions.persistedQuery")


async def test_the_hash_of_another_text_is_refused(compiling: Twin) -> None:
    wrong = by_hash(NAMED.format("One"), query=NAMED.format("Two"))
    status, answered = await post(compiling, wrong)
    assert (status, answered["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")
    assert compiling.taken == []


@pytest.mark.parametrize("way", ["compiling", "general"])
async def test_over_a_socket_as_over_http(way: str, compiling: Twin, general: Twin, serve: Serve) -> None:
    twin = compiling if way == "compiling" else general
    text = NAMED.format(f"Socket{way}")
    peer = await connected((await serve(twin.graphql)).ws)
    await peer.init("olga")
    await peer.say({"id": "1", "type": "subscribe", "payload": by_hash(text, query="")})
    refused = await peer.hear()
    assert (refused["type"], refused["payload"][0]["message"]) == ("error", "PersistedQueryNotFound")
    for query in (text, "", text):
        await peer.say({"id": "é:1", "type": "subscribe", "payload": by_hash(text, query=query)})
        assert await peer.hear() == {"id": "é:1", "type": "next", "payload": ACCEPTED}
        assert await peer.hear() == {"id": "é:1", "type": "complete"}
    assert twin.served == (2 if way == "compiling" else 0)
    await peer.connection.close()
