"""Changing devices, their tokens, and taking them out of service."""

from datetime import timedelta
from typing import Any

import pytest

from app.clock import ManualClock
from app.context import Context
from app.devices import OVERLAP, register_device, retire_device, rotate_device_token, update_device
from app.domain.alert import AlertStatus, Resolution
from app.domain.device_input import DevicePatch
from app.domain.tenant import EVERY_TENANT
from app.errors import BadInputError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import Principal
from tests.alerts.world import opened
from tests.cast import NOW, both, mate, outsider, owner, viewer
from tests.devices.world import audited, beat, kept, register, sign_in, the_device

NOT_ADMINS = [viewer, mate, the_device("till-1"), outsider]


async def change(context: Context, **fields: Any) -> None:
    await update_device(context, owner, DevicePatch(device_id="till-1", **fields))


async def test_a_patch_changes_what_it_names_and_null_clears(context: Context) -> None:
    await register(context, "till-1", name="Till 1", description="by the door", tags=("front",), timezone="Europe/Vienna")
    await change(context, name="Till One", description=None, tags=None)
    device = await kept(context, "till-1")
    assert (device.name, device.description, device.tags, device.timezone) == ("Till One", None, (), "Europe/Vienna")
    await change(context)
    assert (await kept(context, "till-1")).name == "Till One"


async def test_a_change_leaves_connectivity_and_tokens_alone(context: Context) -> None:
    token = await register(context, "till-1")
    await beat(context, "till-1")
    before = await kept(context, "till-1")
    await change(context, name="Till One")
    after = await kept(context, "till-1")
    assert (after.status, after.since, after.last_seen, after.due_at) == (
        before.status,
        before.since,
        before.last_seen,
        before.due_at,
    )
    assert (await sign_in(context, token)).id == "acme:till-1"


async def test_another_offline_time_moves_the_next_look(context: Context) -> None:
    await register(context, "till-1")
    await beat(context, "till-1")
    await change(context, offline_after_sec=30)
    device = await kept(context, "till-1")
    assert (device.offline_after, device.due_at) == (30, NOW + timedelta(seconds=30))
    await change(context, offline_after_sec=None)
    device = await kept(context, "till-1")
    assert (device.own_offline_after, device.offline_after, device.due_at) == (None, 120, NOW + timedelta(seconds=120))


async def test_a_change_is_audited_with_what_it_changed(context: Context, clock: ManualClock) -> None:
    await register(context, "till-1", name="Till 1", kind="pos")
    clock.advance(1)
    await change(context, name="Till One", offline_after_sec=30)
    entry = (await context.store.audit.page(EVERY_TENANT, None, 1))[0]
    assert (entry.action, entry.target, entry.actor) == ("device.update", "device:till-1", "olga")
    assert (entry.before, entry.after) == (
        {"name": "Till 1", "ownOfflineAfter": None},
        {"name": "Till One", "ownOfflineAfter": 30},
    )


async def test_a_bad_patch_names_its_fields_and_changes_nothing(context: Context) -> None:
    await register(context, "till-1", name="Till 1")
    with pytest.raises(BadInputError) as refused:
        await change(context, name="x" * 201, offline_after_sec=0)
    assert [field.path for field in refused.value.fields] == ["input.name", "input.offlineAfterSec"]
    assert (await kept(context, "till-1")).name == "Till 1"


async def test_alerts_end_whose_rule_does_not_look_at_the_device_any_more(context: Context) -> None:
    await register(context, "till-1", kind="pos")
    alert = await opened(context, subject_id="till-1", rule_key="gone")
    await change(context, name="Till One")
    assert await _status(context, alert.id) is AlertStatus.OPEN
    await change(context, kind="gate")
    assert await _status(context, alert.id) is AlertStatus.RESOLVED


async def test_the_old_token_holds_for_a_day_beside_the_new_one(context: Context, clock: ManualClock) -> None:
    old = await register(context, "till-1")
    clock.advance(60)
    _, new = await rotate_device_token(context, owner, None, "till-1")
    ends = NOW + timedelta(seconds=60) + OVERLAP
    assert (await sign_in(context, old)).expires_at == ends
    assert (await sign_in(context, new)).expires_at is None
    clock.advance(OVERLAP.total_seconds() - 1)
    await sign_in(context, old)
    clock.advance(1)
    with pytest.raises(UnauthenticatedError, match="overlap is over"):
        await sign_in(context, old)
    await sign_in(context, new)


async def test_a_second_rotation_takes_nothing_from_the_day_of_the_first(context: Context, clock: ManualClock) -> None:
    first = await register(context, "till-1")
    _, second = await rotate_device_token(context, owner, None, "till-1")
    clock.advance(3_600)
    _, third = await rotate_device_token(context, owner, None, "till-1")
    assert [(await sign_in(context, token)).expires_at for token in (first, second, third)] == [
        NOW + OVERLAP,
        NOW + timedelta(hours=1) + OVERLAP,
        None,
    ]


