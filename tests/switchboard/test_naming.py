"""What names channels: fallbacks, rules, and the defaults of a tenant."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.channel_changes import delete_channel
from app.config_exchange import export_config, import_config
from app.config_yaml import read_yaml, write_yaml
from app.context import Context
from app.domain.channel import Channel, ChannelKind, leads_back
from app.domain.faults import Faults
from app.errors import BadInputError
from app.tenant_changes import TenantPatch, create_tenant
from tests.cast import NOW, mate, outsider, owner, root, viewer
from tests.counting import counted
from tests.switchboard.world import CHANNELS, CREATE, UPDATE, change, mail, make
from tests.wire import ask, refusal

RULE = {"name": "Cold", "severity": "LOW", "condition": {"absence": {"afterSec": 5}}}
SHOWN = "id key overridden channels { id name }"
MAKE = f"mutation($input: AlertRuleInput!) {{ createAlertRule(input: $input) {{ {SHOWN} }} }}"
PATCH = f"mutation($id: ID!, $patch: AlertRulePatch!) {{ updateAlertRule(id: $id, patch: $patch) {{ {SHOWN} }} }}"
OVERRIDE = f'mutation($ids: [ID!]) {{ overrideAlertRule(key: "cpu_high", patch: {{channelIds: $ids}}) {{ {SHOWN} }} }}'
CONFIG = """mutation($input: TenantConfigInput!) {
  updateTenantConfig(input: $input) { tenantId defaultChannelIds } }"""


async def rule(context: Context, *ids: str) -> dict[str, Any]:
    made: dict[str, Any] = (await ask(context, owner, MAKE, input={**RULE, "channelIds": list(ids)}))["createAlertRule"]
    return made


def ids_of(rule: dict[str, Any]) -> list[str]:
    return [channel["id"] for channel in rule["channels"]]


async def defaults(context: Context, **values: Any) -> list[str]:
    found: list[str] = (await ask(context, owner, CONFIG, input=values))["updateTenantConfig"]["defaultChannelIds"]
    return found


async def test_a_channel_falls_back_to_another_until_it_is_told_not_to(context: Context) -> None:
    first = await make(context, mail())
    second = await make(context, mail(), fallbackChannelId=first["id"])
    assert second["fallback"] == {"id": first["id"]}
    assert (await change(context, second, name="Renamed"))["fallback"] == {"id": first["id"]}
    assert (await change(context, second, fallbackChannelId=None))["fallback"] is None


async def test_fallbacks_do_not_lead_in_circles(context: Context) -> None:
    first = await make(context, mail())
    second = await make(context, mail(), fallbackChannelId=first["id"])
    third = await make(context, mail(), fallbackChannelId=second["id"])
    for target in (first, second, third):
        assert await refusal(context, owner, UPDATE, id=first["id"], patch={"fallbackChannelId": target["id"]}) == (
            "BAD_USER_INPUT",
            ["patch.fallbackChannelId"],
        )


@given(links=st.dictionaries(st.integers(0, 6), st.integers(0, 6)), first=st.integers(0, 6), back=st.integers(0, 6))
def test_a_way_back_is_found_wherever_there_is_one(links: dict[int, int], first: int, back: int) -> None:
    channels = {str(one): a_channel(str(one), str(to)) for one, to in links.items()}
    reached, at = {first}, first
    while (after := links.get(at)) is not None and after not in reached:
        reached.add(after)
        at = after
    assert leads_back(channels, str(first), str(back)) is (back in reached)


def a_channel(channel_id: str, fallback_id: str) -> Channel:
    return Channel(
        id=channel_id,
        tenant_id="acme",
        name="x",
        kind=ChannelKind.EMAIL,
        target="",
        sealed="",
        created_at=NOW,
        fallback_id=fallback_id,
    )


async def test_a_fallback_is_of_the_same_tenant_and_the_same_owner(context: Context) -> None:
    shared = await make(context, mail())
    theirs = await make(context, mail(), outsider)
    own = await make(context, mail(), viewer, personal=True)
    mates = await make(context, mail(), mate, personal=True)
    for who, personal, fallback in (
        (owner, False, theirs),
        (owner, False, own),
        (viewer, True, shared),
        (viewer, True, mates),
        (viewer, True, {"id": "none"}),
    ):
        wanted = {"name": "x", "config": mail(), "personal": personal, "fallbackChannelId": fallback["id"]}
        assert await refusal(context, who, CREATE, input=wanted) == ("BAD_USER_INPUT", ["input.fallbackChannelId"])
    second = await make(context, mail(), viewer, personal=True, fallbackChannelId=own["id"])
    assert second["fallback"] == {"id": own["id"]}


async def test_a_rule_names_its_channels_and_lets_go_of_them(context: Context) -> None:
    first, second = (await make(context, mail()))["id"], (await make(context, mail()))["id"]
    made = await rule(context, second, first, second)
    assert ids_of(made) == [second, first]
    for patch, expected in (
        ({"name": "Colder"}, [second, first]),
        ({"channelIds": [first]}, [first]),
        ({"channelIds": None}, []),
        ({"channelIds": []}, []),
    ):
        assert ids_of((await ask(context, owner, PATCH, id=made["id"], patch=patch))["updateAlertRule"]) == expected


async def test_a_rule_names_known_shared_channels_of_its_tenant_alone(context: Context) -> None:
    known = (await make(context, mail()))["id"]
    theirs = (await make(context, mail(), outsider))["id"]
    own = (await make(context, mail(), owner, personal=True))["id"]
    made = await rule(context, known)
    ids = [known, theirs, own, "none"]
    bad = [f"channelIds[{index}]" for index in (1, 2, 3)]
    assert await refusal(context, owner, MAKE, input={**RULE, "name": "", "channelIds": ids}) == (
        "BAD_USER_INPUT",
        [*(f"input.{one}" for one in bad), "input.name"],
    )
    assert await refusal(context, owner, PATCH, id=made["id"], patch={"forSec": -1, "channelIds": ids}) == (
        "BAD_USER_INPUT",
        [*(f"patch.{one}" for one in bad), "patch.forSec"],
    )
    assert await refusal(context, owner, OVERRIDE, ids=ids) == ("BAD_USER_INPUT", [f"patch.{one}" for one in bad])


async def test_a_rule_of_the_platform_has_no_channels_and_a_tenants_version_may(context: Context) -> None:
    known = (await make(context, mail()))["id"]
    patch = {"channelIds": [known]}
    assert await refusal(context, root, PATCH, id="default-cpu_high", patch=patch) == ("BAD_USER_INPUT", ["patch.channelIds"])
    version = (await ask(context, owner, OVERRIDE, ids=[known]))["overrideAlertRule"]
    assert (ids_of(version), version["overridden"]) == ([known], ["channelIds"])
    followed = (await ask(context, owner, OVERRIDE, ids=None))["overrideAlertRule"]
    assert (ids_of(followed), followed["overridden"]) == ([], [])


async def test_a_deleted_channel_is_named_no_more(context: Context) -> None:
    gone, stays = (await make(context, mail()))["id"], (await make(context, mail()))["id"]
    falling = await make(context, mail(), fallbackChannelId=gone)
    made = await rule(context, gone, stays)
    assert await defaults(context, defaultChannelIds=[gone, stays]) == [gone, stays]
    await delete_channel(context, owner, gone)
    assert ids_of((await ask(context, owner, PATCH, id=made["id"], patch={"name": "Colder"}))["updateAlertRule"]) == [stays]
    assert await defaults(context) == [stays]
    seen = {one["id"]: one["fallback"] for one in (await ask(context, owner, CHANNELS))["channels"]}
    assert seen[falling["id"]] is None


async def test_without_a_choice_every_shared_channel_is_told_by_default(context: Context) -> None:
    shared = [(await make(context, mail()))["id"] for _ in range(2)]
    await make(context, mail(), personal=True)
    assert await defaults(context) == shared or await defaults(context) == shared[::-1]
    assert await defaults(context, defaultChannelIds=[shared[1], shared[1]]) == [shared[1]]
    assert await defaults(context, defaultChannelIds=[]) == []
    assert await defaults(context, name="Acme and Sons") == []
    assert sorted(await defaults(context, defaultChannelIds=None)) == sorted(shared)


async def test_only_shared_channels_of_the_tenant_are_told_by_default(context: Context) -> None:
    theirs = (await make(context, mail(), outsider))["id"]
    own = (await make(context, mail(), owner, personal=True))["id"]
    assert await refusal(context, owner, CONFIG, input={"maxDevices": 0, "defaultChannelIds": [theirs, own]}) == (
        "BAD_USER_INPUT",
        ["input.maxDevices", "input.defaultChannelIds[0]", "input.defaultChannelIds[1]"],
    )
    with pytest.raises(BadInputError, match=r"defaultChannelIds\[0\]"):
        await create_tenant(context, root, "initech", TenantPatch(default_channel_ids=(theirs,)))
    assert (await create_tenant(context, root, "initech", TenantPatch(default_channel_ids=()))).default_channel_ids == ()


async def test_a_configuration_names_channels_by_their_ids(context: Context) -> None:
    known = (await make(context, mail()))["id"]
    await rule(context, known)
    await ask(context, owner, OVERRIDE, ids=[known])
    text = await export_config(context, owner, None)
    document: Any = read_yaml(text, Faults())
    assert document["rules"][0]["channelIds"] == [known]
    assert document["overrides"] == {"cpu_high": {"channelIds": [known]}}
    assert (await import_config(context, owner, None, text)).changes == []
    await delete_channel(context, owner, known)
    again = await import_config(context, owner, None, text)
    assert (list(again.errors), list(again.changes)) == ([], [])
    document["rules"][0]["channelIds"] = [known, "none"]
    document["overrides"]["disk_full"] = {"channelIds": [known]}
    refused = await import_config(context, owner, None, write_yaml(document))
    assert [one.partition(":")[0] for one in refused.errors] == ["rules[0].channelIds[1]", "overrides.disk_full.channelIds[0]"]


async def test_lists_load_channels_together(context: Context) -> None:
    first = (await make(context, mail()))["id"]
    for number in range(5):
        await make(context, mail(), fallbackChannelId=first)
        await ask(context, owner, MAKE, input={**RULE, "key": f"cold-{number}", "channelIds": [first]})
    for document, reads in (
        ("{ channels { fallback { id } } }", 3),  # the shared, one's own, the fallbacks
        ("{ alertRules { channels { id } } }", 3),  # the tenant, its rules, their channels
        ("{ tenants { defaultChannelIds } }", 2),
    ):
        with counted(context.settings.mongo_database) as commands:
            await ask(context, owner, document)
        assert len(commands) == reads, document
