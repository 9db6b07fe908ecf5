"""Channels of one's own: anybody may have them, and nobody else sees them, whatever they may do."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from app.channel_access import channels_of, list_channels
from app.channel_changes import create_channel
from app.context import Context
from app.domain.channel import MOST_CHANNELS, EmailConfig, InAppConfig
from app.domain.channel_input import ChannelInput, EmailInput
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.ids import lane_of
from app.domain.tenant import EVERY_TENANT, Role, only
from app.errors import ConflictError, ForbiddenError
from app.principal import Principal, PrincipalKind
from app.recipients import books_of
from tests.cast import NOW, both, mate, outsider, owner, person, root, viewer
from tests.switchboard.world import AUDIT, CHANNELS, CREATE, DELETE, TEST, UPDATE, change, config_kept, mail, make
from tests.wire import ask, refusal

OWN = {"personal": True}
PROGRAM = Principal(PrincipalKind.API_KEY, viewer.id, Role.ADMIN, frozenset(("acme",)))


async def names(context: Context, who: Principal, tenant: str | None = None) -> list[str]:
    return [one["name"] for one in (await ask(context, who, CHANNELS, tenant=tenant))["channels"]]


@pytest.mark.parametrize("who", [viewer, mate, owner])
async def test_people_of_any_role_make_change_test_and_delete_their_own(context: Context, who: Principal) -> None:
    made = await make(context, mail("me@example.com"), who, **OWN)
    assert (made["ownerId"], made["target"], made["config"]) == (who.id, "m…@example.com", {"email": {"to": ["me@example.com"]}})
    await change(context, made, who, config=mail("new@example.com"))
    assert await config_kept(context, made) == EmailConfig(to=("new@example.com",))
    tested = (await ask(context, who, TEST, id=made["id"]))["testChannel"]
    assert (tested["status"], tested["channel"]) == ("PENDING", {"id": made["id"]})
    assert (await ask(context, who, DELETE, id=made["id"]))["deleteChannel"] is True
    assert await names(context, who) == []


@pytest.mark.parametrize("who", [owner, both, root])
async def test_nobody_else_sees_changes_tests_or_deletes_it(context: Context, who: Principal) -> None:
    made = await make(context, mail("me@example.com"), viewer, **OWN)
    assert await names(context, who) == []
    for document, variables in ((UPDATE, {"patch": {"enabled": False}}), (TEST, {}), (DELETE, {})):
        assert await refusal(context, who, document, id=made["id"], **variables) == ("NOT_FOUND", [])
    assert await names(context, viewer) == ["Pager"]


async def test_a_mate_cannot_tell_it_from_one_that_is_not_there(context: Context) -> None:
    made = await make(context, mail(), viewer, **OWN)
    for channel_id in (made["id"], "none"):
        assert await refusal(context, mate, DELETE, id=channel_id) == ("FORBIDDEN", [])


async def test_the_audit_says_that_there_was_a_change_and_no_more(context: Context) -> None:
    made = await make(context, mail("me@example.com"), viewer, **OWN)
    await change(context, made, viewer, name="Mobile", config=mail("new@example.com"))
    entries = (await ask(context, owner, AUDIT))["auditLog"]["nodes"]
    assert {one["action"] for one in entries} == {"channel.create", "channel.update"}
    assert {(one["actor"], one["target"]) for one in entries} == {("vera", f"channel:{made['id']}")}
    assert all(one["before"] is None and one["after"] is None for one in entries)


async def test_on_a_delivery_only_its_owner_sees_the_channel(context: Context) -> None:
    made = await make(context, mail("me@example.com"), viewer, **OWN)
    await ask(context, viewer, TEST, id=made["id"])
    document = "{ deliveries { channel { id name } } }"
    assert (await ask(context, viewer, document))["deliveries"] == [{"channel": {"id": made["id"], "name": "Pager"}}]
    for who in (mate, owner, root):
        assert (await ask(context, who, document))["deliveries"] == [{"channel": None}]


async def test_ones_own_is_used_in_every_tenant_and_shown_there(context: Context) -> None:
    assert await refusal(context, both, CREATE, input={"name": "x", "config": mail(), **OWN}) == (
        "BAD_USER_INPUT",
        ["input.tenantId"],
    )
    made = await make(context, mail(), both, tenantId="acme", **OWN)
    await make(context, mail(), outsider, name="Shared of umbrella")
    assert await names(context, both) == ["Shared of umbrella", "Pager"]
    assert await names(context, both, "umbrella") == ["Shared of umbrella", "Pager"]
    assert await names(context, both, "acme") == ["Pager"]
    elsewhere = Delivery(
        id="in another tenant",
        tenant_id="umbrella",
        lane=lane_of("umbrella"),
        seq=1,
        event="alert.opened",
        channel_id=made["id"],
        recipient="b…@example.com",
        reason="a test",
        status=DeliveryStatus.DEAD,
        created_at=NOW,
        expire_at=NOW + timedelta(days=1),
    )
    await context.store.deliveries.insert([elsewhere])
    document = '{ deliveries(tenantId: "umbrella") { channel { id } } }'
    assert (await ask(context, both, document))["deliveries"] == [{"channel": {"id": made["id"]}}]
    assert (await ask(context, outsider, document))["deliveries"] == [{"channel": None}]


async def test_who_has_left_a_tenant_keeps_what_is_theirs(context: Context) -> None:
    made = await make(context, mail(), both, tenantId="umbrella", **OWN)
    left = person(both.id, Role.VIEWER, "acme")
    assert await names(context, left) == ["Pager"]
    assert (await change(context, made, left, name="Mine"))["name"] == "Mine"


async def test_a_super_admin_has_ones_own_in_a_tenant(context: Context) -> None:
    await make(context, mail(), root, tenantId="acme", **OWN)
    assert (await names(context, root), await names(context, owner)) == (["Pager"], [])


async def test_programs_have_none_and_see_none(context: Context) -> None:
    await make(context, mail(), viewer, **OWN)
    with pytest.raises(ForbiddenError, match="only people"):
        await create_channel(context, PROGRAM, ChannelInput(name="x", config=EmailInput(to=("a@x.com",)), personal=True))
    assert await list_channels(context, PROGRAM, None) == []
    [own] = await context.store.channels.personal([viewer.id])
    assert await channels_of(context, PROGRAM, [("acme", own.id)]) == [None]


@pytest.mark.parametrize("user_ids", [{}, {"userIds": ["vera"]}])
async def test_an_in_app_channel_of_ones_own_is_for_its_owner(context: Context, user_ids: dict[str, Any]) -> None:
    made = await make(context, {"inApp": user_ids}, viewer, **OWN)
    assert await config_kept(context, made) == InAppConfig(user_ids=("vera",))
    kept = await context.store.channels.get(EVERY_TENANT, made["id"])
    assert kept is not None
    assert kept.to == ("vera",)


@pytest.mark.parametrize("user_ids", [["mats"], ["vera", "mats"], []])
async def test_an_in_app_channel_of_ones_own_is_for_nobody_else(context: Context, user_ids: list[str]) -> None:
    wanted = {"name": "x", "config": {"inApp": {"userIds": user_ids}}, **OWN}
    assert await refusal(context, viewer, CREATE, input=wanted) == ("BAD_USER_INPUT", ["input.config.inApp.userIds"])


async def test_a_person_has_as_many_as_a_tenant_may_have(context: Context) -> None:
    made = await make(context, mail(), viewer, **OWN)
    kept = await context.store.channels.get(only("acme"), made["id"])
    assert kept is not None
    for number in range(MOST_CHANNELS - 1):
        await context.store.channels.insert(msgspec.structs.replace(kept, id=f"{kept.id}-{number}"))
    wanted = ChannelInput(name="x", config=EmailInput(to=("a@x.com",)), personal=True)
    with pytest.raises(ConflictError, match="you have 100 channels"):
        await create_channel(context, viewer, wanted)
    assert (await make(context, mail(), mate, **OWN))["ownerId"] == "mats"
    assert (await make(context, mail()))["ownerId"] is None


async def test_what_is_told_of_every_alert_goes_to_no_channel_of_ones_own(context: Context) -> None:
    await make(context, mail(), viewer, **OWN)
    shared = await make(context, mail())
    book = (await books_of(context, ["acme"]))["acme"]
    assert list(book.shared) == [shared["id"]]
