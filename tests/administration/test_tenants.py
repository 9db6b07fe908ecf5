"""Tenants, their settings, their sites, their members, and the record of what was done."""

from datetime import timedelta

import msgspec
import pytest

from app.audit import audit_log, write_audit
from app.auth import authenticate
from app.clock import ManualClock
from app.context import Context
from app.domain.tenant import PLATFORM, Role
from app.errors import BadInputError, ConflictError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.members import list_members
from app.principal import ANONYMOUS, Principal
from app.sites import SiteInput, list_sites, save_site
from app.tenant_changes import TenantPatch, create_tenant, update_tenant_config
from app.tenants import list_tenants, offline_after, tenant_ids_of
from tests.cast import NOW, bearer, both, mate, outsider, owner, person, root, viewer


async def test_a_new_tenant_has_what_it_was_given_and_the_defaults(context: Context) -> None:
    patch = TenantPatch(name="Initech", timezone="Europe/Berlin", offline_after_sec=30, cooldown_sec=None)
    tenant = await create_tenant(context, root, "initech", patch)
    assert (tenant.name, tenant.timezone, tenant.offline_after_sec, tenant.cooldown_sec) == ("Initech", "Europe/Berlin", 30, 900)
    assert await context.store.tenants.get("initech") == tenant
    assert [tenant.id for tenant in await list_tenants(context, root)][:1] == ["acme"], "all are of the same age here, so by id"


async def test_a_tenant_without_a_name_is_called_by_its_id(context: Context) -> None:
    assert (await create_tenant(context, root, "initech", TenantPatch())).name == "initech"


async def test_the_id_of_a_tenant_is_taken_once(context: Context) -> None:
    for taken in ("acme", PLATFORM):
        with pytest.raises(ConflictError, match=taken):
            await create_tenant(context, root, taken, TenantPatch(name="Other"))
    acme = await context.store.tenants.get("acme")
    assert acme is not None
    assert acme.name == "Acme"


@pytest.mark.parametrize("maker", [owner, mate, viewer, ANONYMOUS])
async def test_only_a_super_admin_makes_tenants(context: Context, maker: Principal) -> None:
    with pytest.raises((ForbiddenError, UnauthenticatedError)):
        await create_tenant(context, maker, "initech", TenantPatch())
    assert await context.store.tenants.get("initech") is None


async def test_every_bad_field_of_a_tenant_is_named_and_nothing_is_written(context: Context) -> None:
    patch = TenantPatch(
        name="x" * 201,
        timezone="Mars/Olympus",
        offline_after_sec=0,
        sync_lag_warn_sec=-1,
        heartbeat_retention_days=366,
        max_devices=1_000_001,
        cooldown_sec=604_801,
        max_alerts_per_hour=0,
        shared_fate_ratio=1.1,
        shared_fate_min=1,
    )
    with pytest.raises(BadInputError) as refused:
        await create_tenant(context, root, "Not a slug", patch)
    paths = {field.path for field in refused.value.fields}
    wrong = {"name", "timezone", "offlineAfterSec", "syncLagWarnSec", "heartbeatRetentionDays", "maxDevices", "cooldownSec"}
    wrong |= {"maxAlertsPerHour", "sharedFateRatio", "sharedFateMin"}
    assert paths == {"id", *(f"input.{name}" for name in wrong)}
    with pytest.raises(BadInputError) as refused:
        await update_tenant_config(context, owner, None, patch)
    assert {field.path for field in refused.value.fields} == paths - {"id"}
    acme = await context.store.tenants.get("acme")
    assert acme is not None
    assert acme.name == "Acme"


async def test_a_patch_changes_what_it_names(context: Context) -> None:
    before = await context.store.tenants.get("acme")
    after = await update_tenant_config(context, owner, None, TenantPatch(max_devices=5, device_auth=False))
    assert before is not None
    assert after == msgspec.structs.replace(before, max_devices=5, device_auth=False)


