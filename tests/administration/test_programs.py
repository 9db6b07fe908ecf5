"""Devices and programs sign in with tokens of ours."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from app.api_keys import ApiKeyInput, create_api_key, list_api_keys, revoke_api_key
from app.auth import authenticate, recalling
from app.clock import ManualClock
from app.context import Context
from app.devices import retire_device
from app.domain.device import Device, DeviceStatus, DeviceToken, TokenHolder
from app.domain.ids import device_key, lane_of
from app.domain.tenant import ApiKey, Role, only
from app.errors import BadInputError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import Principal, PrincipalKind
from app.store.api_keys import ApiKeyStore
from app.store.encoding import to_document
from app.tokens import API_KEY, DEVICE, NewToken, new_token
from tests.cast import NOW, as_key, bearer, both, mate, outsider, owner, root, viewer
from tests.counting import counted


async def add_device(
    context: Context, *tokens: tuple[NewToken, datetime | None], retired: bool = False, device_id: str = "pos-1"
) -> None:
    device = Device(
        id=device_key("acme", device_id),
        tenant_id="acme",
        device_id=device_id,
        lane=lane_of("acme"),
        status=DeviceStatus.UNKNOWN,
        since=NOW,
        created_at=NOW,
        offline_after=120,
        wake_after=120,
        tokens=tuple(
            DeviceToken(id=token.id, token_hash=token.token_hash, created_at=NOW, expires_at=until) for token, until in tokens
        ),
        retired_at=NOW if retired else None,
    )
    await context.mongo.tenant_collection("devices").insert(only("acme"), [to_document(device)])


async def as_device(context: Context, token: str) -> Principal:
    return await authenticate(context, f"Device {token}", None)


async def test_a_device_is_itself_and_nothing_else(context: Context) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None))
    principal = await as_device(context, made.token)
    assert (principal.kind, principal.id, principal.role) == (PrincipalKind.DEVICE, "acme:pos-1", None)
    assert principal.tenant_ids == frozenset({"acme"})
    assert principal.device_keys == frozenset({"acme:pos-1"})


async def test_devices_that_sign_in_together_are_asked_for_together(context: Context, database: str) -> None:
    made = {f"pos-{number}": new_token(DEVICE) for number in range(20)}
    for device_id, token in made.items():
        await add_device(context, (token, None), device_id=device_id)
    with counted(database) as commands:
        known = await asyncio.gather(*(as_device(context, token.token) for token in made.values()))
    assert [principal.id for principal in known] == [f"acme:{device_id}" for device_id in made]
    assert commands == ["find"]


async def test_one_of_them_that_is_not_known_keeps_nobody_else_out(context: Context) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None))
    tokens = [made.token, new_token(DEVICE).token, f"{made.token}0"]
    known = await asyncio.gather(*(as_device(context, token) for token in tokens), return_exceptions=True)
    assert [type(one) for one in known] == [Principal, UnauthenticatedError, UnauthenticatedError]


async def test_both_tokens_of_a_rotation_work_until_the_overlap_is_over(context: Context, clock: ManualClock) -> None:
    old, new = new_token(DEVICE), new_token(DEVICE)
    await add_device(context, (old, NOW + timedelta(seconds=3)), (new, None))
    assert (await as_device(context, old.token)).expires_at == NOW + timedelta(seconds=3)
    assert (await as_device(context, new.token)).expires_at is None
    clock.advance(3)
    with pytest.raises(UnauthenticatedError, match="overlap"):
        await as_device(context, old.token)
    await as_device(context, new.token)


async def test_a_retired_device_is_refused(context: Context) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None), retired=True)
    with pytest.raises(UnauthenticatedError, match="retired"):
        await as_device(context, made.token)


async def test_the_id_of_a_token_without_its_secret_is_worth_nothing(context: Context) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None))
    for token in (
        f"fbd_{made.id}_{'0' * 64}",
        f"fbd_{made.id}_",
        f"fbd_{made.id}",
        made.token + "0",
        made.token[:-1],
        "fbd__x",
        "x",
    ):
        with pytest.raises(UnauthenticatedError) as refused:
            await as_device(context, token)
        assert made.token not in str(refused.value)


async def test_a_device_token_is_read_again_after_five_seconds(context: Context, clock: ManualClock) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None))
    await as_device(context, made.token)
    await context.mongo.tenant_collection("devices").update(only("acme"), {}, {"$set": {"tokens": []}})
    clock.advance(4.999)
    await as_device(context, made.token)
    clock.advance(0.001)
    with pytest.raises(UnauthenticatedError):
        await as_device(context, made.token)


async def test_a_device_token_under_the_wrong_scheme_says_so(context: Context) -> None:
    with pytest.raises(UnauthenticatedError, match="Device <token>"):
        await authenticate(context, f"Bearer {new_token(DEVICE).token}", None)


async def test_a_key_works_as_a_bearer_and_as_x_api_key(context: Context) -> None:
    key, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.OPERATOR))
    for authorization in (f"Bearer {token}", as_key(token)):
        principal = await authenticate(context, authorization, "192.0.2.9")
        expected = (PrincipalKind.API_KEY, f"key:{key.id}", Role.OPERATOR, frozenset({"acme"}), None, "192.0.2.9")
        assert (
            principal.kind,
            principal.id,
            principal.role,
            principal.tenant_ids,
            principal.device_keys,
            principal.ip,
        ) == expected


async def test_a_key_that_just_worked_is_no_device_token(context: Context) -> None:
    _, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.OPERATOR))
    await authenticate(context, as_key(token), None)
    assert recalling(context, f"Device {token}", None)() is None
    with pytest.raises(UnauthenticatedError, match="device token"):
        await authenticate(context, f"Device {token}", None)


async def test_a_person_does_not_sign_in_with_the_header_of_keys(context: Context) -> None:
    with pytest.raises(UnauthenticatedError, match="X-API-Key"):
        await authenticate(context, as_key(bearer(owner).removeprefix("Bearer ")), None)


async def test_a_key_may_be_limited_to_devices(context: Context) -> None:
    _, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.OPERATOR, device_ids=["a", "b", "a"]))
    principal = await authenticate(context, as_key(token), None)
    assert principal.device_keys == frozenset({"acme:a", "acme:b"})


async def test_the_secret_of_a_key_is_not_kept(context: Context) -> None:
    key, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER))
    kept = await context.mongo.database["api_keys"].find_one({"_id": key.id})
    record = await context.mongo.database["audit_log"].find_one({"action": "api_key.create"})
    secret = token.split("_")[2]
    assert secret not in str(kept)
    assert secret not in str(record)
    assert key.token_hash not in str(record)


async def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER))
    store = type(context.store.api_keys)
    by_id = store.by_id

    async def and_revoke(self: ApiKeyStore, key_id: str) -> ApiKey | None:
        found = await by_id(self, key_id)
        monkeypatch.undo()
        await revoke_api_key(context, owner, key_id)
        return found

    monkeypatch.setattr(store, "by_id", and_revoke)
    await authenticate(context, as_key(token), None)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await authenticate(context, as_key(token), None)
    assert key.revoked_at is None


async def test_a_device_that_is_retired_while_it_signs_in_is_not_remembered(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_token(DEVICE)
    await add_device(context, (made, None))
    holders = context.credentials.holders
    take = holders.take

    async def and_retire(token_ids: Sequence[str]) -> Mapping[str, TokenHolder]:
        found = await take(token_ids)
        await retire_device(context, owner, "acme", "pos-1")
        return found

    monkeypatch.setattr(holders, "take", and_retire)
    await as_device(context, made.token)
    monkeypatch.undo()
    with pytest.raises(UnauthenticatedError):
        await as_device(context, made.token)


async def test_a_revoked_key_stops_at_once_in_the_process_that_revoked_it(context: Context) -> None:
    key, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER))
    await authenticate(context, as_key(token), None)
    assert await revoke_api_key(context, owner, key.id) is True
    with pytest.raises(UnauthenticatedError, match="revoked"):
        await authenticate(context, as_key(token), None)
    assert await revoke_api_key(context, owner, key.id) is False
    assert await list_api_keys(context, owner, None) == []


async def test_a_key_ends_when_it_was_made_to_end(context: Context, clock: ManualClock) -> None:
    wanted = ApiKeyInput(name="gateway", role=Role.VIEWER, expires_at=NOW + timedelta(seconds=2))
    _, token = await create_api_key(context, owner, wanted)
    await authenticate(context, as_key(token), None)
    clock.advance(2)
    with pytest.raises(UnauthenticatedError, match="expired"):
        await authenticate(context, as_key(token), None)


async def test_the_use_of_a_key_is_written_down_once_a_minute(context: Context, clock: ManualClock) -> None:
    _, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER))
    for wait in (0, 30, 29):
        clock.advance(wait)
        await authenticate(context, as_key(token), None)
    assert [key.last_used_at for key in await list_api_keys(context, owner, "acme")] == [NOW]
    clock.advance(1)
    await authenticate(context, as_key(token), None)
    assert [key.last_used_at for key in await list_api_keys(context, owner, "acme")] == [NOW + timedelta(minutes=1)]


@pytest.mark.parametrize("header", ["", "nonsense", "fbk_", "fbk_a_b", "fbd_a_b", "eyJhbGciOiJIUzI1NiJ9.e30.x"])
async def test_what_is_no_key_is_refused(context: Context, header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await authenticate(context, as_key(header), None)


async def test_every_bad_field_of_a_key_is_named(context: Context) -> None:
    wanted = ApiKeyInput(name=" ", role=Role.SUPER_ADMIN, tenant_id="acme", device_ids=["ok", "\n"], expires_at=NOW)
    with pytest.raises(BadInputError) as refused:
        await create_api_key(context, root, wanted)
    assert [field.path for field in refused.value.fields] == ["name", "role", "expiresAt", "deviceIds[1]"]
    assert await list_api_keys(context, root, None) == []


async def test_a_key_for_no_device_is_not_a_key_for_every_device(context: Context) -> None:
    with pytest.raises(BadInputError, match="deviceIds"):
        await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER, device_ids=[]))


@pytest.mark.parametrize(
    ("maker", "error"), [(viewer, ForbiddenError), (mate, ForbiddenError), (outsider, ForbiddenError), (both, BadInputError)]
)
async def test_only_an_admin_of_the_tenant_makes_its_keys(
    context: Context, maker: Principal, error: type[FleetbeatError]
) -> None:
    tenant_id = None if maker is both else "acme"
    with pytest.raises(error):
        await create_api_key(context, maker, ApiKeyInput(name="gateway", role=Role.VIEWER, tenant_id=tenant_id))


async def test_a_key_makes_no_keys(context: Context) -> None:
    _, token = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.ADMIN))
    program = await authenticate(context, as_key(token), None)
    with pytest.raises(ForbiddenError, match="people"):
        await create_api_key(context, program, ApiKeyInput(name="another", role=Role.VIEWER))


async def test_the_keys_of_others_are_not_there(context: Context) -> None:
    key, _ = await create_api_key(context, owner, ApiKeyInput(name="gateway", role=Role.VIEWER))
    assert await list_api_keys(context, outsider, None) == []
    with pytest.raises(NotFoundError):
        await revoke_api_key(context, outsider, key.id)


def test_tokens_are_long_random_and_found_by_their_id() -> None:
    tokens = {new_token(API_KEY).token for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token.split("_")[2]) == 64 for token in tokens)
