"""What a person at a console does: a page of alerts, and an acknowledgement."""

import json

from app.domain.alert import Severity
from app.store.mongo import connect
from bench.deliveries.loading import open_alerts
from bench.fleet import add_tenant, body
from bench.load.http import Call
from bench.measures.over_http import Asked, compare
from bench.peers.alerta import DATABASE, raise_alerts, start_alerta, why_no_alerta
from bench.results import Comparison
from bench.rounds import Effort
from bench.stage import Server, Stage

ALERTS = 2_000
PAGE = 50
CONNECTIONS = 8
TENANT = "console"
LIST = """query Alerts {
  alerts(first: 50) { nodes { id ruleKey severity status title message firstSeen lastSeen } pageInfo { hasNextPage endCursor } }
}"""
ACKNOWLEDGE = "mutation Acknowledge($id: ID!) { acknowledgeAlert(id: $id) { id status } }"
UNACKNOWLEDGE = "mutation Unacknowledge($id: ID!) { unacknowledgeAlert(id: $id) { id status } }"


async def alert_list(stage: Stage, effort: Effort) -> Comparison:
    await _open(stage)
    asked = {
        "ours": Asked(await stage.ours(), [Call(body(LIST, {}), stage.person([TENANT]))], '"nodes":[', connections=CONNECTIONS)
    }
    if why_no_alerta() is None:
        server, _ = await _alerta(stage)
        calls = [Call("", path=f"/alerts?page-size={PAGE}")]
        asked["alerta"] = Asked(server, calls, '"status": "ok"', method="GET", connections=CONNECTIONS)
    what = f"a page of {PAGE} of {ALERTS:,} open alerts; {CONNECTIONS} connections"
    return await compare(stage, effort, what, asked, _left_out())


async def ack(stage: Stage, effort: Effort) -> Comparison:
    ids = await _open(stage)
    calls = _turns(
        [[Call(body(text, {"id": one}), stage.person([TENANT])) for one in ids] for text in (ACKNOWLEDGE, UNACKNOWLEDGE)]
    )
    stored = ("bench", "alert_events")
    # A round leaves every alert as it was.
    ours = Asked(await stage.ours(), calls, '"status":"', connections=CONNECTIONS, stored_in=stored, together=2)
    asked = {"ours": ours}
    if why_no_alerta() is None:
        server, ids = await _alerta(stage)
        theirs = [[Call(json.dumps({"action": word}), path=f"/alert/{one}/action") for one in ids] for word in ("ack", "unack")]
        asked["alerta"] = Asked(server, _turns(theirs), '"status": "ok"', method="PUT", connections=CONNECTIONS, together=2)
    what = f"alerts acknowledged, and given back, one a call; each is a record of its own; {CONNECTIONS} connections"
    return await compare(stage, effort, what, asked, _left_out())


def _left_out() -> dict[str, str]:
    reason = why_no_alerta()
    return {} if reason is None else {"alerta": reason}


def _turns(kinds: list[list[Call]]) -> list[Call]:
    """So that each connection does the one and then the other to an alert of its own."""
    return [
        call for start in range(0, len(kinds[0]), CONNECTIONS) for kind in kinds for call in kind[start : start + CONNECTIONS]
    ]


async def _open(stage: Stage) -> list[str]:
    await add_tenant(stage.context, TENANT)
    ids = [f"alert-{number:05}" for number in range(ALERTS)]
    await open_alerts(stage.context, [(TENANT, one, Severity.HIGH) for one in ids])
    return ids


async def _alerta(stage: Stage) -> tuple[Server, list[str]]:
    server = await start_alerta(stage)
    mongo = connect(stage.mongo_uri, DATABASE)
    try:
        return server, await raise_alerts(mongo, server.port, ALERTS)
    finally:
        mongo.close()
