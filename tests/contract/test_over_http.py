"""What PROTOCOL.md says of requests, asked of the application as it is."""

import json
import re
from typing import Any

import pytest

from app.domain.tenant import Role
from schema import limits
from tests.contract.conftest import Place
from tests.contract.protocol import PROTOCOL
from tests.flows.client import RefusedError
from tests.flows.documents import BEAT, REGISTER

VIEWER = {"query": "{ viewer { id } }"}
SUBSCRIPTION = {"query": "subscription { overview { at } }"}
STATUSES = set(re.findall(r"\d{3}", " ".join(re.findall(r"^\| ([\d, or]+) \|", PROTOCOL, re.MULTILINE))))
GRAPHQL = "application/graphql-response+json"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (VIEWER, {}, 200, None),
        (VIEWER, {"authorization": ""}, 200, "UNAUTHENTICATED"),
        ({"query": 'mutation { resolveAlert(id: "x", reason: "y") { id } }'}, {"accept": GRAPHQL}, 200, "NOT_FOUND"),
        ({"query": "{"}, {}, 200, "BAD_USER_INPUT"),
        ({"query": "{"}, {"accept": GRAPHQL}, 400, "BAD_USER_INPUT"),
        ({"query": "{ nothing }"}, {"accept": GRAPHQL}, 400, "BAD_USER_INPUT"),
        (SUBSCRIPTION, {}, 400, "BAD_USER_INPUT"),
        (SUBSCRIPTION, {"accept": GRAPHQL}, 400, "BAD_USER_INPUT"),
        ({**VIEWER, "operationName": "Other"}, {}, 400, "BAD_USER_INPUT"),
        (b"[]", {}, 400, "BAD_USER_INPUT"),
        (VIEWER, {"authorization": "Bearer eyJ"}, 401, "UNAUTHENTICATED"),
        (VIEWER, {"authorization": "Bearer fbd_1_2"}, 401, "UNAUTHENTICATED"),
        (VIEWER, {"accept": "text/html"}, 406, "BAD_USER_INPUT"),
        (VIEWER, {"content_type": "text/plain"}, 415, "BAD_USER_INPUT"),
    ],
)
async def test_the_status_says_how_far_a_request_came(
    place: Place, body: Any, headers: dict[str, str], status: int, code: str | None
) -> None:
    response = await place.post(body, **headers)
    errors = (await response.json(content_type=None)).get("errors", [])
    assert (response.status, [error["extensions"]["code"] for error in errors]) == (status, [code] if code else [])
    assert str(status) in STATUSES


async def test_get_is_for_queries_alone(place: Place) -> None:
    headers = {"authorization": place.person().authorization}
    async with place.session.get(place.url, params=VIEWER, headers=headers) as response:
        assert await response.json() == {"data": {"viewer": {"id": "root"}}}
    mutation = {"query": 'mutation { deleteAlertRule(id: "x") }'}
    async with place.session.get(place.url, params=mutation, headers=headers) as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")


async def test_the_id_of_a_request_is_taken_or_made_and_answered(place: Place) -> None:
    assert (await place.post(VIEWER, x_request_id="mine-1")).headers["x-request-id"] == "mine-1"
    assert len((await place.post(VIEWER)).headers["x-request-id"]) == 32


async def test_a_page_of_an_origin_that_is_named_may_read_the_answer(place: Place) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with place.session.options(place.url, headers={"Origin": "https://dash.example", **asked}) as response:
        assert (response.status, response.headers["access-control-allow-origin"]) == (200, "https://dash.example")
    async with place.session.options(place.url, headers={"Origin": "https://evil.example", **asked}) as response:
        assert "access-control-allow-origin" not in response.headers


def _beat(**values: Any) -> dict[str, Any]:
    return {"query": BEAT, "variables": {"input": {"tenantId": "acme", "deviceId": "till-1", **values}}}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (json.dumps(_beat(cpuUsage=float("nan"))).encode(), "variables.input.cpuUsage"),
        (_beat(cpuUsage="much"), "input.cpuUsage"),
        (_beat(deviceId=None), "input.deviceId"),
        (_beat(cpuUsage=140), "input.cpuUsage"),
        ({"query": "{ alerts(first: 0) { totalCount } }"}, "first"),
        (_beat(metrics=[{"name": name, "value": 1} for name in ("a", "b", "")]), "input.metrics[2].name"),
        ({"query": "{ nothing }"}, "query"),
    ],
)
async def test_a_bad_field_is_named_by_its_path(place: Place, body: Any, path: str) -> None:
    [error] = (await (await place.post(body)).json(content_type=None))["errors"]
    assert [field["path"] for field in error["extensions"]["fields"]] == [path]


