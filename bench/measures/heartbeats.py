"""Beats over HTTP: one a call, a hundred a call, and one a call where nobody stores it."""

import json

from app.context import Context
from bench.fleet import add_devices, add_tenant, batch_calls, beat_calls
from bench.load.http import Call
from bench.measures.over_http import Asked, compare
from bench.peers.alerta import start_alerta, why_no_alerta
from bench.results import Comparison
from bench.rounds import Effort
from bench.stage import IN_NODE, Server, Stage

CONNECTIONS = 128
BATCH_CONNECTIONS = 16
ALERTA_CONNECTIONS = 8
"""It answers one call after the other: more callers would only wait."""
DEVICES = 1_024
SPREAD = 50_000
"""So many that none beats twice within two seconds."""
BATCH = 100
TENANT = "bench"
BEATS_IN = "device_heartbeats"
ACCEPTED = '"accepted":true'


async def heartbeat_http(stage: Stage, effort: Effort) -> Comparison:
    calls = beat_calls(TENANT, await _fleet(stage.context))
    asked = await _storing(stage, calls, ACCEPTED, CONNECTIONS, 1)
    left_out: dict[str, str] = dict(stage.without)
    if reason := why_no_alerta():
        left_out["alerta"] = reason
    else:
        asked["alerta"] = await _alerta(stage)
    what = (
        f"single heartbeats over HTTP, acknowledged once a majority has them; {CONNECTIONS} connections, one server process"
        f" (Alerta: {ALERTA_CONNECTIONS})"
    )
    return await compare(stage, effort, what, asked, left_out)


async def heartbeat_spread(stage: Stage, effort: Effort) -> Comparison:
    await add_tenant(stage.context, TENANT)
    calls = beat_calls(TENANT, await add_devices(stage.context, TENANT, SPREAD, beaten=True))
    asked = await _storing(stage, calls, ACCEPTED, CONNECTIONS, 1)
    what = f"as heartbeat_http, of {SPREAD:,} devices: each is noted and read at every beat; {CONNECTIONS} connections"
    return await compare(stage, effort, what, asked, stage.without)


async def heartbeat_batch(stage: Stage, effort: Effort) -> Comparison:
    devices = list(await _fleet(stage.context))[: DEVICES // BATCH * BATCH]
    calls = batch_calls(TENANT, devices, BATCH, stage.person([TENANT]))
    asked = await _storing(stage, calls, f'"accepted":{BATCH}', BATCH_CONNECTIONS, BATCH)
    what = (
        f"`heartbeats` of {BATCH}, stored by a majority; per second and per operation are beats; {BATCH_CONNECTIONS} connections"
    )
    return await compare(stage, effort, what, asked, stage.without)


async def heartbeat_nodb(stage: Stage, effort: Effort) -> Comparison:
    calls = beat_calls(TENANT, await _fleet(stage.context))
    servers = {
        "ours": await stage.ours("bench.peers.at_once"),
        "raw_asgi": await stage.python("bench.peers.raw", "asgi"),
        "starlette": await stage.python("bench.peers.raw", "starlette"),
        "strawberry": await stage.python("bench.peers.strawberry_stock"),
        **{name: await stage.node(name) for name in IN_NODE if name not in stage.without},
    }
    what = f"single heartbeats over HTTP that nobody stores: transport, sign-in, GraphQL; {CONNECTIONS} connections, one process"
    asked = {name: Asked(server, calls, ACCEPTED, connections=CONNECTIONS) for name, server in servers.items()}
    return await compare(stage, effort, what, asked, stage.without)


async def _fleet(context: Context) -> dict[str, str]:
    await add_tenant(context, TENANT)
    return await add_devices(context, TENANT, DEVICES)


async def _storing(stage: Stage, calls: list[Call], wanted: str, connections: int, each: int) -> dict[str, Asked]:
    """Ours and the peers in GraphQL, each with a database of its own in the same mongod."""

    def asked(server: Server, database: str) -> Asked:
        return Asked(server, calls, wanted, connections=connections, each=each, stored_in=(database, BEATS_IN))

    found = {"ours": asked(await stage.ours(), "bench")}
    for name in IN_NODE:
        if name not in stage.without:
            database = await stage.peer_database(name)
            found[name] = asked(await stage.node(name, stage.mongo_uri, database), database)
    database = await stage.peer_database("strawberry")
    found["strawberry"] = asked(await stage.python("bench.peers.strawberry_stock", stage.mongo_uri, database), database)
    return found


async def _alerta(stage: Stage) -> Asked:
    """Its heartbeats have an origin, tags, and a time; it overwrites the one of the origin."""
    server = await start_alerta(stage)
    calls = [
        Call(json.dumps({"origin": f"device-{number}", "tags": ["bench"], "type": "Heartbeat", "timeout": 120}))
        for number in range(DEVICES)
    ]
    return Asked(server, calls, '"status": "ok"', path="/heartbeat", connections=ALERTA_CONNECTIONS, alike=False)
