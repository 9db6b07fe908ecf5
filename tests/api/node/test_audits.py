from tests.api.node.running import lines
from tests.api.serving import Serve
from tests.api.transport.toy import World, toy_app


async def test_all_61_audits_of_graphql_over_http_are_ok(serve: Serve) -> None:
    served = await serve(toy_app(World()))
    [results] = await lines("audits.cjs", served.http)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