async def test_the_example_of_a_bad_field_is_what_is_answered(place: Place) -> None:
    found = re.search(r"```json\n(\{\"data\": null.*?)```", PROTOCOL, re.DOTALL)
    assert found is not None
    answered = await (await place.post(_beat(cpuUsage=140))).json()
    for error in answered["errors"]:
        del error["locations"]
    assert answered == json.loads(found.group(1))


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("{ alerts { nodes { " + "device { openAlerts { " * 5 + "id" + " } }" * 5 + " } } }", f"{limits.MAX_DEPTH} levels"),
        ("{ viewer { " + " ".join(f"a{n}: id" for n in range(31)) + " } }", f"{limits.MAX_ALIASES} aliases"),
        ("{ " + "__typename " * 21 + "}", f"{limits.MAX_ROOT_FIELDS} fields at the root"),
        ("{ viewer { " + "...F " * 101 + "} } fragment F on Viewer { " + "id " * 20 + "}", f"{limits.MAX_FIELDS:,} fields"),
        ("{ viewer { id " + "@include(if: true) " * 51 + "} }", f"{limits.MAX_DIRECTIVES} directives"),
        ("{ viewer { " + "id " * 2_000 + "} }", f"{limits.MAX_TOKENS:,} tokens"),
        ("{ viewer { id } } #" + "x" * 100_000, f"{limits.MAX_SOURCE_LENGTH:,} characters"),
    ],
)
async def test_a_document_over_a_limit_of_the_protocol_is_too_complex(place: Place, query: str, what: str) -> None:
    assert what in PROTOCOL.replace("\n", " ")
    response = await place.post({"query": query}, accept=GRAPHQL)
    errors = (await response.json(content_type=None))["errors"]
    assert (response.status, {error["extensions"]["code"] for error in errors}) == (400, {"TOO_COMPLEX"})


async def test_a_tenant_left_out_is_all_of_them_to_read_and_the_only_one_to_write(place: Place) -> None:
    both, one = place.person(Role.ADMIN, "acme", "umbrella"), place.person(Role.ADMIN, "acme")
    for tenant in ("acme", "umbrella"):
        await both.ask(REGISTER, input={"tenantId": tenant, "deviceId": "till-1"})
    listed = "query($tenant: ID) { devices(tenantId: $tenant) { totalCount } }"
    assert (await both.ask(listed))["devices"] == {"totalCount": 2}
    assert (await both.ask(listed, tenant="acme"))["devices"] == {"totalCount": 1}
    with pytest.raises(RefusedError) as refused:
        await both.ask(REGISTER, input={"deviceId": "till-2"})
    assert refused.value.codes == ["BAD_USER_INPUT"]
    await one.ask(REGISTER, input={"deviceId": "till-2"})
    with pytest.raises(RefusedError) as refused:
        await one.ask(listed, tenant="umbrella")
    assert refused.value.codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("most", "query"),
    [
        (200, "query($n: Int) { alerts(first: $n) { totalCount } }"),
        (200, "query($n: Int) { devices(first: $n) { totalCount } }"),
        (500, 'query($n: Int) { auditLog(tenantId: "acme", first: $n) { nodes { id } } }'),
        (1_000, 'query($n: Int) { device(tenantId: "acme", deviceId: "till-1") { heartbeats(first: $n) { late } } }'),
    ],
)
async def test_a_list_has_its_most(place: Place, most: int, query: str) -> None:
    root = place.person()
    await root.ask(REGISTER, input={"tenantId": "acme", "deviceId": "till-1"})
    await root.ask(query, n=most)
    for wrong in (0, most + 1):
        with pytest.raises(RefusedError) as refused:
            await root.ask(query, n=wrong)
        assert refused.value.codes == ["BAD_USER_INPUT"]
