"""Alerts through the schema."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.context import Context
from app.domain.alert import Alert, AlertStatus, Severity
from app.domain.cursor import read_cursor
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from tests.alerts.world import an_alert, keep, kept, opened
from tests.cast import NOW, both, mate, outsider, owner, viewer
from tests.counting import counted
from tests.wire import answer, ask, refusal

ALERT = """id tenantId rule { key name } ruleKey subjectKind subjectId device { deviceId name } storeId severity status title message
  value threshold unit firstSeen lastSeen occurrences acknowledgedAt acknowledgedBy acknowledgedUntil assignee resolvedAt resolvedBy
  resolution resolutionNote version runbookUrl url source dedupKey details timeline { id cursor type at actor reason detail }"""
ONE = f"query ($id: ID!) {{ alert(id: $id) {{ {ALERT} }} }}"
LIST = """query ($filter: AlertFilter, $orderBy: AlertOrder, $first: Int, $after: Cursor) {
  alerts(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
EMPTY_RANGE = '{from: "2026-11-21T06:00:00Z", to: "2026-11-21T06:00:00Z"}'
NOBODY = {"told": [], "nobody": "no channel is there to tell it"}
AT = "2026-11-21T06:00:00.000Z"

ACTIONS = {
    "acknowledgeAlert": 'mutation { acknowledgeAlert(id: "a", note: "on it", until: "2026-11-21T07:00:00Z", version: 1) '
    "{ status acknowledgedBy acknowledgedAt acknowledgedUntil version } }",
    "unacknowledgeAlert": 'mutation { unacknowledgeAlert(id: "a") { status acknowledgedBy version } }',
    "assignAlert": 'mutation { assignAlert(id: "a", assignee: "vera") { assignee version } }',
    "commentAlert": 'mutation { commentAlert(id: "a", text: "hm") { version timeline(first: 1) { type reason } } }',
    "resolveAlert": 'mutation { resolveAlert(id: "a", reason: "fixed") { status resolvedBy resolution resolutionNote version } }',
    "reopenAlert": 'mutation { reopenAlert(id: "a", reason: "not fixed") { status resolvedBy version } }',
}


async def add_devices(context: Context, *device_ids: str) -> None:
    for device_id in device_ids:
        await context.store.devices.insert(
            Device(
                id=device_key("acme", device_id),
                tenant_id="acme",
                device_id=device_id,
                lane=lane_of("acme"),
                name=f"Till {device_id}",
                status=DeviceStatus.OFFLINE,
                since=NOW,
                created_at=NOW,
                offline_after=120,
                wake_after=120,
            )
        )


async def test_an_alert_is_shown_whole(context: Context) -> None:
    await add_devices(context, "pos-1")
    alert = await opened(context, store_id="north", value=1.5, threshold=1.0, unit="s", details={"deep": [1, {"x": None}]})
    shown = (await ask(context, viewer, ONE, id=alert.id))["alert"]
    [event] = shown.pop("timeline")
    assert read_cursor(event.pop("cursor")).positions == {lane_of("acme"): 1}
    assert event == {"id": f"{lane_of('acme')}-1", "type": "OPENED", "at": AT, "actor": None, "reason": None, "detail": NOBODY}
    assert shown == {
        "id": alert.id,
        "tenantId": "acme",
        "rule": {"key": "device_offline", "name": shown["rule"]["name"]},
        "ruleKey": "device_offline",
        "subjectKind": "DEVICE",
        "subjectId": "pos-1",
        "device": {"deviceId": "pos-1", "name": "Till pos-1"},
        "storeId": "north",
        "severity": "HIGH",
        "status": "OPEN",
        "title": alert.title,
        "message": alert.message,
        "value": 1.5,
        "threshold": 1.0,
        "unit": "s",
        "firstSeen": AT,
        "lastSeen": AT,
        "occurrences": 1,
        **dict.fromkeys(("acknowledgedAt", "acknowledgedBy", "acknowledgedUntil", "assignee", "runbookUrl")),
        **dict.fromkeys(("resolvedAt", "resolvedBy", "resolution", "resolutionNote")),
        "version": 1,
        "url": f"http://127.0.0.1:8080/alerts/{alert.id}",
        "source": "rule",
        "dedupKey": "rule:1:device_offline:device:pos-1",
        "details": {"deep": [1, {"x": None}]},
    }


async def test_an_alert_outlives_its_rule_and_its_device(context: Context) -> None:
    await keep(context, an_alert(id="a", rule_key="gone_by_now"))
    shown = (await ask(context, viewer, '{ alert(id: "a") { rule { key } device { id } ruleKey subjectId } }'))["alert"]
    assert shown == {"rule": None, "device": None, "ruleKey": "gone_by_now", "subjectId": "pos-1"}


async def test_another_tenants_alert_is_null_to_read_and_not_found_to_act_on(context: Context) -> None:
    await keep(context, an_alert(id="a"))
    assert await ask(context, outsider, ONE, id="a") == {"alert": None}
    for name, document in ACTIONS.items():
        assert (await refusal(context, outsider, document))[0] == "NOT_FOUND", name
        assert (await refusal(context, viewer, document))[0] == "FORBIDDEN", name


async def test_a_life_through_the_schema(context: Context) -> None:
    alert = await opened(context, id="a")
    answers = {name: (await ask(context, mate, document))[name] for name, document in ACTIONS.items()}
    assert answers == {
        "acknowledgeAlert": {
            "status": "ACKNOWLEDGED",
            "acknowledgedBy": "mats",
            "acknowledgedAt": AT,
            "acknowledgedUntil": "2026-11-21T07:00:00.000Z",
            "version": 2,
        },
        "unacknowledgeAlert": {"status": "OPEN", "acknowledgedBy": None, "version": 3},
        "assignAlert": {"assignee": "vera", "version": 4},
        "commentAlert": {"version": 4, "timeline": [{"type": "COMMENTED", "reason": "hm"}]},
        "resolveAlert": {
            "status": "RESOLVED",
            "resolvedBy": "mats",
            "resolution": "MANUAL",
            "resolutionNote": "fixed",
            "version": 5,
        },
        "reopenAlert": {"status": "OPEN", "resolvedBy": None, "version": 6},
    }
    assert (await kept(context, alert)).version == 6


async def test_the_past_shows_the_alert_as_it_then_was(context: Context) -> None:
    await add_devices(context, "pos-1")
    await opened(context, id="a")
    await ask(context, mate, ACTIONS["acknowledgeAlert"])
    past = '{ alert(id: "a") { timeline { type alert { status version device { name } rule { key } } } } }'
    assert (await ask(context, viewer, past))["alert"]["timeline"] == [
        {
            "type": name,
            "alert": {
                "status": status,
                "version": version,
                "device": {"name": "Till pos-1"},
                "rule": {"key": "device_offline"},
            },
        }
        for name, status, version in (("ACKNOWLEDGED", "ACKNOWLEDGED", 2), ("OPENED", "OPEN", 1))
    ]


async def test_a_conflict_carries_what_is_there_now(context: Context) -> None:
    await opened(context, id="a")
    await ask(context, owner, ACTIONS["assignAlert"])
    answered = await answer(context, mate, ACTIONS["acknowledgeAlert"])
    [error] = answered["errors"]
    assert error["extensions"]["code"] == "CONFLICT"
    assert error["extensions"]["current"] == {
        "status": "OPEN",
        "version": 2,
        "assignee": "vera",
        "acknowledgedBy": None,
        "resolvedBy": None,
    }


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ('mutation { resolveAlert(id: "a", reason: " ", kind: RECOVERED) { id } }', ["reason", "kind"]),
        ('mutation { acknowledgeAlert(id: "a", until: "2026-11-21T06:00:00Z") { id } }', ["until"]),
        ('mutation { resolveAlerts(ids: ["a"], reason: "", kind: CLEARED) { id } }', None),
        ('mutation { commentAlert(id: "a", text: "") { id } }', ["text"]),
        (
            f'{{ alerts(first: 0, after: "x", filter: {{range: {EMPTY_RANGE}}}) {{ nodes {{ id }} }} }}',
            ["filter.range", "first", "after"],
        ),
        ("{ alerts(filter: {severity: [AWFUL]}) { nodes { id } } }", None),
    ],
)
async def test_bad_input_names_every_bad_field(context: Context, document: str, fields: list[str] | None) -> None:
    alert = await opened(context, id="a")
    code, named = await refusal(context, mate, document)
    assert code == "BAD_USER_INPUT"
    assert fields is None or named == fields
    assert await kept(context, alert) == alert


