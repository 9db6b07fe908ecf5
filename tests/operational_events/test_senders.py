"""Who may send events, and for which devices."""

from collections.abc import AsyncIterator

import pytest

from app.auth import authenticate
from app.clock import ManualClock
from app.context import Context
from app.devices import register_device
from app.domain.device_input import DevicePatch
from app.domain.subject import SubjectKind
from app.domain.tenant import Role
from app.errors import ForbiddenError
from app.principal import ANONYMOUS, Principal, PrincipalKind
from app.tenant_changes import TenantPatch, update_tenant_config
from tests.cast import both, mate, open_test_context, outsider, owner, person, root, viewer
from tests.operational_events.conftest import Kept
from tests.operational_events.sending import RECORD, sale, send, total
from tests.wire import refusal


def limited_to(*device_keys: str, role: Role = Role.OPERATOR) -> Principal:
    return Principal(PrincipalKind.API_KEY, "key:1", role, frozenset(("acme",)), frozenset(device_keys))


async def till(context: Context, device_id: str = "till-1") -> Principal:
    _, token = await register_device(context, owner, DevicePatch(device_id=device_id, store_id="north"))
    return await authenticate(context, f"Device {token}", None)


async def codes(context: Context, by: Principal, device_id: str | None, tenant_id: str | None = None) -> list[str]:
    ack = await send(context, sale(device_id=device_id, tenant_id=tenant_id), by=by)
    assert ack.accepted + len(ack.rejected) == 1
    return [one.code.name for one in ack.rejected]


async def test_a_device_that_names_none_sends_for_itself(context: Context, kept: Kept) -> None:
    await send(context, sale(), by=await till(context, "aa:bb"))
    [event] = kept()["operational_events"]
    assert (event["tenant_id"], event["device_id"], event["store_id"]) == ("acme", "aa:bb", "north")
    assert (await total(context, SubjectKind.DEVICE, "aa:bb")).success == 1


@pytest.mark.parametrize(
    ("device_id", "tenant_id", "refused"),
    [
        ("till-1", None, []),
        ("till-1", "acme", []),
        (None, "acme", []),
        ("till-2", None, ["FORBIDDEN"]),
        ("TILL-1", None, ["FORBIDDEN"]),
        ("till-1", "umbrella", ["FORBIDDEN"]),
        (None, "umbrella", ["FORBIDDEN"]),
    ],
)
async def test_a_device_sends_for_itself_alone(
    context: Context, kept: Kept, device_id: str | None, tenant_id: str | None, refused: list[str]
) -> None:
    assert await codes(context, await till(context), device_id, tenant_id) == refused
    assert len(kept()["operational_events"]) == (not refused)


@pytest.mark.parametrize(
    ("by", "device_id", "refused"),
    [
        (mate, "till-1", []),
        (mate, None, []),
        (root, "till-1", ["BAD_USER_INPUT"]),
        (both, None, ["BAD_USER_INPUT"]),
        (limited_to("acme:till-1"), "till-1", []),
        (limited_to("acme:till-1"), "till-2", ["FORBIDDEN"]),
        (limited_to("acme:till-1"), None, ["FORBIDDEN"]),
    ],
)
async def test_people_and_keys_send_by_role_and_limit(
    context: Context, kept: Kept, by: Principal, device_id: str | None, refused: list[str]
) -> None:
    assert await codes(context, by, device_id) == refused
    assert len(kept()["operational_events"]) == (not refused)


@pytest.mark.parametrize(
    ("by", "code"),
    [(viewer, "FORBIDDEN"), (limited_to("acme:till-1", role=Role.VIEWER), "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")],
)
async def test_who_may_not_send_is_refused_whole(context: Context, kept: Kept, by: Principal, code: str) -> None:
    before = kept()
    events = [{"kind": "SALE", "deviceId": "till-1", "tenantId": "acme"}]
    assert await refusal(context, by, RECORD, events=events) == (code, [])
    assert kept() == before


@pytest.mark.parametrize(
    ("by", "tenant_id", "code"),
    [
        (owner, "umbrella", "FORBIDDEN"),
        (owner, "nowhere", "FORBIDDEN"),
        (outsider, "acme", "FORBIDDEN"),
        (root, "nowhere", "NOT_FOUND"),
        (person("nina", Role.ADMIN, "nowhere"), None, "NOT_FOUND"),
    ],
)
async def test_a_tenant_that_is_not_ones_own_or_not_there_takes_no_events(
    context: Context, kept: Kept, by: Principal, tenant_id: str | None, code: str
) -> None:
    before = kept()
    assert await codes(context, by, None, tenant_id) == [code]
    assert kept() == before


@pytest.fixture
async def open_doors(mongo_uri: str, redis_url: str, database: str, clock: ManualClock) -> AsyncIterator[Context]:
    """An installation whose tenants may switch `deviceAuth` off; `acme` has."""
    async with open_test_context(mongo_uri, redis_url, database, clock, device_auth="off") as context:
        await update_tenant_config(context, owner, None, TenantPatch(device_auth=False))
        yield context


async def test_with_both_switches_off_anyone_sends_for_that_tenant_alone(open_doors: Context, kept: Kept) -> None:
    assert await codes(open_doors, ANONYMOUS, "till-1", "acme") == []
    assert await codes(open_doors, ANONYMOUS, None, "acme") == []
    before = kept()
    for tenant_id in ("umbrella", "nowhere", None):
        assert await codes(open_doors, ANONYMOUS, "till-1", tenant_id) == ["UNAUTHENTICATED"]
    assert await codes(open_doors, ANONYMOUS, "", "acme") == ["BAD_USER_INPUT"]
    assert kept() == before


async def test_open_doors_let_no_viewer_send(open_doors: Context) -> None:
    with pytest.raises(ForbiddenError):
        await send(open_doors, sale(), by=viewer)


async def test_with_the_tenants_switch_alone_off_a_token_is_needed_still(context: Context) -> None:
    await update_tenant_config(context, owner, None, TenantPatch(device_auth=False))
    events = [{"kind": "SALE", "tenantId": "acme"}]
    assert await refusal(context, ANONYMOUS, RECORD, events=events) == ("UNAUTHENTICATED", [])