async def test_null_returns_to_the_setting_where_there_is_one(context: Context) -> None:
    own = await update_tenant_config(context, owner, "acme", TenantPatch(offline_after_sec=30, sync_lag_warn_sec=40))
    assert await offline_after(context, own) == 30
    followed = await update_tenant_config(context, owner, "acme", TenantPatch(offline_after_sec=None, sync_lag_warn_sec=None))
    assert (followed.offline_after_sec, followed.sync_lag_warn_sec) == (None, None)
    assert await offline_after(context, followed) == 120


async def test_null_is_refused_where_a_value_must_be(context: Context) -> None:
    with pytest.raises(BadInputError) as refused:
        await update_tenant_config(context, owner, "acme", TenantPatch(name=None, max_devices=None))
    assert [field.path for field in refused.value.fields] == ["input.name", "input.maxDevices"]


@pytest.mark.parametrize(
    ("who", "tenant_id", "error"),
    [
        (viewer, "acme", ForbiddenError),
        (mate, "acme", ForbiddenError),
        (outsider, "acme", ForbiddenError),
        (owner, PLATFORM, ForbiddenError),
        (both, None, BadInputError),
        (root, None, BadInputError),
        (root, "nowhere", NotFoundError),
    ],
)
async def test_a_tenant_is_changed_by_its_admin_alone(
    context: Context, who: Principal, tenant_id: str | None, error: type[FleetbeatError]
) -> None:
    with pytest.raises(error):
        await update_tenant_config(context, who, tenant_id, TenantPatch(name="Changed"))
    with pytest.raises(error):
        await save_site(context, who, SiteInput(tenant_id=tenant_id, store_id="berlin"))


async def test_everybody_sees_their_own_tenants(context: Context) -> None:
    seen = {who.id: [tenant.id for tenant in await list_tenants(context, who)] for who in (viewer, outsider, both, root)}
    assert seen == {
        viewer.id: ["acme"],
        outsider.id: ["umbrella"],
        both.id: ["acme", "umbrella"],
        root.id: ["acme", PLATFORM, "umbrella"],
    }
    assert await tenant_ids_of(context, root) == ["acme", PLATFORM, "umbrella"]


async def test_a_site_is_made_and_then_changed_in_part(context: Context, clock: ManualClock) -> None:
    await save_site(context, owner, SiteInput(store_id="berlin", name="Berlin", timezone="Europe/Berlin"))
    clock.advance(1)
    changed = await save_site(context, owner, SiteInput(store_id="berlin", name=None))
    assert (changed.id, changed.name, changed.timezone) == ("acme:berlin", None, "Europe/Berlin")
    await save_site(context, owner, SiteInput(store_id="ulm"))
    assert [site.store_id for site in await list_sites(context, viewer, None)] == ["ulm", "berlin"]


async def test_sites_of_the_same_id_are_two_in_two_tenants(context: Context) -> None:
    await save_site(context, owner, SiteInput(store_id="berlin", name="ours"))
    await save_site(context, outsider, SiteInput(store_id="berlin", name="theirs"))
    assert [site.name for site in await list_sites(context, owner, None)] == ["ours"]
    assert [site.name for site in await list_sites(context, outsider, None)] == ["theirs"]
    assert len(await list_sites(context, both, None)) == 2


async def test_a_bad_site_is_refused_with_every_bad_field(context: Context) -> None:
    with pytest.raises(BadInputError) as refused:
        await save_site(context, owner, SiteInput(store_id="", name="a\nb", timezone="nowhere"))
    assert [field.path for field in refused.value.fields] == ["input.storeId", "input.name", "input.timezone"]


async def test_members_are_seen_in_the_tenants_that_one_shares_with_them(context: Context, clock: ManualClock) -> None:
    for who in (root, both, owner, outsider):
        clock.advance(1)
        await authenticate(context, bearer(who), None)
    assert [member.id for member in await list_members(context, mate, None)] == [owner.id, both.id]
    assert (await list_members(context, mate, None))[1].tenant_ids == ["acme"]
    assert [member.id for member in await list_members(context, root, None)] == [outsider.id, owner.id, both.id, root.id]
    with pytest.raises(ForbiddenError):
        await list_members(context, mate, "umbrella")