async def test_null_says_no_more_than_leaving_out(context: Context) -> None:
    await opened(context, id="a")
    filters = dict.fromkeys(
        ("tenantId", "status", "severity", "ruleKeys", "storeIds", "deviceIds", "assignee", "search", "range")
    )
    listed = await ask(context, viewer, LIST, filter=filters, orderBy=None, first=None, after=None)
    assert listed["alerts"]["nodes"] == [{"id": "a"}]
    resolved = await ask(
        context, mate, 'mutation { resolveAlert(id: "a", reason: "fixed", kind: null, version: null) { resolution } }'
    )
    assert resolved["resolveAlert"] == {"resolution": "MANUAL"}


async def test_pages_are_walked_by_their_cursors(context: Context) -> None:
    alerts = [an_alert(id=f"a{n}", subject_id=f"p{n}", first_seen=NOW - timedelta(seconds=n)) for n in range(3)]
    await keep(context, *alerts)
    first = (await ask(context, viewer, LIST, first=2))["alerts"]
    assert [edge["node"]["id"] for edge in first["edges"]] == ["a0", "a1"]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][1]["cursor"],
    }
    second = (await ask(context, viewer, LIST, first=2, after=first["pageInfo"]["endCursor"]))["alerts"]
    assert second["nodes"] == [{"id": "a2"}]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_filters_orders_counts_and_facets(context: Context) -> None:
    await keep(
        context,
        an_alert(id="low", subject_id="p1", severity=Severity.LOW),
        an_alert(id="high", subject_id="p2", first_seen=NOW - timedelta(minutes=5)),
        an_alert(id="done", subject_id="p3", status=AlertStatus.RESOLVED),
        an_alert(id="theirs", tenant_id="umbrella"),
    )
    document = """query ($filter: AlertFilter) { alerts(filter: $filter, orderBy: SEVERITY) {
      nodes { id } totalCount facets { status { key count } severity { key count } rule { key count } store { key } tenant { key } } } }"""
    chosen = {"tenantId": "acme", "status": ["OPEN", "ACKNOWLEDGED"], "search": "TILL 1", "deviceIds": ["p1", "p2", "p3"]}
    found = (await ask(context, both, document, filter=chosen))["alerts"]
    assert [node["id"] for node in found["nodes"]] == ["high", "low"]
    assert (found["totalCount"], found["facets"]) == (
        2,
        {
            "status": [{"key": "OPEN", "count": 2}],
            "severity": [{"key": "HIGH", "count": 1}, {"key": "LOW", "count": 1}],
            "rule": [{"key": "device_offline", "count": 2}],
            "store": [],
            "tenant": [{"key": "acme"}],
        },
    )
    assert (await refusal(context, viewer, document, filter={"tenantId": "umbrella"}))[0] == "FORBIDDEN"


