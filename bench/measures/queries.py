"""A small query that was seen before: what it costs where nothing is read, and where one document is."""

from bench.fleet import add_devices, add_tenant, body
from bench.load.http import Call
from bench.measures.over_http import Asked, compare
from bench.results import Comparison
from bench.rounds import Effort
from bench.stage import IN_NODE, Server, Stage

CONNECTIONS = 32
DEVICES = 256
TENANT = "bench"
VIEWER = "query Viewer { viewer { id role } }"
DEVICE = "query Device($deviceId: ID!, $tenantId: ID) { device(deviceId: $deviceId, tenantId: $tenantId) { id deviceId status } }"


async def query_small(stage: Stage, effort: Effort) -> dict[str, Comparison]:
    await add_tenant(stage.context, TENANT)
    devices = await add_devices(stage.context, TENANT, DEVICES)
    person = stage.person([TENANT])
    viewer = [Call(body(VIEWER, {}), person)]
    device = [Call(body(DEVICE, {"deviceId": one, "tenantId": TENANT}), person) for one in devices]
    return {
        "nothing_read": await _compare(stage, effort, "`viewer { id role }`, which reads nothing", viewer, '"role":"ADMIN"'),
        "one_document": await _compare(
            stage, effort, "`device(…) { id deviceId status }`: one document", device, '"status":"UNKNOWN"'
        ),
    }


async def _compare(stage: Stage, effort: Effort, what: str, calls: list[Call], wanted: str) -> Comparison:
    # Peers read the same collection.
    servers: dict[str, Server] = {
        "ours": await stage.ours(),
        "strawberry": await stage.python("bench.peers.strawberry_stock", stage.mongo_uri, "bench"),
        **{name: await stage.node(name, stage.mongo_uri, "bench") for name in IN_NODE if name not in stage.without},
    }
    asked = {name: Asked(server, calls, wanted, connections=CONNECTIONS) for name, server in servers.items()}
    return await compare(stage, effort, f"{what}; {CONNECTIONS} connections", asked, stage.without)