async def test_a_member_is_as_the_last_token_says(context: Context, clock: ManualClock) -> None:
    await authenticate(context, bearer(owner), None)
    clock.advance(60)
    await authenticate(context, bearer(person(owner.id, Role.VIEWER, "umbrella")), None)
    assert await list_members(context, mate, None) == []
    assert [member.role for member in await list_members(context, outsider, None)] == [Role.VIEWER]


async def test_what_was_changed_is_on_record(context: Context) -> None:
    await update_tenant_config(context, owner, None, TenantPatch(max_devices=5))
    page = await audit_log(context, owner, None, 10, None)
    entry = page.items[0]
    assert (entry.actor, entry.action, entry.target, entry.ip) == (owner.id, "tenant.update", "tenant:acme", owner.ip)
    assert (entry.before, entry.after) == ({"maxDevices": 10_000}, {"maxDevices": 5})


async def test_the_record_is_read_in_pages_newest_first(context: Context, clock: ManualClock) -> None:
    for number in range(7):
        clock.advance(0 if number % 2 else 1)
        await write_audit(context, owner, "acme", "test", f"thing:{number}", None, None)
    await write_audit(context, outsider, "umbrella", "test", "thing:theirs", None, None)
    seen: list[str] = []
    after = None
    while True:
        page = await audit_log(context, owner, "acme", 3, after)
        seen += [entry.target for entry in page.items]
        if not page.has_next:
            break
        after = page.cursors[-1]
    assert sorted(seen) == [f"thing:{number}" for number in range(7)]
    assert seen[0] == "thing:6"
    assert len(page.items) == 1


@pytest.mark.parametrize("after", ["nonsense", "bnVsbA", "WzEsMl0", "WyJhIiwiYiJd", "WzFlMzAwLCAiYSJd"])
async def test_a_cursor_of_another_list_is_refused(context: Context, after: str) -> None:
    with pytest.raises(BadInputError, match="after"):
        await audit_log(context, owner, None, 10, after)


@pytest.mark.parametrize("first", [0, -1, 501])
async def test_a_page_has_a_sane_size(context: Context, first: int) -> None:
    with pytest.raises(BadInputError, match="first"):
        await audit_log(context, owner, None, first, None)


@pytest.mark.parametrize("who", [viewer, mate, ANONYMOUS])
async def test_the_record_is_for_admins(context: Context, who: Principal) -> None:
    with pytest.raises((ForbiddenError, UnauthenticatedError)):
        await audit_log(context, who, None, 10, None)


async def test_no_secret_is_ever_on_record(context: Context) -> None:
    secrets = {"token": "s3cret", "nested": {"token_hash": "s3cret"}, "many": [{"secret": "s3cret"}], "at": NOW, "ok_so_far": 1}
    await write_audit(context, owner, "acme", "test", "thing", None, secrets)
    entry = (await audit_log(context, owner, None, 1, None)).items[0]
    assert entry.after == {"nested": {}, "many": [{}], "at": "2026-11-21T06:00:00Z", "okSoFar": 1}


async def test_actions_on_the_platform_are_on_its_own_record(context: Context) -> None:
    await write_audit(context, root, None, "test", "thing", None, None)
    assert [entry.tenant_id for entry in (await audit_log(context, root, PLATFORM, 1, None)).items] == [PLATFORM]
    assert (await audit_log(context, both, None, 10, None)).items == []


async def test_the_sign_in_of_a_person_lasts_as_long_as_the_token(context: Context) -> None:
    principal = await authenticate(context, bearer(owner, NOW + timedelta(minutes=5)), None)
    assert principal.expires_at == NOW + timedelta(minutes=5)
