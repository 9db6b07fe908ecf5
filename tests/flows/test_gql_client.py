"""The Python client `gql`, against the application as it runs."""

from gql import Client, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

from tests.flows.documents import BEAT, CREATE_TENANT, EVENTS
from tests.flows.installation import Installation


async def test_gql_queries_mutates_and_subscribes(installation: Installation) -> None:
    headers = {"authorization": installation.authorization()}
    socket = WebsocketsTransport(
        url=installation.url.replace("http", "ws", 1),
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        init_payload=headers,
    )
    async with (
        Client(transport=AIOHTTPTransport(url=installation.url, headers=headers), fetch_schema_from_transport=True) as http,
        Client(transport=socket) as live,
    ):
        create, beat = gql(CREATE_TENANT), gql(BEAT)
        create.variable_values = {"id": "acme", "name": "Acme"}
        assert await http.execute(create) == {"createTenant": {"tenantId": "acme"}}
        assert await live.execute(gql("{ viewer { role } }")) == {"viewer": {"role": "SUPER_ADMIN"}}
        beat.variable_values = {"input": {"tenantId": "acme", "deviceId": "till-1"}}
        assert (await live.execute(beat))["heartbeat"]["accepted"] is True
        async for data in live.subscribe(gql(EVENTS)):
            assert data["alertEvents"]["type"] == "OPENED"
            assert data["alertEvents"]["alert"]["subjectId"] == "till-1"
            break
