"""Preferences are read and changed by the person alone, over the schema."""

from typing import Any

import pytest

from app.context import Context
from app.domain.preferences import Preferences
from app.domain.tenant import PLATFORM, Role, only
from app.principal import ANONYMOUS, Principal, PrincipalKind
from tests.cast import mate, owner, person, root, viewer
from tests.people.making import own_channel
from tests.wire import answer, ask, refusal

SHOWN = """userId channels { id } severities quietHours { enabled start end timezone exceptSeverities } digestSec storeIds"""
READ = f"{{ preferences {{ {SHOWN} }} }}"
UPDATE = f"mutation($input: PreferencesInput!) {{ updatePreferences(input: $input) {{ {SHOWN} }} }}"
EVERY_SEVERITY = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO"]
NIGHT = {"enabled": True, "start": "22:00", "end": "07:00", "timezone": "Asia/Kathmandu"}
PROGRAM = Principal(PrincipalKind.API_KEY, "key:1", Role.ADMIN, frozenset(("acme",)))
DEVICE = Principal(PrincipalKind.DEVICE, "acme:till-1", None, frozenset(("acme",)), frozenset(("acme:till-1",)))


async def read(context: Context, principal: Principal = viewer) -> Any:
    return (await ask(context, principal, READ))["preferences"]


async def update(context: Context, principal: Principal = viewer, **fields: Any) -> Any:
    return (await ask(context, principal, UPDATE, input=fields))["updatePreferences"]


async def refused(context: Context, **fields: Any) -> list[str]:
    code, paths = await refusal(context, viewer, UPDATE, input=fields)
    assert code == "BAD_USER_INPUT"
    return paths


async def test_who_never_said_anything_wants_everything_by_every_channel(context: Context) -> None:
    await context.store.channels.insert(own_channel())
    assert await read(context) == {
        "userId": "vera",
        "channels": [{"id": "vera-phone"}],
        "severities": EVERY_SEVERITY,
        "quietHours": None,
        "digestSec": 0,
        "storeIds": [],
    }


async def test_what_is_left_out_of_a_change_stays_as_it_is(context: Context) -> None:
    await update(context, severities=["HIGH"], digestSec=900, quietHours=NIGHT)
    changed = await update(context, storeIds=["north"])
    assert changed == await read(context)
    assert (changed["severities"], changed["digestSec"], changed["storeIds"]) == (["HIGH"], 900, ["north"])
    assert changed["quietHours"] == {**NIGHT, "exceptSeverities": ["CRITICAL"]}


async def test_null_says_what_holds_where_nothing_was_ever_said(context: Context) -> None:
    await context.store.channels.insert(own_channel("a"))
    await context.store.channels.insert(own_channel("b"))
    nothing_said = await read(context)
    fields: dict[str, Any] = {
        "channelIds": ["vera-b"],
        "severities": ["LOW"],
        "digestSec": 60,
        "quietHours": NIGHT,
        "storeIds": ["north"],
    }
    assert await update(context, viewer, **fields) != nothing_said
    assert await update(context, viewer, **dict.fromkeys(fields)) == nothing_said


async def test_a_change_of_nothing_changes_nothing(context: Context) -> None:
    await update(context, digestSec=60)
    assert (await update(context))["digestSec"] == 60


async def test_channels_are_shown_in_the_order_that_was_chosen_and_each_once(context: Context) -> None:
    for name in ("a", "b"):
        await context.store.channels.insert(own_channel(name))
    changed = await update(context, channelIds=["vera-b", "vera-a", "vera-b"])
    assert changed["channels"] == [{"id": "vera-b"}, {"id": "vera-a"}]


async def test_every_bad_field_is_named_and_nothing_is_written(context: Context) -> None:
    await context.store.channels.insert(own_channel(owner_id="mats"))
    hours = {"enabled": True, "start": "25:00", "end": "7", "timezone": "Mars/Olympus"}
    stores = ["north", " "]
    paths = await refused(context, channelIds=["mats-phone"], quietHours=hours, digestSec=59, storeIds=stores)
    assert paths == [
        "input.channelIds[0]",
        "input.storeIds[1]",
        "input.quietHours.start",
        "input.quietHours.end",
        "input.quietHours.timezone",
        "input.digestSec",
    ]
    assert await context.store.preferences.get("vera") is None


async def test_a_list_has_its_most(context: Context) -> None:
    assert await refused(context, channelIds=["x"] * 101, storeIds=["x"] * 1_001) == ["input.channelIds", "input.storeIds"]


@pytest.mark.parametrize("seconds", [-1, 1, 59, 86_401])
async def test_a_digest_is_of_a_minute_to_a_day_or_none(context: Context, seconds: int) -> None:
    assert await refused(context, digestSec=seconds) == ["input.digestSec"]


async def test_quiet_hours_that_end_when_they_begin_are_refused(context: Context) -> None:
    assert await refused(context, quietHours={**NIGHT, "end": "22:00"}) == ["input.quietHours.end"]


async def test_quiet_hours_without_any_exception_are_taken(context: Context) -> None:
    changed = await update(context, quietHours={**NIGHT, "exceptSeverities": []})
    assert changed["quietHours"]["exceptSeverities"] == []


async def test_everybody_has_their_own(context: Context) -> None:
    await update(context, viewer, digestSec=60)
    await update(context, owner, digestSec=120)
    assert [(await read(context, who))["digestSec"] for who in (viewer, owner, mate, root)] == [60, 120, 0, 0]


async def test_a_change_is_in_the_log_of_the_platform_and_in_no_tenants(context: Context) -> None:
    await update(context, digestSec=60)
    [entry] = await context.store.audit.page(only(PLATFORM), None, 10)
    assert (entry.actor, entry.action, entry.target) == ("vera", "preferences.update", "person:vera")
    assert (entry.before, entry.after) == ({"digestSec": 0}, {"digestSec": 60})
    assert await context.store.audit.page(only("acme"), None, 10) == []


@pytest.mark.parametrize(
    ("who", "code"),
    [(PROGRAM, "FORBIDDEN"), (DEVICE, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")],
    ids=lambda one: str(one)[:20],
)
@pytest.mark.parametrize(
    "document",
    [
        READ,
        f"mutation {{ updatePreferences(input: {{}}) {{ {SHOWN} }} }}",
        "{ notifications { id } }",
        "mutation { testNotification { id } }",
    ],
)
async def test_only_people_have_preferences_and_notifications(context: Context, who: Principal, code: str, document: str) -> None:
    [error] = (await answer(context, who, document))["errors"]
    assert error["extensions"]["code"] == code


async def test_a_person_of_several_tenants_has_the_same_in_each(context: Context) -> None:
    both = person("bea", Role.VIEWER, "acme", "umbrella")
    await update(context, both, digestSec=60)
    alone = person("bea", Role.VIEWER, "umbrella")
    assert (await read(context, alone))["digestSec"] == 60
    assert await context.store.preferences.get_many(["bea", "vera"]) == {"bea": Preferences(id="bea", digest_sec=60)}
