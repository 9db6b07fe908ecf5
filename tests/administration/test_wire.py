"""Administration through the schema."""

from datetime import timedelta
from typing import Any

from app.auth import authenticate
from app.clock import ManualClock
from app.context import Context
from app.principal import ANONYMOUS
from tests.cast import NOW, TENANTS, as_key, bearer, mate, outsider, owner, root, viewer
from tests.wire import ask, refusal

CONFIG = "tenantId name timezone offlineAfterSec syncLagWarnSec heartbeatRetentionDays deviceAuth maxDevices cooldownSec"
CONFIG += " maxAlertsPerHour sharedFateRatio sharedFateMin"
UPDATE = f"mutation ($tenantId: ID, $input: TenantConfigInput!) {{ updateTenantConfig(tenantId: $tenantId, input: $input) {{ {CONFIG} }} }}"
CREATE = f"mutation ($id: ID!, $input: TenantConfigInput!) {{ createTenant(id: $id, input: $input) {{ {CONFIG} }} }}"
SAVE = "mutation ($input: StoreInput!) { saveStore(input: $input) { id tenantId storeId name timezone } }"
AUDIT = """query ($first: Int, $after: Cursor) { auditLog(first: $first, after: $after) {
  nodes { id at actor action target before after ip } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""

ACME = {
    "tenantId": "acme",
    "name": "Acme",
    "timezone": "UTC",
    "offlineAfterSec": 120,
    "syncLagWarnSec": 90,
    "heartbeatRetentionDays": 7,
    "deviceAuth": True,
    "maxDevices": 10_000,
    "cooldownSec": 900,
    "maxAlertsPerHour": None,
    "sharedFateRatio": 0.6,
    "sharedFateMin": 5,
}


async def test_the_viewer_is_who_asks(context: Context) -> None:
    document = "{ viewer { id email role tenantIds } }"
    expected = {"id": "vera", "email": "vera@example.com", "role": "VIEWER", "tenantIds": ["acme"]}
    assert (await ask(context, viewer, document))["viewer"] == expected
    assert (await ask(context, root, document))["viewer"]["tenantIds"] == sorted([*TENANTS, "platform"])
    assert await refusal(context, ANONYMOUS, document) == ("UNAUTHENTICATED", [])


async def test_a_tenant_is_made_and_configured(context: Context) -> None:
    made = await ask(context, root, CREATE, id="initech", input={"name": "Initech", "offlineAfterSec": 5, "maxDevices": None})
    assert made["createTenant"] == {**ACME, "tenantId": "initech", "name": "Initech", "offlineAfterSec": 5}
    changed = await ask(context, owner, UPDATE, input={"syncLagWarnSec": 7, "deviceAuth": False})
    assert changed["updateTenantConfig"] == {**ACME, "syncLagWarnSec": 7, "deviceAuth": False}
    changed = await ask(context, owner, UPDATE, input={"syncLagWarnSec": None})
    assert changed["updateTenantConfig"] == {**ACME, "deviceAuth": False}
    assert [one["tenantId"] for one in (await ask(context, viewer, f"{{ tenants {{ {CONFIG} }} }}"))["tenants"]] == ["acme"]


async def test_bad_settings_are_named(context: Context) -> None:
    bad = {"name": None, "timezone": "Mars", "cooldownSec": -1}
    code, fields = await refusal(context, owner, UPDATE, input=bad)
    assert (code, set(fields)) == ("BAD_USER_INPUT", {"input.name", "input.timezone", "input.cooldownSec"})
    assert await refusal(context, owner, UPDATE, tenantId="umbrella", input={}) == ("FORBIDDEN", [])
    assert await refusal(context, root, UPDATE, input={}) == ("BAD_USER_INPUT", ["tenantId"])
    assert await refusal(context, root, UPDATE, tenantId="nowhere", input={}) == ("NOT_FOUND", [])
    assert await refusal(context, root, CREATE, id="acme", input={}) == ("CONFLICT", [])
    assert await refusal(context, owner, CREATE, id="mine", input={}) == ("FORBIDDEN", [])


async def test_a_store_is_saved_and_listed(context: Context) -> None:
    berlin = {"storeId": "berlin", "name": "Berlin", "timezone": "Europe/Berlin"}
    expected = {**berlin, "id": "acme:berlin", "tenantId": "acme"}
    assert (await ask(context, owner, SAVE, input=berlin))["saveStore"] == expected
    assert (await ask(context, owner, SAVE, input={"storeId": "berlin", "name": None}))["saveStore"] == {**expected, "name": None}
    document = "query ($tenantId: ID) { stores(tenantId: $tenantId) { id name timezone } }"
    assert (await ask(context, viewer, document))["stores"] == [{"id": "acme:berlin", "name": None, "timezone": "Europe/Berlin"}]
    assert (await ask(context, outsider, document))["stores"] == []
    assert await refusal(context, outsider, document, tenantId="acme") == ("FORBIDDEN", [])
    assert await refusal(context, mate, SAVE, input=berlin) == ("FORBIDDEN", [])


async def test_a_key_is_shown_once_listed_used_and_revoked(context: Context) -> None:
    fields = "id tenantId name role deviceIds createdAt lastUsedAt expiresAt"
    create = f"""mutation ($name: String!, $role: Role!, $deviceIds: [ID!], $expiresAt: DateTime) {{
      createApiKey(name: $name, role: $role, deviceIds: $deviceIds, expiresAt: $expiresAt) {{ token key {{ {fields} }} }} }}"""
    later = "2026-11-21T07:00:00.000Z"
    made = (await ask(context, owner, create, name="gate", role="OPERATOR", deviceIds=["g1"], expiresAt=later))["createApiKey"]
    key: dict[str, Any] = made["key"]
    assert (key["role"], key["deviceIds"], key["expiresAt"], key["lastUsedAt"]) == ("OPERATOR", ["g1"], later, None)
    await authenticate(context, as_key(made["token"]), None)
    listed = (await ask(context, owner, f"{{ apiKeys {{ {fields} }} }}"))["apiKeys"]
    assert listed == [{**key, "lastUsedAt": "2026-11-21T06:00:00.000Z"}]
    assert (await ask(context, owner, "mutation ($id: ID!) { revokeApiKey(id: $id) }", id=key["id"]))["revokeApiKey"] is True
    assert (await ask(context, owner, "{ apiKeys { id } }"))["apiKeys"] == []
    assert await refusal(context, viewer, "{ apiKeys { id } }") == ("FORBIDDEN", [])
    assert await refusal(context, owner, create, name="", role="SUPER_ADMIN") == ("BAD_USER_INPUT", ["name", "role"])


async def test_members_are_listed(context: Context, clock: ManualClock) -> None:
    await authenticate(context, bearer(owner), None)
    clock.advance(1)
    await authenticate(context, bearer(viewer), None)
    members = (await ask(context, mate, "{ members { id email role tenantIds lastSeen } }"))["members"]
    assert [member["id"] for member in members] == ["vera", "olga"]
    assert members[0]["lastSeen"] == "2026-11-21T06:00:01.000Z"


async def test_the_audit_log_is_read_page_by_page(context: Context, clock: ManualClock) -> None:
    for seconds in range(1, 6):
        clock.advance(1)
        await ask(context, owner, UPDATE, input={"cooldownSec": seconds})
    first = (await ask(context, owner, AUDIT, first=3))["auditLog"]
    assert first["nodes"][0] == {
        "id": first["nodes"][0]["id"],
        "at": (NOW + timedelta(seconds=5)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": "olga",
        "action": "tenant.update",
        "target": "tenant:acme",
        "before": {"cooldownSec": 4},
        "after": {"cooldownSec": 5},
        "ip": "192.0.2.7",
    }
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    rest = (await ask(context, owner, AUDIT, first=3, after=first["pageInfo"]["endCursor"]))["auditLog"]
    assert [node["after"]["cooldownSec"] for node in (*first["nodes"], *rest["nodes"])] == [5, 4, 3, 2, 1]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert (await ask(context, outsider, AUDIT, first=None))["auditLog"]["nodes"] == []
    assert await refusal(context, owner, AUDIT, first=0) == ("BAD_USER_INPUT", ["first"])
    assert await refusal(context, mate, AUDIT) == ("FORBIDDEN", [])