async def fifty(context: Context) -> None:
    await add_devices(context, *(f"p{n}" for n in range(50)))
    alerts: list[Alert] = [
        an_alert(id=f"a{n:02}", subject_id=f"p{n}", rule_key=("device_offline", "sync_lag_high", "cpu_high")[n % 3])
        for n in range(50)
    ]
    await keep(
        context, *(msgspec.structs.replace(alert, first_seen=NOW - timedelta(seconds=n)) for n, alert in enumerate(alerts))
    )


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ("nodes { id title }", 1),
        ("nodes { id rule { name severity } device { name status } }", 4),
        ("nodes { id timeline(first: 5) { cursor } }", 3),
        ("totalCount nodes { id }", 2),
        ("facets { status { key } } nodes { id }", 2),
        ("streamCursor nodes { id }", 3),
        ("... on AlertConnection { streamCursor } nodes { id }", 3),
    ],
)
async def test_fifty_alerts_cost_only_what_was_asked_for(context: Context, database: str, fields: str, most: int) -> None:
    await fifty(context)
    with counted(database) as commands:
        shown = await ask(context, viewer, f"{{ alerts {{ {fields} }} }}")
    assert len(shown["alerts"]["nodes"]) == 50
    assert 1 <= len(commands) <= most, commands


async def test_the_cursor_of_a_list_is_read_before_the_list(context: Context, database: str) -> None:
    await opened(context)
    with counted(database) as commands:
        shown = (await ask(context, viewer, "{ alerts { nodes { id } totalCount streamCursor } }"))["alerts"]
    assert commands == ["find", "findAndModify", "find", "aggregate"]
    assert read_cursor(shown["streamCursor"]).positions == {lane_of("acme"): 1}


async def test_many_at_once_are_answered_one_by_one(context: Context) -> None:
    await keep(context, an_alert(id="a"), an_alert(id="done", subject_id="p2", status=AlertStatus.RESOLVED))
    document = """mutation ($ids: [ID!]!) {
      acknowledgeAlerts(ids: $ids, note: "on it") { id code message alert { status } }
      resolveAlerts(ids: $ids, reason: "a drill", kind: FALSE_POSITIVE) { id code alert { status resolution } } }"""
    answered = await ask(context, mate, document, ids=["a", "done", "nothing", "a"])
    messages = [one.pop("message") for one in answered["acknowledgeAlerts"]]
    assert [bool(message) for message in messages] == [False, True, True]
    assert answered == {
        "acknowledgeAlerts": [
            {"id": "a", "code": None, "alert": {"status": "ACKNOWLEDGED"}},
            {"id": "done", "code": "CONFLICT", "alert": {"status": "RESOLVED"}},
            {"id": "nothing", "code": "NOT_FOUND", "alert": None},
        ],
        "resolveAlerts": [
            {"id": "a", "code": None, "alert": {"status": "RESOLVED", "resolution": "FALSE_POSITIVE"}},
            {"id": "done", "code": "CONFLICT", "alert": {"status": "RESOLVED", "resolution": None}},
            {"id": "nothing", "code": "NOT_FOUND", "alert": None},
        ],
    }


async def test_a_timeline_of_too_much_is_refused(context: Context) -> None:
    await opened(context, id="a")
    wanted: dict[str, Any] = {"first": 1_001}
    code, fields = await refusal(
        context, viewer, 'query ($first: Int) { alert(id: "a") { timeline(first: $first) { id } } }', **wanted
    )
    assert (code, fields) == ("BAD_USER_INPUT", ["first"])
