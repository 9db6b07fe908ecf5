"""The Python client `gql`, as scripts and gateways use it."""

import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from tests.api.serving import Served
from tests.api.transport.toy import World


def client(toy: Served, token: str = "ann") -> Client:
    transport = WebsocketsTransport(
        url=toy.ws,
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        init_payload={"authorization": f"Bearer {token}"},
    )
    return Client(transport=transport)


async def test_gql_queries_mutates_and_subscribes(toy: Served) -> None:
    async with client(toy) as session:
        assert await session.execute(gql("{ caller }")) == {"caller": "ann"}
        beat = gql('mutation { beat(input: {deviceId: "d", cpuUsage: 2.5}) }')
        assert await session.execute(beat) == {"beat": "d 2.5"}
        counted = [data["count"] async for data in session.subscribe(gql("subscription { count(to: 3) }"))]
        assert counted == [0, 1, 2]


async def test_gql_ends_a_subscription_by_leaving_it(toy: Served, world: World) -> None:
    async with client(toy) as session:
        async for data in session.subscribe(gql("subscription { forever }")):
            assert data == {"forever": 0}
            break
    await world.finished.wait()


async def test_gql_reads_the_code_of_an_error(toy: Served) -> None:
    async with client(toy) as session:
        with pytest.raises(TransportQueryError) as refused:
            await session.execute(gql("{ missing }"))
        assert refused.value.errors is not None
        assert refused.value.errors[0]["extensions"] == {"code": "NOT_FOUND"}


async def test_gql_is_turned_away_with_a_bad_token(toy: Served) -> None:
    with pytest.raises(TransportConnectionFailed) as refused:
        await client(toy, "bad").connect_async()  # type: ignore[no-untyped-call]
    closed = refused.value.__cause__
    assert isinstance(closed, ConnectionClosed)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4403
