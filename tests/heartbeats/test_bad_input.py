"""What is wrong with a beat is said, all of it, and nothing of it is written."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.context import Context
from app.principal import Principal
from schema.scalars import print_datetime
from tests.cast import NOW, bearer, mate, outsider, owner, viewer
from tests.flows.documents import BEAT, BEATS
from tests.heartbeats.conftest import Kept
from tests.wire import answer, ask, refusal

DEEP: Any = {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}}}}


def metric(**fields: Any) -> dict[str, Any]:
    return {"metrics": [{"name": "volts", "value": 1.0, **fields}]}


def service(**fields: Any) -> dict[str, Any]:
    return {"services": [{"name": "web", "status": "HEALTHY", **fields}]}


def checks(value: Any) -> dict[str, Any]:
    return service(checks=value)


def sent(**ago: float) -> dict[str, Any]:
    return {"sentAt": print_datetime(NOW - timedelta(**ago))}


Fields = dict[str, Any]
Bounds = tuple[list[Fields], list[tuple[Fields, str]]]
"""What is good, and what is bad with the field that is named."""


def long(name: str, most: int) -> Bounds:
    return [{name: ""}, {name: "x" * most}, {name: "é\0"}], [({name: "x" * (most + 1)}, name)]


def gauge(name: str, most: float | None) -> Bounds:
    good: list[Fields] = [{name: 0}, {name: None}, {name: 1e300 if most is None else most}]
    return good, [({name: -0.001}, name), *([] if most is None else [({name: most * 1.001}, name)])]


BOUNDS: list[Bounds] = [
    long("storeId", 64),
    long("status", 64),
    long("appVersion", 64),
    long("name", 200),
    long("hostname", 253),
    long("kind", 64),
    long("bootId", 128),
    gauge("errorRate5m", 1),
    gauge("requestLatencyP95", None),
    gauge("syncLagSec", None),
    gauge("memoryUsage", 100),
    gauge("cpuUsage", 100),
    gauge("diskUsage", 100),
    (
        [{"deviceId": "x"}, {"deviceId": "x" * 128}, {"deviceId": "aa:bb:cc"}, {"deviceId": "Kasse 1 \u00e9"}],
        [({"deviceId": bad}, "deviceId") for bad in ("", " x", "x ", "x" * 129, "a\nb", "a\0b", "a\u200bb")],
    ),
    ([{"sequence": 0}, {"sequence": 2**31 - 1}], [({"sequence": -1}, "sequence"), ({"sequence": 2**31}, "sequence")]),
    (
        [sent(minutes=-5), sent(days=30)],
        [(sent(minutes=-5, milliseconds=-1), "sentAt"), (sent(days=30, milliseconds=1), "sentAt")],
    ),
    (
        [{"metrics": None}, {"metrics": [{"name": str(n), "value": n} for n in range(100)]}, metric(unit="x" * 64)],
        [
            ({"metrics": [{"name": str(n), "value": n} for n in range(101)]}, "metrics"),
            ({"metrics": [{"name": "a", "value": 1}] * 2}, "metrics"),
            (metric(name=""), "metrics[0].name"),
            (metric(name="x" * 101), "metrics[0].name"),
            (metric(unit="x" * 65), "metrics[0].unit"),
        ],
    ),
    (
        [
            {"services": None},
            service(responseTimeMs=0, uptimeSec=1e9, url="x" * 2_048),
            checks(DEEP["a"]),
            checks([1, "a", None]),
        ],
        [
            (service(name=""), "services[0].name"),
            (service(responseTimeMs=-1), "services[0].responseTimeMs"),
            (service(uptimeSec=-1), "services[0].uptimeSec"),
            (service(url="x" * 2_049), "services[0].url"),
            (checks({"a": DEEP}), "services[0].checks"),
            (checks({"count": 2**63}), "services[0].checks"),
            (checks([{"$ref": "x", "$id": 1}]), "services[0].checks"),
            (checks({"a\0": 1}), "services[0].checks"),
            (checks("x" * 16_385), "services[0].checks"),
        ],
    ),
]


@pytest.mark.parametrize("fields", [good for goods, _ in BOUNDS for good in goods], ids=lambda fields: str(fields)[:60])
async def test_what_is_within_bounds_is_stored(context: Context, kept: Kept, fields: dict[str, Any]) -> None:
    assert (await ask(context, owner, BEAT, input={"deviceId": "till-1", **fields}))["heartbeat"]["accepted"]
    assert len(kept()["device_heartbeats"]) == 1
    shown = "{ devices { nodes { latest { status cpuUsage metrics { name value unit } } services { checks responseTimeMs } } } }"
    assert (await ask(context, owner, shown))["devices"]["nodes"][0]["latest"] is not None


@pytest.mark.parametrize(("fields", "path"), [bad for _, bads in BOUNDS for bad in bads], ids=lambda fields: str(fields)[:60])
async def test_what_is_out_of_bounds_is_named_and_not_written(
    context: Context, kept: Kept, fields: dict[str, Any], path: str
) -> None:
    before = kept()
    assert await refusal(context, owner, BEAT, input={"deviceId": "till-1", **fields}) == ("BAD_USER_INPUT", [f"input.{path}"])
    assert kept() == before


async def test_all_bad_fields_are_named_at_once(context: Context, kept: Kept) -> None:
    before = kept()
    bad = {
        "deviceId": "",
        "cpuUsage": 140,
        "errorRate5m": -1,
        "name": "x" * 201,
        "sequence": -1,
        **sent(minutes=-6),
        "metrics": [{"name": "", "value": 1}, {"name": "b", "value": 2, "unit": "u" * 65}],
        **service(responseTimeMs=-1, checks={"a": 2**63}),
    }
    code, fields = await refusal(context, owner, BEAT, input=bad)
    assert code == "BAD_USER_INPUT"
    assert set(fields) == {
        *(f"input.{name}" for name in ("deviceId", "cpuUsage", "errorRate5m", "name", "sequence", "sentAt")),
        "input.metrics[0].name",
        "input.metrics[1].unit",
        "input.services[0].responseTimeMs",
        "input.services[0].checks",
    }
    assert kept() == before


@pytest.mark.parametrize(
    ("asking", "fields", "code"),
    [
        (owner, {"tenantId": "umbrella"}, "FORBIDDEN"),
        (owner, {"tenantId": "nowhere"}, "FORBIDDEN"),
        (outsider, {"tenantId": "acme"}, "FORBIDDEN"),
        (viewer, {}, "FORBIDDEN"),
        (mate, {}, "NOT_FOUND"),
    ],
)
async def test_a_refused_caller_writes_nothing(
    context: Context, kept: Kept, asking: Principal, fields: dict[str, Any], code: str
) -> None:
    before = kept()
    assert (await refusal(context, asking, BEAT, input={"deviceId": "till-1", **fields}))[0] == code
    assert kept() == before


async def test_one_bad_beat_does_not_hurt_the_others(context: Context, kept: Kept) -> None:
    inputs = [
        {"deviceId": "till-1"},
        {"deviceId": "till-2", "cpuUsage": 101, "name": "x" * 201},
        {"deviceId": "till-3", "tenantId": "umbrella"},
        {"deviceId": "", "cpuUsage": 1},
        {"deviceId": "till-4", **checks({"count": 2**64})},
        {"deviceId": "till-5"},
    ]
    ack = (await ask(context, owner, BEATS, inputs=inputs))["heartbeats"]
    assert ack["accepted"] == 2
    assert [(one["index"], one["deviceId"], one["code"]) for one in ack["rejected"]] == [
        (1, "till-2", "BAD_USER_INPUT"),
        (2, "till-3", "FORBIDDEN"),
        (3, "", "BAD_USER_INPUT"),
        (4, "till-4", "BAD_USER_INPUT"),
    ]
    assert all(word in ack["rejected"][0]["message"] for word in ("cpuUsage", "name"))
    assert sorted(beat["device_id"] for beat in kept()["device_heartbeats"]) == ["till-1", "till-5"]
    assert sorted(device["device_id"] for device in kept()["devices"]) == ["till-1", "till-5"]


async def test_more_than_a_thousand_beats_are_refused_together(context: Context, kept: Kept) -> None:
    before = kept()
    inputs = [{"deviceId": "till-1", "sequence": number} for number in range(1_001)]
    assert await refusal(context, owner, BEATS, inputs=inputs) == ("BAD_USER_INPUT", ["inputs"])
    assert kept() == before
    ack = (await ask(context, owner, BEATS, inputs=inputs[:1_000]))["heartbeats"]
    assert (ack["accepted"], ack["rejected"]) == (1_000, [])
    assert len(kept()["device_heartbeats"]) == 1_000


async def test_no_beats_are_no_mistake(context: Context) -> None:
    assert (await ask(context, owner, BEATS, inputs=[]))["heartbeats"]["accepted"] == 0


async def post(http: httpx2.AsyncClient, body: str) -> httpx2.Response:
    headers = {"authorization": bearer(owner), "content-type": "application/json"}
    return await http.post("/graphql", content=body.encode(), headers=headers)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
async def test_what_is_no_number_in_json_is_refused_by_name(http: httpx2.AsyncClient, kept: Kept, literal: str) -> None:
    before = kept()
    variables = f'{{"input": {{"deviceId": "till-1", "cpuUsage": {literal}, "syncLagSec": {literal}}}}}'
    answered = await post(http, f'{{"query": {json.dumps(BEAT)}, "variables": {variables}}}')
    [error] = answered.json()["errors"]
    assert answered.status_code == 400
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [field["path"] for field in error["extensions"]["fields"]] == [
        "variables.input.cpuUsage",
        "variables.input.syncLagSec",
    ]
    assert kept() == before


@pytest.mark.parametrize(
    "fields",
    [
        "cpuUsage: 1e999",
        'metrics: [{name: "a", value: -1e999}]',
        'services: [{name: "a", status: HEALTHY, checks: {deep: [1e999]}}]',
        'services: [{name: "a", status: HEALTHY, checks: 99999999999999999999}]',
    ],
)
async def test_a_number_beyond_all_numbers_in_the_document_is_refused(context: Context, kept: Kept, fields: str) -> None:
    before = kept()
    document = f'mutation {{ heartbeat(input: {{deviceId: "till-1", {fields}}}) {{ accepted }} }}'
    assert (await refusal(context, owner, document))[0] == "BAD_USER_INPUT"
    assert kept() == before


async def test_ten_megabytes_of_name_are_bad_input_and_not_too_large_a_body(http: httpx2.AsyncClient, kept: Kept) -> None:
    before = kept()
    body = json.dumps({"query": BEAT, "variables": {"input": {"deviceId": "till-1", "name": "x" * 10_000_000}}})
    answered = await post(http, body)
    [error] = answered.json()["errors"]
    assert answered.status_code == 200
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [field["path"] for field in error["extensions"]["fields"]] == ["input.name"]
    assert len(answered.content) < 2_000
    assert kept() == before


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"cpuUsage": "hot"}, "input.cpuUsage"),
        ({"sentAt": "2026-11-21T06:00:00"}, "input.sentAt"),
        ({"colour": "red"}, "input.colour"),
    ],
)
async def test_what_the_schema_does_not_take_is_named_as_well(
    context: Context, kept: Kept, fields: dict[str, Any], path: str
) -> None:
    before = kept()
    answered = await answer(context, owner, BEAT, input={"deviceId": "till-1", **fields})
    [error] = answered["errors"]
    assert (error["extensions"]["code"], error["extensions"]["fields"][0]["path"]) == ("BAD_USER_INPUT", path)
    assert kept() == before