async def test_tokens_that_are_over_and_all_too_many_are_dropped(context: Context, clock: ManualClock) -> None:
    token = await register(context, "till-1")
    for _ in range(10):
        _, token = await rotate_device_token(context, owner, None, "till-1")
    assert len((await kept(context, "till-1")).tokens) == 8
    clock.advance(OVERLAP.total_seconds())
    await rotate_device_token(context, owner, None, "till-1")
    assert len((await kept(context, "till-1")).tokens) == 2
    await sign_in(context, token)


async def test_a_device_that_had_no_token_gets_one(context: Context) -> None:
    await register(context, "till-1")
    await context.store.devices.change(EVERY_TENANT, "acme:till-1", {"tokens": []})
    _, token = await rotate_device_token(context, owner, None, "till-1")
    assert (await sign_in(context, token)).id == "acme:till-1"


async def test_a_retired_device_is_nobody_at_once(context: Context) -> None:
    token = await register(context, "till-1")
    _, newer = await rotate_device_token(context, owner, None, "till-1")
    await beat(context, "till-1")
    await sign_in(context, token)
    retired = await retire_device(context, owner, None, "till-1")
    assert (retired.retired_at, retired.due_at, retired.tokens) == (NOW, None, ())
    for one in (token, newer):
        with pytest.raises(UnauthenticatedError):
            await sign_in(context, one)


async def test_the_alerts_of_a_retired_device_end(context: Context) -> None:
    await register(context, "till-1")
    alert = await opened(context, subject_id="till-1")
    elsewhere = await opened(context, subject_id="till-1", tenant_id="umbrella")
    await retire_device(context, owner, None, "till-1")
    ended = (await context.store.alerts.get_many(EVERY_TENANT, [alert.id]))[alert.id]
    assert (ended.status, ended.resolution) == (AlertStatus.RESOLVED, Resolution.DEVICE_RETIRED)
    assert await _status(context, elsewhere.id) is AlertStatus.OPEN


async def test_a_retired_device_is_not_there_to_be_changed(context: Context) -> None:
    await register(context, "till-1")
    await retire_device(context, owner, None, "till-1")
    for device_id in ("till-1", "nothing", "x" * 1_000_000):
        patch = DevicePatch(device_id=device_id[:128])
        for work in (
            update_device(context, owner, patch),
            rotate_device_token(context, owner, None, device_id),
            retire_device(context, owner, None, device_id),
        ):
            with pytest.raises(NotFoundError) as refused:
                await work
            assert len(refused.value.message) < 300


async def test_each_act_is_audited_without_a_token(context: Context, clock: ManualClock) -> None:
    await register(context, "till-1")
    clock.advance(1)
    _, token = await rotate_device_token(context, owner, None, "till-1")
    clock.advance(1)
    await retire_device(context, owner, None, "till-1")
    assert await audited(context) == [
        ("device.register", "device:till-1"),
        ("device.rotate_token", "device:till-1"),
        ("device.retire", "device:till-1"),
    ]
    entries = await context.store.audit.page(EVERY_TENANT, None, 10)
    assert token.rsplit("_", 1)[1] not in repr(entries)


@pytest.mark.parametrize("caller", NOT_ADMINS, ids=lambda caller: str(caller.id))
async def test_only_an_admin_of_the_tenant_changes_rotates_and_retires(context: Context, caller: Principal) -> None:
    token = await register(context, "till-1")
    before = await kept(context, "till-1")
    for work in (
        update_device(context, caller, DevicePatch(device_id="till-1", tenant_id="acme", name="mine")),
        rotate_device_token(context, caller, "acme", "till-1"),
        retire_device(context, caller, "acme", "till-1"),
    ):
        with pytest.raises(ForbiddenError):
            await work
    assert await kept(context, "till-1") == before
    await sign_in(context, token)


async def test_a_device_of_another_tenant_with_the_same_id_stays_as_it_is(context: Context) -> None:
    await register(context, "till-1", name="ours")
    await register_device(context, outsider, DevicePatch(device_id="till-1", name="theirs"))
    theirs = await kept(context, "till-1", "umbrella")
    await change(context, name="changed")
    await rotate_device_token(context, both, "acme", "till-1")
    await retire_device(context, owner, None, "till-1")
    assert await kept(context, "till-1", "umbrella") == theirs


async def _status(context: Context, alert_id: str) -> AlertStatus:
    return (await context.store.alerts.get_many(EVERY_TENANT, [alert_id]))[alert_id].status
