import pytest

from tests.api.node.running import lines, next_line, start
from tests.api.serving import Serve
from tests.api.transport.toy import World, toy_app


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("query", [{"next": {"data": {"caller": "good"}}}]),
        ("mutate", [{"next": {"data": {"beat": "d 1.5"}}}]),
        ("subscribe", [{"next": {"data": {"count": number}}} for number in range(3)]),
    ],
)
async def test_graphql_ws_runs_operations_to_their_end(serve: Serve, scenario: str, said: list[object]) -> None:
    served = await serve(toy_app(World()))
    expected = [{"connected": True}, *said, {"complete": True}, {"closed": 1000, "reason": "Normal Closure"}]
    assert await lines("client.cjs", served.ws, scenario) == expected


async def test_graphql_ws_is_told_the_code_of_a_refused_subscription(serve: Serve) -> None:
    served = await serve(toy_app(World()))
    said = await lines("client.cjs", served.ws, "refused")
    assert [error["extensions"]["code"] for line in said for error in line.get("error", [])] == ["NOT_FOUND"]


async def test_graphql_ws_comes_back_after_a_restart(serve: Serve) -> None:
    app = toy_app(World())
    served = await serve(app)
    client = await start("client.cjs", served.ws, "forever")
    assert await next_line(client) == {"connected": True}
    assert await next_line(client) == {"next": {"data": {"forever": 0}}}
    await app.drain()
    app.draining = False
    assert await next_line(client) == {"closed": 1012, "reason": "Service restart"}
    said = await next_line(client)
    while "closed" in said:  # it may have knocked while the door was still shut
        said = await next_line(client)
    assert said == {"connected": True}
    assert await next_line(client) == {"next": {"data": {"forever": 0}}}
    client.terminate()
    await client.wait()


async def test_graphql_ws_gives_up_after_4400(serve: Serve) -> None:
    served = await serve(toy_app(World()))
    said = await lines("client.cjs", served.ws, "fatal")
    reason = "Message is expected to be an object, but got an array"
    assert said.count({"connected": True}) == 1
    assert {"closed": 4400, "reason": reason} in said
    assert {"error": {"code": 4400, "reason": reason}} in said
