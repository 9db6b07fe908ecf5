"""Devices, the overview and the system's state through the schema."""

from typing import Any

import pytest

from app import __version__
from app.clock import ManualClock
from app.context import Context
from app.devices import retire_device
from app.domain.alert import Severity
from tests.cast import both, mate, outsider, owner, root, viewer
from tests.counting import counted
from tests.devices.world import a_device, beat, keep_devices, kept, register, the_device, trouble
from tests.wire import answer, ask, refusal

DEVICE = """id deviceId tenantId storeId name hostname kind description tags status health since lastSeen deadline offlineAfterSec
  latest { receivedAt sentAt late status appVersion errorRate5m requestLatencyP95 syncLagSec memoryUsage cpuUsage diskUsage
    metrics { name value unit } }
  services { name status responseTimeMs checks uptimeSec url } hostedTenantIds openAlerts { severity } timezone clockSkewSec
  gatewayId retiredAt"""
ONE = f"query ($tenantId: ID, $deviceId: ID!) {{ device(tenantId: $tenantId, deviceId: $deviceId) {{ {DEVICE} }} }}"
LIST = """query ($tenantId: ID, $filter: DeviceFilter, $first: Int, $after: Cursor) {
  devices(tenantId: $tenantId, filter: $filter, first: $first, after: $after) {
    edges { cursor node { deviceId } } nodes { deviceId } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
REGISTER = f"mutation ($input: DeviceInput!) {{ registerDevice(input: $input) {{ token device {{ {DEVICE} }} }} }}"
UPDATE = f"mutation ($input: DeviceInput!) {{ updateDevice(input: $input) {{ {DEVICE} }} }}"
ROTATE = "mutation ($tenantId: ID, $deviceId: ID!) { rotateDeviceToken(tenantId: $tenantId, deviceId: $deviceId) { token device { id } } }"
RETIRE = "mutation ($tenantId: ID, $deviceId: ID!) { retireDevice(tenantId: $tenantId, deviceId: $deviceId) { id retiredAt deadline } }"
BEAT = "mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { accepted receivedAt status nextWithinSec } }"
BEATS = """mutation ($inputs: [HeartbeatInput!]!) { heartbeats(inputs: $inputs) {
  accepted rejected { index deviceId code message } receivedAt } }"""
HISTORY = """query ($range: TimeRange, $first: Int) { device(deviceId: "till-1") {
  heartbeats(range: $range, first: $first) { receivedAt appVersion } } }"""
OVERVIEW = """query ($tenantId: ID) { overview(tenantId: $tenantId) { status score at devicesOnline devicesOffline activeAlerts
  devices { total healthy degraded unhealthy unknown } hosts { deviceId } alertsBySeverity { key count } } }"""
SYSTEM = """{ systemStatus { version workers { id lastSeen jobsDone jobsFailed jobsOngoing } evaluationLagSec heartbeatsPerSec
  subscribers mongo redis ticks { name lastFinishedAt durationSec late lastError } } }"""
AT = "2026-11-21T06:00:00.000Z"

NEW = {
    "deviceId": "till-1",
    "storeId": "north",
    "name": "Till 1",
    "hostname": "till-1.example",
    "kind": "pos",
    "description": "by the door",
    "tags": ["front", "front", "new"],
    "offlineAfterSec": 60,
    "timezone": "Europe/Vienna",
    "hostedTenantIds": ["acme"],
    "gatewayId": "gate-1",
}
SHOWN: dict[str, Any] = {
    **NEW,
    "id": "acme:till-1",
    "tenantId": "acme",
    "tags": ["front", "new"],
    "status": "UNKNOWN",
    "health": "UNKNOWN",
    "since": AT,
    "lastSeen": None,
    "deadline": None,
    "latest": None,
    "services": [],
    "openAlerts": [],
    "clockSkewSec": None,
    "retiredAt": None,
}


async def test_a_device_is_registered_changed_rotated_and_retired(context: Context) -> None:
    made = (await ask(context, owner, REGISTER, input=NEW))["registerDevice"]
    assert made["device"] == SHOWN
    assert (await ask(context, viewer, ONE, deviceId="till-1"))["device"] == SHOWN
    changed = (
        await ask(context, owner, UPDATE, input={"deviceId": "till-1", "name": "One", "tags": None, "offlineAfterSec": None})
    )["updateDevice"]
    assert changed == {**SHOWN, "name": "One", "tags": [], "offlineAfterSec": 120}
    rotated = (await ask(context, owner, ROTATE, deviceId="till-1"))["rotateDeviceToken"]
    assert rotated["device"] == {"id": "acme:till-1"}
    assert rotated["token"] != made["token"]
    retired = await ask(context, owner, RETIRE, deviceId="till-1")
    assert retired == {"retireDevice": {"id": "acme:till-1", "retiredAt": AT, "deadline": None}}


async def test_a_beat_is_acknowledged_and_shown(context: Context) -> None:
    await register(context, "till-1", offline_after_sec=61)
    said: dict[str, Any] = {
        "deviceId": "till-1",
        "sentAt": "2026-11-21T07:00:02+01:00",
        "errorRate5m": 0.25,
        "requestLatencyP95": 12.5,
        "syncLagSec": 3.0,
        "appVersion": "1.2",
        "memoryUsage": 40.0,
        "cpuUsage": 50.0,
        "diskUsage": 60.0,
        "metrics": [{"name": "queue", "value": 7.0, "unit": "jobs"}, {"name": "bare", "value": -1.0}],
        "services": [{"name": "api", "status": "DEGRADED", "checks": {"db": [1, None]}, "responseTimeMs": 5.0}],
    }
    ack = (await ask(context, the_device("till-1"), BEAT, input=said))["heartbeat"]
    await context.intake.drain()
    assert ack == {"accepted": True, "receivedAt": AT, "status": "ONLINE", "nextWithinSec": 30}
    shown = (await ask(context, the_device("till-1"), ONE, deviceId="till-1"))["device"]
    gauges = ("errorRate5m", "requestLatencyP95", "syncLagSec", "appVersion", "memoryUsage", "cpuUsage", "diskUsage")
    assert shown["latest"] == {
        **{name: said[name] for name in gauges},
        "metrics": [{"name": "queue", "value": 7.0, "unit": "jobs"}, {"name": "bare", "value": -1.0, "unit": None}],
        "receivedAt": AT,
        "sentAt": "2026-11-21T06:00:02.000Z",
        "late": False,
        "status": "online",
    }
    assert shown["services"] == [{**said["services"][0], "uptimeSec": None, "url": None}]
    assert (shown["status"], shown["health"], shown["lastSeen"]) == ("ONLINE", "DEGRADED", AT)
    assert (shown["deadline"], shown["clockSkewSec"]) == ("2026-11-21T06:01:01.000Z", 2.0)


async def test_of_many_beats_the_bad_ones_are_named(context: Context) -> None:
    await register(context, "till-1")
    beats = [{"deviceId": "till-1"}, {"deviceId": "till-2"}, {"deviceId": "till-1", "cpuUsage": 101.0}]
    answered = (await ask(context, mate, BEATS, inputs=beats))["heartbeats"]
    await context.intake.drain()
    assert (answered["accepted"], answered["receivedAt"]) == (1, AT)
    assert [(one["index"], one["deviceId"], one["code"]) for one in answered["rejected"]] == [
        (1, "till-2", "NOT_FOUND"),
        (2, "till-1", "BAD_USER_INPUT"),
    ]


async def test_a_device_that_came_back_does_not_show_the_beats_of_its_namesake(context: Context) -> None:
    await register(context, "till-1")
    await beat(context, "till-1", app_version="old")
    await retire_device(context, owner, None, "till-1")
    assert (await ask(context, owner, ONE, deviceId="till-1"))["device"]["latest"]["appVersion"] == "old"
    await register(context, "till-1")
    shown = (await ask(context, owner, ONE, deviceId="till-1"))["device"]
    assert (shown["latest"], shown["services"], shown["status"]) == (None, [], "UNKNOWN")


async def test_history_is_asked_with_a_range(context: Context, clock: ManualClock) -> None:
    await register(context, "till-1")
    for version in "abc":
        await beat(context, "till-1", app_version=version)
        clock.advance(60)
    whole = (await ask(context, viewer, HISTORY))["device"]["heartbeats"]
    assert [one["appVersion"] for one in whole] == ["c", "b", "a"]
    some = {"from": "2026-11-21T06:01:00Z", "to": "2026-11-21T06:02:00Z"}
    assert (await ask(context, viewer, HISTORY, range=some))["device"]["heartbeats"] == [whole[1]]
    assert (await ask(context, viewer, HISTORY, first=1))["device"]["heartbeats"] == [whole[0]]
    assert await refusal(context, viewer, HISTORY, first=1_001) == ("BAD_USER_INPUT", ["first"])
    backwards = {"from": some["to"], "to": some["from"]}
    assert await refusal(context, viewer, HISTORY, range=backwards) == ("BAD_USER_INPUT", ["range"])


async def test_a_list_goes_page_by_page(context: Context) -> None:
    await keep_devices(context, *(a_device(letter) for letter in "abc"), a_device("d", retired_at=None, kind="gate"))
    first = (await ask(context, viewer, LIST, first=3))["devices"]
    assert [node["deviceId"] for node in first["nodes"]] == ["a", "b", "c"]
    assert [edge["node"] for edge in first["edges"]] == first["nodes"]
    assert first["totalCount"] == 4
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][2]["cursor"],
    }
    rest = (await ask(context, viewer, LIST, first=3, after=first["pageInfo"]["endCursor"]))["devices"]
    assert [node["deviceId"] for node in rest["nodes"]] == ["d"]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"], rest["totalCount"]) == (False, True, 4)
    gates = (await ask(context, viewer, LIST, filter={"kinds": ["gate"], "health": ["HEALTHY"], "search": None}))["devices"]
    assert ([node["deviceId"] for node in gates["nodes"]], gates["totalCount"]) == (["d"], 1)
    nobody = (await ask(context, outsider, LIST))["devices"]
    empty = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert nobody == {"edges": [], "nodes": [], "totalCount": 0, "pageInfo": empty}


@pytest.mark.parametrize("first", [1, 5, 50])
async def test_a_list_with_everything_asks_as_much_for_fifty_devices_as_for_one(context: Context, first: int) -> None:
    await keep_devices(context, *(a_device(f"till-{number:02}", last_seen=None) for number in range(50)))
    for number in range(0, 50, 5):
        await beat(context, f"till-{number:02}")
        await trouble(context, f"till-{number:02}", Severity.HIGH, rule_key="device_offline")
    document = """query ($first: Int) { devices(first: $first) { totalCount nodes {
      deviceId health latest { receivedAt } services { name } openAlerts { title rule { key } device { name } } } } }"""
    with counted(context.settings.mongo_database) as commands:
        shown = (await ask(context, viewer, document, first=first))["devices"]["nodes"]
    assert len(shown) == first
    assert shown[0]["latest"] is not None
    assert shown[0]["openAlerts"][0]["rule"] == {"key": "device_offline"}
    # The page, its count; health, latest beats, open alerts; their rules (the tenant's and the platform's) and devices.
    assert len(commands) <= 8, commands


async def test_only_what_is_selected_is_asked_for(context: Context) -> None:
    await keep_devices(context, a_device("till-1"))
    for selection, expected in (
        ("nodes { deviceId status deadline }", ["find"]),
        ("pageInfo { hasNextPage endCursor }", ["find"]),
        ("totalCount nodes { id }", ["find", "aggregate"]),
    ):
        with counted(context.settings.mongo_database) as commands:
            await ask(context, viewer, f"{{ devices {{ {selection} }} }}")
        assert commands == expected


async def test_refusals_have_their_codes_and_fields(context: Context) -> None:
    await register(context, "till-1")
    bad = {"deviceId": "", "name": "x" * 201, "offlineAfterSec": -1, "timezone": "Mars", "tags": [""]}
    code, fields = await refusal(context, owner, REGISTER, input=bad)
    assert (code, set(fields)) == (
        "BAD_USER_INPUT",
        {"input.deviceId", "input.name", "input.offlineAfterSec", "input.timezone", "input.tags"},
    )
    assert await refusal(context, both, REGISTER, input={"deviceId": "x"}) == ("BAD_USER_INPUT", ["input.tenantId"])
    assert await refusal(context, both, UPDATE, input={"deviceId": "x"}) == ("BAD_USER_INPUT", ["input.tenantId"])
    assert await refusal(context, both, RETIRE, deviceId="x") == ("BAD_USER_INPUT", ["tenantId"])
    assert await refusal(context, owner, REGISTER, input={"deviceId": "till-1"}) == ("CONFLICT", [])
    assert await refusal(context, mate, REGISTER, input={"deviceId": "till-2"}) == ("FORBIDDEN", [])
    assert await refusal(context, owner, REGISTER, input={"deviceId": "x", "tenantId": "umbrella"}) == ("FORBIDDEN", [])
    assert await refusal(context, root, REGISTER, input={"deviceId": "x", "tenantId": "nowhere"}) == ("NOT_FOUND", [])
    assert await refusal(context, owner, UPDATE, input={"deviceId": "nothing"}) == ("NOT_FOUND", [])
    assert await refusal(context, owner, LIST, first=201) == ("BAD_USER_INPUT", ["first"])
    assert await refusal(context, owner, LIST, after="x") == ("BAD_USER_INPUT", ["after"])
    assert await refusal(context, owner, LIST, filter={"search": "x" * 201}) == ("BAD_USER_INPUT", ["filter.search"])
    assert await refusal(context, owner, LIST, tenantId="umbrella") == ("FORBIDDEN", [])
    assert (await ask(context, owner, ONE, deviceId="nothing"))["device"] is None
    assert (await kept(context, "till-1")).name is None


async def test_a_device_may_ask_for_itself_and_nothing_else(context: Context) -> None:
    await keep_devices(context, a_device("till-1"), a_device("till-2"))
    itself = the_device("till-1")
    assert (await ask(context, itself, ONE, deviceId="till-1"))["device"]["id"] == "acme:till-1"
    for document, variables in (
        (ONE, {"deviceId": "till-2"}),
        (LIST, {}),
        (OVERVIEW, {}),
        (SYSTEM, {}),
        (REGISTER, {"input": {"deviceId": "till-3"}}),
        (UPDATE, {"input": {"deviceId": "till-1"}}),
        (ROTATE, {"deviceId": "till-1"}),
        (RETIRE, {"deviceId": "till-1"}),
        (BEAT, {"input": {"deviceId": "till-2"}}),
    ):
        assert await refusal(context, itself, document, **variables) == ("FORBIDDEN", [])


async def test_the_overview_is_shown(context: Context) -> None:
    await keep_devices(context, a_device("till-1"), a_device("host-1", kind="host"))
    await trouble(context, "till-1", Severity.MEDIUM)
    assert (await ask(context, viewer, OVERVIEW))["overview"] == {
        "status": "DEGRADED",
        "score": 75.0,
        "at": AT,
        "devicesOnline": 2,
        "devicesOffline": 0,
        "activeAlerts": 1,
        "devices": {"total": 2, "healthy": 1, "degraded": 1, "unhealthy": 0, "unknown": 0},
        "hosts": [{"deviceId": "host-1"}],
        "alertsBySeverity": [{"key": severity.name, "count": int(severity is Severity.MEDIUM)} for severity in Severity],
    }


async def test_the_systems_state_is_shown(context: Context) -> None:
    await context.store.leases.claim_tick("rules", 15.0, context.clock.now())
    status = (await ask(context, viewer, SYSTEM))["systemStatus"]
    tick = {"name": "rules", "lastFinishedAt": None, "durationSec": None, "late": False, "lastError": None}
    assert (status["version"], status["ticks"], status["workers"]) == (__version__, [tick], [])
    assert (status["mongo"], status["redis"], status["subscribers"]) == ("HEALTHY", "HEALTHY", 0)


async def test_a_token_is_in_no_answer_but_the_one_that_made_it(context: Context) -> None:
    token = (await ask(context, owner, REGISTER, input=NEW))["registerDevice"]["token"]
    answers = [
        await answer(context, owner, ONE, deviceId="till-1"),
        await answer(context, owner, "{ auditLog { nodes { action target before after } } }"),
        await answer(context, owner, REGISTER, input=NEW),
    ]
    assert token.rsplit("_", 1)[1] not in repr(answers)
